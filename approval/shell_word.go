package approval

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// redirect reads a redirection operator, or a process substitution.
func (p *shellParser) redirect(b *building, depth int) error {
	rest := p.src[p.pos:]
	if strings.HasPrefix(rest, "<(") || strings.HasPrefix(rest, ">(") {
		p.pos += 2
		b.in = true
		b.word.WriteString(streamMark)
		return p.list(')', depth+1)
	}
	// Digits right before the operator are a file descriptor, not an argument.
	if b.in && !b.quoted && isDigits(b.word.String()) {
		b.word.Reset()
		b.in = false
	}
	p.endWord(b)
	for _, op := range [...]string{"<<<", "<<-", "<<", "<>", "<&", ">>", ">|", ">&", "<", ">"} {
		if strings.HasPrefix(rest, op) {
			p.pos += len(op)
			b.redir = op
			return nil
		}
	}
	return nil
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// wordPart reads one part of a word: a character, a quoted string or an expansion.
func (p *shellParser) wordPart(b *building, depth int) error {
	c := p.src[p.pos]
	switch c {
	case '\\':
		p.pos++
		if p.pos == len(p.src) {
			return nil
		}
		if p.src[p.pos] == '\n' {
			p.pos++
			return nil
		}
		b.in, b.quoted = true, true
		b.word.WriteByte(p.src[p.pos])
		p.pos++
		return nil
	case '\'':
		end := strings.IndexByte(p.src[p.pos+1:], '\'')
		if end < 0 {
			return errUnbalanced
		}
		b.in, b.quoted = true, true
		b.word.WriteString(p.src[p.pos+1 : p.pos+1+end])
		p.pos += end + 2
		return nil
	case '"':
		p.pos++
		b.in, b.quoted = true, true
		return p.expandable(&b.word, '"', depth)
	case '$', '`':
		b.in = true
		return p.expansion(&b.word, b, depth)
	case '*', '?', '[', '{':
		b.glob = true
	}
	b.in = true
	b.word.WriteByte(c)
	p.pos++
	return nil
}

// expandable reads text in which only $, backquotes and backslashes are special, up to end (0: all of it).
func (p *shellParser) expandable(w *strings.Builder, end byte, depth int) error {
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		switch {
		case c == end && end != 0:
			p.pos++
			return nil
		case c == '\\' && p.pos+1 < len(p.src):
			next := p.src[p.pos+1]
			p.pos += 2
			if next == '\n' {
				continue
			}
			if strings.IndexByte("$`\"\\", next) < 0 {
				w.WriteByte('\\')
			}
			w.WriteByte(next)
		case c == '$' || c == '`':
			if err := p.expansion(w, nil, depth); err != nil {
				return err
			}
		default:
			w.WriteByte(c)
			p.pos++
		}
	}
	if end != 0 {
		return errUnbalanced
	}
	return nil
}

// expansion reads what starts with $ or a backquote. b is nil inside of double quotes.
func (p *shellParser) expansion(w *strings.Builder, b *building, depth int) error {
	rest := p.src[p.pos:]
	switch {
	case rest[0] == '`':
		return p.backquote(w, depth)
	case strings.HasPrefix(rest, "$(("):
		w.WriteString(unknownMark)
		// Arithmetic or a substitution that starts with a subshell: both are read as commands.
		p.pos += 2
		return p.list(')', depth+1)
	case strings.HasPrefix(rest, "$("):
		w.WriteString(unknownMark)
		p.pos += 2
		return p.list(')', depth+1)
	case strings.HasPrefix(rest, "${"):
		w.WriteString(unknownMark)
		p.pos += 2
		return p.braces(depth + 1)
	case b != nil && strings.HasPrefix(rest, "$'"):
		b.quoted = true
		p.pos += 2
		return p.ansiC(w)
	case b != nil && strings.HasPrefix(rest, `$"`):
		b.quoted = true
		p.pos += 2
		return p.expandable(w, '"', depth)
	}
	p.pos++
	n := 0
	for n+1 < len(rest) && isNameByte(rest[n+1]) {
		n++
	}
	if n == 0 && len(rest) > 1 && strings.IndexByte("@*#?-$!", rest[1]) >= 0 {
		n = 1
	}
	p.pos += n
	if n == 0 {
		w.WriteByte('$')
		return nil
	}
	w.WriteString(unknownMark)
	return nil
}

func isNameByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// braces reads ${…} after its opening, for the substitutions inside of it.
func (p *shellParser) braces(depth int) error {
	if depth > maxNesting {
		return errTooDeep
	}
	var ignored strings.Builder
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; c {
		case '}':
			p.pos++
			return nil
		case '\\':
			p.pos = min(p.pos+2, len(p.src))
		case '"':
			p.pos++
			if err := p.expandable(&ignored, '"', depth); err != nil {
				return err
			}
		case '$', '`':
			if err := p.expansion(&ignored, nil, depth); err != nil {
				return err
			}
		default:
			p.pos++
		}
	}
	return errUnbalanced
}

// backquote reads `…`, in which a backslash protects $, ` and \.
func (p *shellParser) backquote(w *strings.Builder, depth int) error {
	w.WriteString(unknownMark)
	var inner strings.Builder
	for p.pos++; p.pos < len(p.src); p.pos++ {
		c := p.src[p.pos]
		if c == '`' {
			p.pos++
			cmds, err := parseShellAt(inner.String(), depth+1)
			p.out = append(p.out, cmds...)
			return err
		}
		if c == '\\' && p.pos+1 < len(p.src) && strings.IndexByte("$`\\", p.src[p.pos+1]) >= 0 {
			p.pos++
			c = p.src[p.pos]
		}
		inner.WriteByte(c)
	}
	return errUnbalanced
}

// ansiC reads $'…' after its opening.
func (p *shellParser) ansiC(w *strings.Builder) error {
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		p.pos++
		if c == '\'' {
			return nil
		}
		if c != '\\' || p.pos == len(p.src) {
			w.WriteByte(c)
			continue
		}
		e := p.src[p.pos]
		p.pos++
		switch e {
		case 'x':
			p.number(w, 16, 2)
		case 'u':
			p.number(w, 16, 4)
		case 'U':
			p.number(w, 16, 8)
		case '0', '1', '2', '3', '4', '5', '6', '7':
			p.pos--
			p.number(w, 8, 3)
		case 'n', 't', 'r', 'a', 'b', 'e', 'E', 'f', 'v', 'c':
			w.WriteByte(' ')
		default:
			w.WriteByte(e)
		}
	}
	return errUnbalanced
}

// number reads up to digits digits and writes the character they name.
func (p *shellParser) number(w *strings.Builder, base, digits int) {
	n := 0
	for n < digits && p.pos+n < len(p.src) {
		if _, err := strconv.ParseUint(p.src[p.pos+n:p.pos+n+1], base, 8); err != nil {
			break
		}
		n++
	}
	v, err := strconv.ParseUint(p.src[p.pos:p.pos+n], base, 32)
	p.pos += n
	switch {
	case err != nil || v == 0 || v == 1 || v > utf8.MaxRune:
		w.WriteString(unknownMark)
	case digits <= 3:
		w.WriteByte(byte(v))
	default:
		w.WriteRune(rune(v))
	}
}

// readDocs reads the bodies of the here-documents that the line before announced.
func (p *shellParser) readDocs(depth int) error {
	docs := p.docs
	p.docs = nil
	for _, d := range docs {
		var body strings.Builder
		for p.pos < len(p.src) {
			line, _, _ := strings.Cut(p.src[p.pos:], "\n")
			p.pos = min(p.pos+len(line)+1, len(p.src))
			if d.tabs {
				line = strings.TrimLeft(line, "\t")
			}
			if line == d.end {
				break
			}
			body.WriteString(line)
			body.WriteByte('\n')
		}
		d.cmd.input = append(d.cmd.input, body.String())
		if d.literal {
			continue
		}
		inner := &shellParser{src: body.String()}
		var ignored strings.Builder
		if err := inner.expandable(&ignored, 0, depth+1); err != nil {
			return err
		}
		p.out = append(p.out, inner.out...)
	}
	return nil
}
