package ipc

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how many arrays and objects may be nested in a payload.
const MaxDepth = 127

// ErrJSON is wrapped by errors about payloads that are not strict JSON.
var ErrJSON = errors.New("payload is not valid JSON")

// scanner checks one JSON text and notes what classification needs. It is stricter than
// encoding/json: invalid UTF-8, unpaired surrogates and numbers beyond the double range are errors.
type scanner struct {
	b     []byte
	i     int
	depth int
	// repeated is set when an object somewhere names a member twice. Readers would not
	// agree on its value, so the text must not be passed on as it is.
	repeated bool
	members  []member // of the top-level object
}

// member is one member of the top-level object.
type member struct {
	name       string
	start, val int // offsets of the name and of the value
	end        int // offset behind the value
}

// scan checks b, which is one JSON value with optional white space around it.
func scan(b []byte) (*scanner, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrJSON)
	}
	s := &scanner{b: b}
	s.space()
	if err := s.value(); err != nil {
		return nil, err
	}
	s.space()
	if s.i != len(b) {
		return nil, s.errorf("text after the value")
	}
	return s, nil
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s at byte %d", ErrJSON, fmt.Sprintf(format, args...), s.i)
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) value() error {
	switch c := s.peek(); {
	case c == '{', c == '[':
		if s.depth++; s.depth > MaxDepth {
			return s.errorf("more than %d levels", MaxDepth)
		}
		defer func() { s.depth-- }()
		if c == '{' {
			return s.object()
		}
		return s.array()
	case c == '"':
		_, err := s.text()
		return err
	case c == '-', '0' <= c && c <= '9':
		return s.number()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(s.b[s.i:], []byte(word)) {
			s.i += len(word)
			return nil
		}
	}
	return s.errorf("no value")
}

func (s *scanner) array() error {
	s.i++
	if s.space(); s.peek() == ']' {
		s.i++
		return nil
	}
	for {
		s.space()
		if err := s.value(); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return nil
		default:
			return s.errorf("array is not continued")
		}
	}
}

func (s *scanner) object() error {
	s.i++
	if s.space(); s.peek() == '}' {
		s.i++
		return nil
	}
	var names nameSet
	top := s.depth == 1
	for {
		s.space()
		if s.peek() != '"' {
			return s.errorf("member has no name")
		}
		m := member{start: s.i}
		name, err := s.text()
		if err != nil {
			return err
		}
		if !names.add(name) {
			s.repeated = true
		}
		if s.space(); s.peek() != ':' {
			return s.errorf("member has no value")
		}
		s.i++
		s.space()
		m.val = s.i
		if err := s.value(); err != nil {
			return err
		}
		if top {
			m.name, m.end = string(name), s.i
			s.members = append(s.members, m)
		}
		s.space()
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return nil
		default:
			return s.errorf("object is not continued")
		}
	}
}

// nameSet finds repeated names: by comparing while there are few, which is the usual
// case, and in a map afterwards.
type nameSet struct {
	few  [8][]byte
	n    int
	many map[string]struct{}
}

func (n *nameSet) add(name []byte) bool {
	if n.many != nil {
		if _, ok := n.many[string(name)]; ok {
			return false
		}
		n.many[string(name)] = struct{}{}
		return true
	}
	for _, x := range n.few[:n.n] {
		if bytes.Equal(x, name) {
			return false
		}
	}
	if n.n < len(n.few) {
		n.few[n.n] = name
		n.n++
		return true
	}
	n.many = make(map[string]struct{}, 4*len(n.few))
	for _, x := range n.few {
		n.many[string(x)] = struct{}{}
	}
	n.many[string(name)] = struct{}{}
	return true
}

// text reads a string and returns its value, which aliases the input unless it has escapes.
func (s *scanner) text() ([]byte, error) {
	s.i++
	start := s.i
	var out []byte // nil until the first escape
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			v := s.b[start:s.i]
			s.i++
			if out != nil {
				return append(out, v...), nil
			}
			return v, nil
		case c == '\\':
			out = append(out, s.b[start:s.i]...)
			r, err := s.escape()
			if err != nil {
				return nil, err
			}
			if out = utf8.AppendRune(out, r); out == nil {
				out = []byte{}
			}
			start = s.i
		case c < 0x20:
			return nil, s.errorf("control character in text")
		default:
			s.i++
		}
	}
	return nil, s.errorf("text does not end")
}

func (s *scanner) escape() (rune, error) {
	s.i++
	c := s.peek()
	s.i++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		r, err := s.hex()
		if err != nil || !utf16.IsSurrogate(r) {
			return r, err
		}
		if s.peek() == '\\' && s.i+1 < len(s.b) && s.b[s.i+1] == 'u' {
			s.i += 2
			low, err := s.hex()
			if err != nil {
				return 0, err
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				return r, nil
			}
		}
		return 0, s.errorf("unpaired surrogate")
	}
	return 0, s.errorf("unknown escape")
}

func (s *scanner) hex() (rune, error) {
	if len(s.b)-s.i < 4 {
		return 0, s.errorf("short escape")
	}
	n := rune(0)
	for _, c := range s.b[s.i : s.i+4] {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			n = n<<4 | rune(c-'A'+10)
		default:
			return 0, s.errorf("escape is not hexadecimal")
		}
	}
	s.i += 4
	return n, nil
}

func (s *scanner) number() error {
	start := s.i
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !s.digits() {
		return s.errorf("number has no digits")
	}
	exponent := false
	if s.peek() == '.' {
		if s.i++; !s.digits() {
			return s.errorf("number has no digits behind the point")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		exponent = true
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return s.errorf("number has no exponent")
		}
	}
	// Only these can be out of range; most numbers are spared the conversion.
	if exponent || s.i-start > 300 {
		if f, err := strconv.ParseFloat(string(s.b[start:s.i]), 64); err != nil || math.IsInf(f, 0) {
			return s.errorf("number is out of range")
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}
