package approval

import (
	"errors"
	"strings"
)

// The scanner below reads POSIX shell with the common extensions of bash, ksh and zsh, as far as is needed to know
// which programs a script names. Where shells differ it takes the reading in which more is a command.

// Marks inside a word for parts whose value is not known. NUL and SOH are refused in scripts.
const (
	unknownMark = "\x00" // an expansion
	streamMark  = "\x01" // a process substitution: a file whose content a command makes
)

// shellWord is one word with quotes removed.
type shellWord struct {
	text   string
	quoted bool // some part was quoted, so it is no keyword
	glob   bool // has unquoted * ? [ or {
}

// shellCommand is one simple command.
type shellCommand struct {
	words []shellWord
	input []string // here-documents and here-strings
	file  bool     // its input is a file that is named
	piped bool     // its input comes from another command
	loose bool     // perhaps the pattern of a case, which is no command
}

var (
	errUnbalanced = errors.New("a quote or bracket is not closed")
	errTooDeep    = errors.New("it is nested too deeply")
	errControl    = errors.New("it contains control characters")
)

// maxNesting bounds substitutions, wrappers and scripts inside of each other.
const maxNesting = 16

// keywords leave the next word in command position.
var keywords = map[string]bool{
	"if": true, "then": true, "else": true, "elif": true, "fi": true, "do": true, "done": true, "while": true,
	"until": true, "{": true, "}": true, "!": true, "time": true, "coproc": true, "esac": true,
}

// parseShell returns all simple commands of a script, those in substitutions included.
func parseShell(text string) ([]*shellCommand, error) {
	return parseShellAt(text, 0)
}

func parseShellAt(text string, depth int) ([]*shellCommand, error) {
	if strings.ContainsAny(text, unknownMark+streamMark) {
		return nil, errControl
	}
	p := &shellParser{src: text}
	err := p.list(0, depth)
	return p.out, err
}

// heredoc is announced on one line and read after it.
type heredoc struct {
	cmd     *shellCommand
	end     string
	literal bool // the delimiter was quoted: no expansions inside
	tabs    bool // <<-
}

type shellParser struct {
	src  string
	pos  int
	out  []*shellCommand
	docs []heredoc
}

// building is the command and the word under construction.
type building struct {
	cmd    *shellCommand
	word   strings.Builder
	in     bool // inside a word
	quoted bool
	glob   bool
	redir  string // the operator whose target the next word is
	head   bool   // the next word is in command position
	cases  int    // open case…esac
	// pattern: between `case x in` or `;;` and the closing bracket of a pattern.
	pattern bool
}

// list reads commands up to the closing byte, or to the end when it is 0.
func (p *shellParser) list(closing byte, depth int) error {
	if depth > maxNesting {
		return errTooDeep
	}
	b := &building{cmd: &shellCommand{}, head: true}
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		switch {
		case c == ')':
			p.pos++
			p.endCommand(b, false)
			b.pattern = false
			// Inside of case…esac it ends a pattern; elsewhere without an opening one it is an error of the
			// script, read as a separator.
			if closing == ')' && b.cases == 0 {
				return nil
			}
		case c == ' ' || c == '\t' || c == '\r':
			p.pos++
			p.endWord(b)
		case c == '\n':
			p.pos++
			p.endCommand(b, false)
			if err := p.readDocs(depth); err != nil {
				return err
			}
		case strings.HasPrefix(p.src[p.pos:], "&>"):
			p.pos += 2
			p.endWord(b)
			b.redir = ">"
		case c == ';' || c == '&' || c == '|':
			p.separator(b)
		case c == '(':
			p.pos++
			p.endCommand(b, b.cmd.piped)
			if err := p.list(')', depth+1); err != nil {
				return err
			}
		case c == '<' || c == '>':
			if err := p.redirect(b, depth); err != nil {
				return err
			}
		case c == '#' && !b.in:
			for p.pos < len(p.src) && p.src[p.pos] != '\n' {
				p.pos++
			}
		default:
			if err := p.wordPart(b, depth); err != nil {
				return err
			}
		}
	}
	p.endCommand(b, false)
	if closing != 0 {
		return errUnbalanced
	}
	return nil
}

// separator reads ; ;; ;& & && | || |& and ends the command.
func (p *shellParser) separator(b *building) {
	c := p.src[p.pos]
	p.pos++
	piped := c == '|'
	if p.pos < len(p.src) {
		next := p.src[p.pos]
		if next == c || next == '&' && c != '&' {
			piped = piped && next == '&'
			p.pos++
		}
	}
	p.endCommand(b, piped)
	// The end of a branch: ;; ;& or ;;&.
	tail := p.src[:p.pos]
	b.pattern = b.pattern || b.cases > 0 && (strings.HasSuffix(tail, ";;") || strings.HasSuffix(tail, ";&"))
}

// endWord finishes the word under construction.
func (p *shellParser) endWord(b *building) {
	if !b.in {
		return
	}
	w := shellWord{b.word.String(), b.quoted, b.glob}
	b.word.Reset()
	b.in, b.quoted, b.glob = false, false, false
	switch b.redir {
	case "":
		b.cmd.words = append(b.cmd.words, w)
		keyword := b.head && !w.quoted
		b.head = keyword && keywords[w.text]
		switch {
		case keyword && w.text == "case":
			b.cases++
			b.pattern = true
		case w.text == "esac" && !w.quoted && (keyword || b.pattern):
			b.cases = max(0, b.cases-1)
			b.pattern = false
		}
	case "<<", "<<-":
		p.docs = append(p.docs, heredoc{b.cmd, w.text, w.quoted, b.redir == "<<-"})
	case "<<<":
		b.cmd.input = append(b.cmd.input, w.text)
	case "<", "<>":
		b.cmd.file = !strings.ContainsAny(w.text, unknownMark+streamMark) && !isDescriptor(w.text)
	}
	b.redir = ""
}

// endCommand finishes the command under construction; piped is about the next one.
func (p *shellParser) endCommand(b *building, piped bool) {
	p.endWord(b)
	if len(b.cmd.words) > 0 {
		b.cmd.loose = b.pattern
		p.out = append(p.out, b.cmd)
	}
	b.cmd, b.head, b.redir = &shellCommand{piped: piped}, true, ""
}
