package approval

import "strings"

// evaluates are the commands of a shell that read their own arguments as code: a callback behind -C, a variable
// that a program will run, a subscript in which substitutions are made although it was quoted.
var evaluates = map[string]bool{
	"compgen": true, "complete": true, "mapfile": true, "readarray": true,
	"export": true, "declare": true, "typeset": true, "local": true, "readonly": true,
	"let": true, "test": true, "[": true, "printf": true, "read": true, "unset": true, "wait": true,
}

// evaluated judges the words of such a command.
func (an *analysis) evaluated(words []shellWord, depth int) {
	callback := false
	switch base(words[0].text) {
	case "compgen", "complete", "mapfile", "readarray":
		callback = true
	}
	for i := 1; i < len(words); i++ {
		w := words[i]
		if isAssignment(w.text) {
			an.assignment(w, depth)
			continue
		}
		if c := strings.IndexByte(w.text, 'C'); callback && c > 0 && w.text[0] == '-' {
			text := w.text[c+1:]
			if text == "" && i+1 < len(words) {
				i++
				text = words[i].text
			}
			an.script(text, true, depth+1)
			continue
		}
		an.substituted(w.text, depth)
	}
}

// runsItsValue are the variables whose value shells and common programs run.
var runsItsValue = map[string]bool{
	"PROMPT_COMMAND": true, "BASH_ENV": true, "ENV": true, "PAGER": true, "MANPAGER": true, "GIT_PAGER": true,
	"EDITOR": true, "VISUAL": true, "GIT_EDITOR": true, "GIT_SEQUENCE_EDITOR": true, "GIT_SSH_COMMAND": true,
	"GIT_SSH": true, "GIT_ASKPASS": true, "SSH_ASKPASS": true, "SUDO_ASKPASS": true, "GIT_PROXY_COMMAND": true,
	"GIT_EXTERNAL_DIFF": true, "RSYNC_RSH": true, "CVS_RSH": true, "LESSOPEN": true, "LESSCLOSE": true,
	"BROWSER": true, "SHELL": true,
}

// assignment judges NAME=value.
func (an *analysis) assignment(w shellWord, depth int) {
	name, value, _ := strings.Cut(w.text, "=")
	if !runsItsValue[strings.TrimSuffix(name, "+")] {
		an.substituted(w.text, depth)
		return
	}
	if readsStream(shellWord{text: value}, true) {
		an.block("%s is what another command writes", name)
		return
	}
	an.script(value, false, depth+1)
}

// substituted judges the substitutions in a text that was quoted: bash makes those in a subscript and in ${x@P}
// later.
func (an *analysis) substituted(text string, depth int) {
	if strings.Contains(text, "$(") || strings.Contains(text, "`") {
		an.script(": "+text, false, depth+1)
	}
}
