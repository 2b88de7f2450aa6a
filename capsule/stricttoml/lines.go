package stricttoml

import (
	"strconv"
	"strings"
)

// index maps the path of each key and array element to the line it starts on. It reads text that the TOML
// parser has already accepted, so it needs no grammar checks; on anything unexpected it skips a byte, which
// costs a line number and never correctness.
func index(text string) map[string]int {
	s := &scanner{text: text, line: 1, lines: map[string]int{}, arrays: map[string]int{}}
	s.run()
	return s.lines
}

type scanner struct {
	text   string
	pos    int
	line   int
	lines  map[string]int
	arrays map[string]int // path of an array of tables → number of elements seen
}

func (s *scanner) run() {
	prefix := ""
	for {
		s.skipSpace(true)
		if s.pos >= len(s.text) {
			return
		}
		if s.text[s.pos] == '[' {
			prefix = s.header()
			continue
		}
		if !s.pair(prefix) {
			s.pos++
		}
	}
}

// header reads [a.b] or [[a.b]] and returns the path of the table that it opens.
func (s *scanner) header() string {
	line := s.line
	array := strings.HasPrefix(s.text[s.pos:], "[[")
	s.pos++
	if array {
		s.pos++
	}
	path := ""
	parts := s.key()
	for i, part := range parts {
		path = Join(path, part)
		if array && i == len(parts)-1 {
			s.note(path, line)
			s.arrays[path]++
		}
		if n := s.arrays[path]; n > 0 {
			path = Elem(path, n-1)
		}
		s.note(path, line)
	}
	for s.pos < len(s.text) && s.text[s.pos] == ']' {
		s.pos++
	}
	return path
}

// pair reads key = value below prefix and reports whether it advanced.
func (s *scanner) pair(prefix string) bool {
	start, line := s.pos, s.line
	path := prefix
	for _, part := range s.key() {
		path = Join(path, part)
		s.note(path, line)
	}
	s.skipSpace(false)
	if s.pos < len(s.text) && s.text[s.pos] == '=' {
		s.pos++
		s.skipSpace(false)
		s.value(path)
	}
	return s.pos > start
}

// key reads the parts of a dotted key.
func (s *scanner) key() []string {
	var parts []string
	for {
		s.skipSpace(false)
		start := s.pos
		if s.pos < len(s.text) && (s.text[s.pos] == '"' || s.text[s.pos] == '\'') {
			parts = append(parts, s.str())
		} else {
			for s.pos < len(s.text) && isBare(s.text[s.pos]) {
				s.pos++
			}
			if s.pos == start {
				return parts
			}
			parts = append(parts, s.text[start:s.pos])
		}
		s.skipSpace(false)
		if s.pos >= len(s.text) || s.text[s.pos] != '.' {
			return parts
		}
		s.pos++
	}
}

func (s *scanner) value(path string) {
	if s.pos >= len(s.text) {
		return
	}
	s.note(path, s.line)
	switch s.text[s.pos] {
	case '"', '\'':
		s.str()
	case '[':
		s.pos++
		s.sequence(']', func(i int) bool {
			start := s.pos
			s.value(Elem(path, i))
			return s.pos > start
		})
	case '{':
		s.pos++
		s.sequence('}', func(int) bool { return s.pair(path) })
	default:
		for s.pos < len(s.text) && !strings.ContainsRune(",]}#\n", rune(s.text[s.pos])) {
			s.pos++
		}
	}
}

// sequence reads comma-separated items up to the closing byte.
func (s *scanner) sequence(end byte, item func(i int) bool) {
	for i := 0; ; {
		s.skipSpace(true)
		switch {
		case s.pos >= len(s.text):
			return
		case s.text[s.pos] == end:
			s.pos++
			return
		case s.text[s.pos] == ',':
			s.pos++
		default:
			if !item(i) {
				s.pos++
			}
			i++
		}
	}
}

// str reads any of the four kinds of string. Its result is exact for the one-line kinds, which are the only
// ones that keys can have.
func (s *scanner) str() string {
	quote := s.text[s.pos]
	if triple := strings.Repeat(string(quote), 3); strings.HasPrefix(s.text[s.pos:], triple) {
		s.pos += 3
		for s.pos < len(s.text) && !strings.HasPrefix(s.text[s.pos:], triple) {
			if quote == '"' && s.text[s.pos] == '\\' {
				s.advance()
			}
			s.advance()
		}
		s.pos = min(s.pos+3, len(s.text))
		// Up to two quotes may stand directly before the closing three.
		for s.pos < len(s.text) && s.text[s.pos] == quote {
			s.pos++
		}
		return ""
	}
	start := s.pos
	s.pos++
	for s.pos < len(s.text) && s.text[s.pos] != quote && s.text[s.pos] != '\n' {
		if quote == '"' && s.text[s.pos] == '\\' {
			s.pos++
		}
		s.pos++
	}
	s.pos = min(s.pos+1, len(s.text))
	raw := s.text[start:s.pos]
	if quote == '"' {
		if un, err := strconv.Unquote(raw); err == nil {
			return un
		}
	}
	return strings.Trim(raw, string(quote))
}

func (s *scanner) skipSpace(newlines bool) {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == ' ' || c == '\t' || c == '\r':
			s.pos++
		case c == '\n' && newlines:
			s.advance()
		case c == '#' && newlines:
			for s.pos < len(s.text) && s.text[s.pos] != '\n' {
				s.pos++
			}
		default:
			return
		}
	}
}

func (s *scanner) advance() {
	if s.pos < len(s.text) {
		if s.text[s.pos] == '\n' {
			s.line++
		}
		s.pos++
	}
}

// note keeps the first line of a path.
func (s *scanner) note(path string, line int) {
	if _, ok := s.lines[path]; !ok {
		s.lines[path] = line
	}
}

func isBare(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// Join appends one key to a path, quoting it when it is not a bare key.
func Join(path, key string) string {
	for i := 0; i < len(key) || key == ""; i++ {
		if key == "" || !isBare(key[i]) {
			key = strconv.Quote(key)
			break
		}
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// Elem appends the index of an array element to a path.
func Elem(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
