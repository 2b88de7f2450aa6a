package approval

import (
	"fmt"
	"path"
	"strings"
)

// analysis collects every command that an argument vector may run.
type analysis struct {
	commands [][]string
	// blocked says why the vector cannot be judged; it is refused then.
	blocked string
	// doubt is above zero for words that are most likely no commands.
	doubt int
	// work counts bytes and words looked at. Nested wrappers could make it exponential.
	work int
}

// maxWork bounds an analysis: a few readings of the longest argument vector.
const maxWork = 8 * MaxResource

// spend accounts for work and reports whether there is any left.
func (an *analysis) spend(n int) bool {
	if an.work += n; an.work > maxWork {
		an.block("the command is too complex")
		return false
	}
	return true
}

// analyse looks through wrappers and shell scripts. What it cannot see into are programs in other languages
// (python -c) and script files; those run in the sandbox, which gives no privileges away.
func analyse(program string, argv []string, input string) *analysis {
	an := &analysis{}
	var in stdin
	if input != "" {
		in.texts = []string{input}
	}
	words := make([]shellWord, len(argv))
	for i, arg := range argv {
		words[i] = shellWord{text: arg, quoted: true}
	}
	if program != "" && base(program) != base(argv[0]) {
		// The program that runs and the name it is told may differ; both are judged.
		an.command(append([]shellWord{{text: program, quoted: true}}, words[1:]...), in, true, 0)
	}
	an.command(words, in, true, 0)
	return an
}

func base(name string) string { return path.Base(strings.TrimRight(name, "/")) }

func (an *analysis) block(format string, args ...any) {
	if an.blocked == "" {
		an.blocked = fmt.Sprintf(format, args...)
	}
}

// stdin is what is known of a command's input.
type stdin struct {
	texts []string // here-documents and here-strings
	fed   bool     // input or arguments come from another program
	file  bool     // it is a file that is named
}

// command judges one command. strict: a name that cannot be read is a reason to refuse; it is not for words that
// are only possibly commands.
func (an *analysis) command(words []shellWord, in stdin, strict bool, depth int) {
	words = afterKeywords(words)
	for len(words) > 0 && isAssignment(words[0].text) {
		an.assignment(words[0], depth)
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	if depth > maxNesting {
		an.block("the command is nested too deeply")
		return
	}
	if !an.spend(16 + len(words)) {
		return
	}
	name, known := words[0].program()
	name = strings.TrimPrefix(name, "=") // zsh: =ls is where ls is
	if !known {
		if strict {
			an.block("the program of %s is not written out", Display(words[0].text))
		}
		return
	}
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = w.text
	}
	if list[0] == "="+name {
		list[0] = name
	}
	an.commands = append(an.commands, list)
	switch {
	case shells[name]:
		an.shell(words, in, strict, depth)
	case name == "and" || name == "or" || name == "not" || name == "begin" || name == "-": // fish, zsh
		an.command(words[1:], in, strict, depth+1)
	case name == "repeat":
		an.command(words[min(2, len(words)):], in, strict, depth+1)
	case evaluates[name]:
		an.evaluated(words, depth)
	case name == "eval":
		an.evalWords(words[1:], strict, depth)
	case name == "source" || name == ".":
		if len(words) > 1 && readsStream(words[1], in.fed || depth > 0) {
			an.block("%s reads a script that another command makes", name)
		}
	case name == "find" || name == "fd" || name == "fdfind":
		an.findExec(words, depth)
	case name == "xargs":
		an.xargs(words, depth)
	case name == "command" && len(words) > 1 && (words[1].text == "-v" || words[1].text == "-V"):
		// Only asks where the program is.
	case wrapper(name):
		an.wrapped(words, in, depth)
	}
}

// program is the name a word runs: its last path component, when that is literal.
func (w shellWord) program() (name string, known bool) {
	name = base(w.text)
	if strings.Contains(name, unknownMark) || strings.Contains(name, streamMark) {
		return name, false
	}
	if name == "[" || name == "[[" {
		return name, true
	}
	return name, !w.glob || !strings.ContainsAny(name, "*?[{")
}

// afterKeywords drops the shell keywords before a command; loops' own words are no command.
func afterKeywords(words []shellWord) []shellWord {
	for len(words) > 0 && !words[0].quoted {
		switch text := words[0].text; {
		case text == "for" || text == "select":
			if len(words) > 2 && words[2].text == "do" && !words[2].quoted {
				words = words[3:]
				continue
			}
			return nil
		case text == "case":
			return nil
		case text == "function":
			words = words[min(2, len(words)):]
			continue
		case text == "coproc" && len(words) > 2 && !words[2].quoted && words[2].text == "{":
			words = words[1:] // its name
		case text == "time":
			for len(words) > 1 && strings.HasPrefix(words[1].text, "-") {
				words = words[1:]
			}
		case !keywords[text]:
			return words
		}
		words = words[1:]
	}
	return words
}

func isAssignment(text string) bool {
	name, _, ok := strings.Cut(text, "=")
	if !ok || name == "" || '0' <= name[0] && name[0] <= '9' {
		return false
	}
	name = strings.TrimSuffix(name, "+")
	if i := strings.IndexByte(name, '['); i > 0 {
		name = name[:i]
	}
	for i := 0; i < len(name); i++ {
		if !isNameByte(name[i]) {
			return false
		}
	}
	return true
}

// script judges the text of a script. Not strict: the text is only possibly one.
func (an *analysis) script(text string, strict bool, depth int) {
	if depth > maxNesting {
		an.block("the command is nested too deeply")
		return
	}
	if !an.spend(16 + len(text)) {
		return
	}
	cmds, err := parseShellAt(text, depth)
	if err != nil && (strict || err == errTooDeep) {
		an.block("the script cannot be read: %v", err)
	}
	for _, c := range cmds {
		an.command(c.words, stdin{c.input, c.piped, c.file}, strict && !c.loose, depth+1)
	}
}

// evalWords judges the arguments of eval, which are joined to a script.
func (an *analysis) evalWords(words []shellWord, strict bool, depth int) {
	var b strings.Builder
	for _, w := range words {
		if strings.ContainsAny(w.text, unknownMark+streamMark) {
			an.block("eval of a text that is not written out")
			return
		}
		b.WriteString(w.text)
		b.WriteByte(' ')
	}
	an.script(b.String(), strict, depth+1)
}
