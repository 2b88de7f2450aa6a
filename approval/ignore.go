package approval

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
)

// IgnoreFile is the name of the file in a workspace's root that lists what agents are kept from.
const IgnoreFile = ".astridignore"

// Limits of an ignore file.
const (
	MaxIgnoreBytes = 64 << 10
	maxIgnoreRules = 1000
)

// Ignore is a compiled ignore file. Its language is that of gitignore(5): one pattern a line, `#` begins a comment, `!` takes a
// pattern before it back, a trailing `/` means directories, a pattern with another `/` starts at the root, `**` is any number of
// directories. What lies in an ignored directory cannot be taken back. Two things are stricter: a pattern that git would never match
// is an error, and one for directories hides a file of that name, too, because what does not exist yet is neither.
type Ignore struct {
	rules  []ignoreRule // last match first
	fold   bool
	broken *Rule // it could not be read: everything is ignored
}

type ignoreRule struct {
	Rule
	negate, dirOnly bool
	parts           []*Glob // nil is `**`
}

// ParseIgnore compiles an ignore file; name is how errors and rules call it. fold compares without case.
func ParseIgnore(text []byte, name string, fold bool) (*Ignore, error) {
	if len(text) > MaxIgnoreBytes {
		return nil, fmt.Errorf("%s: %d bytes, at most %d", name, len(text), MaxIgnoreBytes)
	}
	g := &Ignore{fold: fold}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	for n, line := range strings.Split(string(text), "\n") {
		r, err := parseIgnoreLine(strings.TrimSuffix(line, "\r"), fold)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n+1, err)
		}
		if r == nil {
			continue
		}
		if len(g.rules) == maxIgnoreRules {
			return nil, fmt.Errorf("%s:%d: more than %d patterns", name, n+1, maxIgnoreRules)
		}
		r.Source = fmt.Sprintf("%s:%d", name, n+1)
		g.rules = append([]ignoreRule{*r}, g.rules...)
	}
	return g, nil
}

// BrokenIgnore ignores everything, because the file that says what could not be used.
func BrokenIgnore(name string, err error) *Ignore {
	return &Ignore{broken: &Rule{Value: fmt.Sprintf("(%v; until that is mended, all files are kept from agents)", err), Source: name}}
}

func parseIgnoreLine(line string, fold bool) (*ignoreRule, error) {
	if line == "" || line[0] == '#' {
		return nil, nil
	}
	r := &ignoreRule{Rule: Rule{Value: line}}
	line, r.negate = strings.CutPrefix(trimBlanks(line), "!")
	if line == "" && !r.negate {
		return nil, nil
	}
	line, r.dirOnly = strings.CutSuffix(line, "/")
	if fold {
		line = strings.ToLower(line)
	}
	rooted := strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	if line == "" {
		return nil, fmt.Errorf("%w %s: it names nothing", ErrPattern, Display(r.Value))
	}
	if !rooted {
		r.parts = append(r.parts, nil)
	}
	for _, part := range strings.Split(line, "/") {
		if part == "**" {
			r.parts = append(r.parts, nil)
			continue
		}
		if err := checkIgnorePart(part); err != nil {
			return nil, fmt.Errorf("%w %s: %w", ErrPattern, Display(r.Value), err)
		}
		glob, err := CompileGlob(part)
		if err != nil {
			return nil, err
		}
		r.parts = append(r.parts, glob)
	}
	return r, nil
}

// trimBlanks takes trailing blanks away, but for one that is escaped.
func trimBlanks(s string) string {
	for strings.HasSuffix(s, " ") {
		slashes := len(s) - 1 - len(strings.TrimRight(s[:len(s)-1], `\`))
		if slashes%2 == 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s
}

// checkIgnorePart refuses what git reads differently from a Glob, or never matches.
func checkIgnorePart(part string) error {
	switch part {
	case "":
		return errors.New("it has two slashes in a row")
	case ".", "..":
		return errors.New("paths have no . and .. components")
	}
	for i := 0; i < len(part); i++ {
		switch part[i] {
		case '\\':
			i++
		case '[':
			_, end, bad := parseClass(part, i)
			if bad != "" {
				return errors.New(bad)
			}
			if set := part[i : end+1]; strings.ContainsAny(set[1:], `\`) || strings.Contains(set, "[:") {
				return errors.New(`\ and [: in [] are not known here`)
			}
			i = end
		}
	}
	return nil
}

// Match tells which rule ignores a path relative to the root.
func (g *Ignore) Match(rel string) (Rule, bool) {
	switch {
	case g == nil:
		return Rule{}, false
	case g.broken != nil:
		return *g.broken, true
	case rel == "." || rel == "" || path.IsAbs(rel):
		return Rule{}, false
	}
	if g.fold {
		rel = strings.ToLower(rel)
	}
	names := strings.Split(rel, "/")
	for n := 1; n <= len(names); n++ {
		if r, ok := g.entry(names[:n], true); ok {
			return r, true
		}
	}
	return g.entry(names, false)
}

// entry applies the rules to one path, whatever is above it.
func (g *Ignore) entry(names []string, dir bool) (Rule, bool) {
	for i := range g.rules {
		if r := &g.rules[i]; (dir || !r.dirOnly) && matchParts(r.parts, names) {
			return r.Rule, !r.negate
		}
	}
	return Rule{}, false
}

// matchParts keeps the set of names that the parts up to here can have reached, so that no number of ** makes it slow.
func matchParts(parts []*Glob, names []string) bool {
	at := make([]bool, len(names)+1)
	at[0] = true
	for i, p := range parts {
		next := make([]bool, len(names)+1)
		for n, ok := range at {
			switch {
			case !ok:
			case p == nil:
				from := n
				if i == len(parts)-1 {
					from++ // `a/**` is what lies in a, not a
				}
				for m := from; m <= len(names); m++ {
					next[m] = true
				}
			case n < len(names) && p.Match(names[n]):
				next[n+1] = true
			}
		}
		at = next
	}
	return at[len(names)]
}
