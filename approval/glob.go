package approval

import (
	"errors"
	"fmt"
)

// Limits of patterns: the matcher's work is their length times the length of the text.
const maxGlob = 1024

// ErrPattern: a pattern cannot be used.
var ErrPattern = errors.New("invalid pattern")

// Glob is a compiled pattern, anchored at both ends and matched on bytes. `*` is any run without `/`, `**` any
// run at all, `?` one byte but `/`, `[a-z]` and `[!a-z]` one byte of a set (never `/`), `\c` the byte c itself.
// There is no alternation: a rule says one thing.
type Glob struct {
	text  string
	steps []step
}

type stepKind uint8

const (
	literal stepKind = iota
	anyByte
	class
	star
	doubleStar
)

type step struct {
	kind stepKind
	lit  byte
	set  *[256]bool
}

// CompileGlob compiles a pattern of at most 1024 bytes.
func CompileGlob(text string) (*Glob, error) {
	bad := func(why string) (*Glob, error) {
		return nil, fmt.Errorf("%w %s: %s", ErrPattern, Display(text), why)
	}
	if text == "" {
		return bad("it is empty")
	}
	if len(text) > maxGlob {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrPattern, len(text), maxGlob)
	}
	g := &Glob{text: text}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case 0:
			return bad("it contains NUL")
		case '\\':
			if i++; i == len(text) {
				return bad("it ends with a backslash")
			}
			g.steps = append(g.steps, step{kind: literal, lit: text[i]})
		case '?':
			g.steps = append(g.steps, step{kind: anyByte})
		case '*':
			k := star
			for i+1 < len(text) && text[i+1] == '*' {
				k = doubleStar
				i++
			}
			g.steps = append(g.steps, step{kind: k})
		case '[':
			set, end, err := parseClass(text, i)
			if err != "" {
				return bad(err)
			}
			g.steps = append(g.steps, step{kind: class, set: set})
			i = end
		default:
			g.steps = append(g.steps, step{kind: literal, lit: c})
		}
	}
	return g, nil
}

// parseClass reads "[…]" from text[i:]; end is the index of the closing bracket.
func parseClass(text string, i int) (set *[256]bool, end int, bad string) {
	set = new([256]bool)
	j := i + 1
	negate := j < len(text) && (text[j] == '!' || text[j] == '^')
	if negate {
		j++
	}
	for first := true; ; first = false {
		if j >= len(text) {
			return nil, 0, "a [ is not closed"
		}
		if text[j] == ']' && !first {
			break
		}
		lo := text[j]
		hi := lo
		if j+2 < len(text) && text[j+1] == '-' && text[j+2] != ']' {
			hi = text[j+2]
			j += 2
		}
		if hi < lo {
			return nil, 0, "a range in [] runs backwards"
		}
		for c := int(lo); c <= int(hi); c++ {
			set[c] = true
		}
		j++
	}
	if negate {
		for c := range set {
			set[c] = !set[c]
		}
	}
	set['/'] = false
	return set, j, ""
}

// String is the pattern's text.
func (g *Glob) String() string { return g.text }

// Match reports whether the whole of s matches. It keeps the set of reachable steps, so that no pattern makes
// it slower than len(pattern) × len(s).
func (g *Glob) Match(s string) bool {
	n := len(g.steps)
	// Literal head: most patterns are refused here.
	head := 0
	for head < n && g.steps[head].kind == literal {
		if head >= len(s) || s[head] != g.steps[head].lit {
			return false
		}
		head++
	}
	if head == n {
		return len(s) == n
	}
	cur, next := make([]bool, n+1), make([]bool, n+1)
	g.reach(cur, head)
	for i := head; i < len(s); i++ {
		clear(next)
		alive := false
		for at := head; at < n; at++ {
			if !cur[at] {
				continue
			}
			st, c := &g.steps[at], s[i]
			switch {
			case st.kind == doubleStar, st.kind == star && c != '/':
				g.reach(next, at)
			case st.kind == literal && c == st.lit, st.kind == anyByte && c != '/', st.kind == class && st.set[c]:
				g.reach(next, at+1)
			default:
				continue
			}
			alive = true
		}
		if !alive {
			return false
		}
		cur, next = next, cur
	}
	return cur[n]
}

// reach marks a step and those behind stars, which may match nothing.
func (g *Glob) reach(set []bool, at int) {
	for set[at] = true; at < len(g.steps) && (g.steps[at].kind == star || g.steps[at].kind == doubleStar); {
		at++
		set[at] = true
	}
}

// EscapeGlob returns a pattern that matches exactly text.
func EscapeGlob(text string) string {
	var b []byte
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '*', '?', '[', ']', '{', '}', '\\':
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return string(b)
}
