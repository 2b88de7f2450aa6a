package stricttoml

// maxDepth bounds how deep keys, tables and arrays lie in each other, each counted for itself. What comes with a capsule
// may be hostile, and the parser takes memory by the square of the depth, or the whole stack.
const maxDepth = 32

// tooDeep returns the line on which a text is nested deeper than any manifest, or 0. It need not be right about text that is
// no TOML: up to where the parser gives up, it reads the same.
func tooDeep(text string) int {
	s := &scanner{text: text, line: 1}
	depth, dots := 0, 0
	for s.pos < len(s.text) {
		s.skipSpace(false)
		if s.pos >= len(s.text) {
			break
		}
		switch s.text[s.pos] {
		case '#':
			for s.pos < len(s.text) && s.text[s.pos] != '\n' {
				s.pos++
			}
			continue
		case '"', '\'':
			s.str()
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '.':
			dots++
		case '\n', ',', '=':
			dots = 0
		}
		if depth > maxDepth || dots > maxDepth {
			return s.line
		}
		s.advance()
	}
	return 0
}
