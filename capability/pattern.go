package capability

import (
	"fmt"
	"strings"
)

// Pattern matches resource strings. See the package comment for its language.
type Pattern struct {
	text   string
	scheme string
	parts  []part
}

// part is a run of literal text or one wildcard.
type part struct {
	literal string
	wild    wildcard
}

type wildcard uint8

const (
	noWild  wildcard = iota
	segment          // *: any bytes but '/'
	deep             // **: any bytes
)

// ParsePattern compiles a pattern. It refuses what [ParseResource] refuses, wildcards in
// the scheme, ** in the host of a URL, more than MaxPattern bytes or MaxWildcards.
func ParsePattern(s string) (Pattern, error) {
	scheme, err := check(s, MaxPattern)
	if err != nil {
		return Pattern{}, fmt.Errorf("%w: %w", ErrPattern, err)
	}
	if strings.ContainsAny(s, "\n\t") {
		return Pattern{}, fmt.Errorf("%w: %q contains a control character", ErrPattern, s)
	}
	if scheme == "net:http" || scheme == "net:https" { // check has seen to the slashes
		host, _, _ := strings.Cut(s[len(scheme)+len("://"):], "/")
		if strings.Contains(host, "**") {
			return Pattern{}, fmt.Errorf("%w: %q: ** in the host would reach past it; write *", ErrPattern, s)
		}
	}
	p := Pattern{text: s, scheme: scheme}
	if p.parts, err = split(s); err != nil {
		return Pattern{}, fmt.Errorf("%w: %q: %w", ErrPattern, s, err)
	}
	return p, nil
}

// split cuts a pattern into parts and removes its escapes.
func split(s string) ([]part, error) {
	var parts []part
	var lit strings.Builder
	wild := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i++; i == len(s) || s[i] != '*' && s[i] != '\\' {
				return nil, fmt.Errorf(`a backslash comes before * or another backslash`)
			}
			lit.WriteByte(s[i])
		case '*':
			if lit.Len() > 0 {
				parts = append(parts, part{literal: lit.String()})
				lit.Reset()
			}
			w := segment
			for i+1 < len(s) && s[i+1] == '*' {
				w = deep
				i++
			}
			parts = append(parts, part{wild: w})
			if wild++; wild > MaxWildcards {
				return nil, fmt.Errorf("more than %d wildcards", MaxWildcards)
			}
		default:
			lit.WriteByte(s[i])
		}
	}
	if lit.Len() > 0 {
		parts = append(parts, part{literal: lit.String()})
	}
	return parts, nil
}

// Quote returns the pattern that matches exactly the given text.
func Quote(resource string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`).Replace(resource)
}

// String returns the pattern's text.
func (p Pattern) String() string { return p.text }

// Scheme returns the scheme of every resource the pattern matches.
func (p Pattern) Scheme() string { return p.scheme }

// Literal reports whether the pattern has no wildcard: it matches one resource.
func (p Pattern) Literal() bool { return len(p.parts) == 1 && p.parts[0].wild == noWild }

// Match reports whether the pattern matches a resource string; false for any that
// [ParseResource] refuses.
func (p Pattern) Match(resource string) bool {
	r, err := ParseResource(resource)
	return err == nil && p.Matches(r)
}

// Matches is Match for a parsed resource. Its cost is at most the number of parts times
// the length of the resource, whatever the pattern.
func (p Pattern) Matches(r Resource) bool {
	if len(p.parts) == 0 || p.scheme != r.scheme || !strings.HasPrefix(r.text, p.parts[0].literal) {
		return false
	}
	if len(p.parts) == 1 {
		return r.text == p.parts[0].literal
	}
	// reach[i] says that the parts so far can match the first i bytes. The scheme is
	// literal, so the first part is.
	reach := make([]bool, len(r.text)+1)
	reach[len(p.parts[0].literal)] = true
	for _, q := range p.parts[1:] {
		if !q.step(reach, r.text) {
			return false
		}
	}
	return reach[len(r.text)]
}

// step advances reach over one part, in place, and reports whether anything is left.
func (q part) step(reach []bool, s string) bool {
	any := false
	if q.wild == noWild {
		n := len(q.literal)
		for i := len(s); i >= 0; i-- {
			ok := i >= n && reach[i-n] && s[i-n:i] == q.literal
			reach[i] = ok
			any = any || ok
		}
		return any
	}
	for i := range reach {
		if i > 0 && reach[i-1] && (q.wild == deep || s[i-1] != '/') {
			reach[i] = true
		}
		any = any || reach[i]
	}
	return any
}
