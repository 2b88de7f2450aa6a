package capability

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// Limits of resource strings and patterns, in bytes, and of the wildcards in a pattern.
const (
	MaxResource  = 16 << 10
	MaxPattern   = 4 << 10
	MaxWildcards = 32
)

// Resource is a checked resource string: what one action is about.
type Resource struct {
	text   string
	scheme string
}

// ParseResource checks a resource string the host made from a call. What it refuses, no
// pattern matches:
//
//   - more than MaxResource bytes, or bytes that are not UTF-8;
//   - control characters (newline and tab may appear in the arguments of exec) and
//     characters that change the direction of text;
//   - a ".." between separators, in net also when percent-encoded, however often;
//   - fs paths that are not absolute and clean;
//   - net authorities that are empty or hold a user name, a backslash or a space.
func ParseResource(s string) (Resource, error) {
	scheme, err := check(s, MaxResource)
	if err != nil {
		return Resource{}, fmt.Errorf("%w: %w", ErrResource, err)
	}
	return Resource{text: s, scheme: scheme}, nil
}

// String returns the text.
func (r Resource) String() string { return r.text }

// Scheme returns the part that a pattern can only spell out: "fs:read", "net:https",
// "exec", "mcp" …
func (r Resource) Scheme() string { return r.scheme }

// Permission returns the permission an action on the resource needs.
func (r Resource) Permission() Permission { return permissionOf(r.scheme) }

// check holds what resources and patterns have in common, and returns the scheme.
func check(s string, limit int) (scheme string, err error) {
	if len(s) > limit {
		return "", fmt.Errorf("%d bytes, limit %d", len(s), limit)
	}
	scheme, rest, err := splitScheme(s)
	if err != nil {
		return "", err
	}
	if err := checkText(s, scheme == "exec"); err != nil {
		return "", err
	}
	switch scheme {
	case "fs:read", "fs:write", "fs:delete":
		p, ok := strings.CutPrefix(rest, "//")
		if !ok || !strings.HasPrefix(p, "/") || path.Clean(p) != p {
			return "", fmt.Errorf("%q: want %s:// and an absolute, clean path", s, scheme)
		}
	case "exec":
		if !strings.HasPrefix(rest, "///") {
			return "", fmt.Errorf("%q: want exec:// and an absolute path", s)
		}
	case "net:http", "net:https":
		if err := checkURL(rest); err != nil {
			return "", fmt.Errorf("%q: %w", s, err)
		}
	}
	if traverses(rest) {
		return "", fmt.Errorf("%q contains '..'", s)
	}
	return scheme, nil
}

// splitScheme finds the scheme: the first word, and for fs, net and ipc the second as well.
func splitScheme(s string) (scheme, rest string, err error) {
	scheme, rest, ok := strings.Cut(s, ":")
	if ok && (scheme == "fs" || scheme == "net" || scheme == "ipc") {
		var verb string
		verb, rest, ok = strings.Cut(rest, ":")
		if !isWord(verb) {
			return "", "", fmt.Errorf("%q: after %s: comes a word and a colon", s, scheme)
		}
		scheme += ":" + verb
	} else if !isWord(scheme) {
		return "", "", fmt.Errorf("%q does not begin with a scheme", s)
	}
	if !ok || rest == "" {
		return "", "", fmt.Errorf("%q names nothing after its scheme", s)
	}
	return scheme, rest, nil
}

func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '_' || c == '-')) {
			return false
		}
	}
	return s != ""
}

// checkText refuses what would not look like itself where a person reads it.
func checkText(s string, lines bool) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not UTF-8", s)
	}
	for _, r := range s {
		switch {
		case lines && (r == '\n' || r == '\t'):
		case r < 0x20, r >= 0x7f && r < 0xa0:
			return fmt.Errorf("%q contains a control character", s)
		case r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x2028, r == 0x2029, r == 0xfeff:
			return fmt.Errorf("%q contains a character that changes how text is shown", s)
		}
	}
	return nil
}

// checkURL checks what follows "net:https:". Servers decode percent signs, some twice, so
// a path is judged by what it may become.
func checkURL(rest string) error {
	u, ok := strings.CutPrefix(rest, "//")
	host, tail, slash := strings.Cut(u, "/")
	if !ok || host == "" || !slash {
		return fmt.Errorf("want ://host:port/path")
	}
	if strings.ContainsAny(host, `@ ?#%\`) {
		return fmt.Errorf("host %q", host)
	}
	for range 4 {
		next := unescaper.Replace(tail)
		if next == tail {
			if traverses("/" + tail) {
				return fmt.Errorf("contains an encoded '..'")
			}
			return nil
		}
		tail = next
	}
	return fmt.Errorf("is percent-encoded again and again")
}

var unescaper = strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", `\`, "%5C", `\`, "%25", "%")

// traverses reports whether ".." stands alone somewhere: bounded by the ends or by bytes
// that do not belong to a name. "a..b" and "..." do not traverse, "x=../y" does.
func traverses(s string) bool {
	for i := 0; ; {
		j := strings.Index(s[i:], "..")
		if j < 0 {
			return false
		}
		start := i + j
		end := start + 2
		for end < len(s) && s[end] == '.' {
			end++
		}
		if end == start+2 && (start == 0 || !nameByte(s[start-1])) && (end == len(s) || !nameByte(s[end])) {
			return true
		}
		i = end
	}
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c >= 0x80
}
