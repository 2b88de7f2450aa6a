package approval

import (
	"fmt"
	"path"
	"strings"
)

// under reports whether p is dir or inside of it, by components. Both are clean absolute paths.
func under(p, dir string) bool {
	dir = strings.TrimRight(dir, "/")
	return p == dir || strings.HasPrefix(p, dir+"/") || dir == ""
}

func checkDirRule(r Rule) error {
	if !path.IsAbs(r.Value) || path.Clean(r.Value) != strings.TrimRight(r.Value, "/") && r.Value != "/" {
		return fmt.Errorf("%s: directory rule %q: write a clean absolute path", r.Source, r.Value)
	}
	return nil
}

// dots are the characters that some file system, decoder or font takes for a full stop.
var dots = strings.NewReplacer("\uff0e", ".", "\u2024", ".", "\u3002", ".", "\uff61", ".", "\ufe52", ".",
	"\u2025", "..", "\uff0f", "/", "\u2215", "/", "\u2044", "/", "\\", "/")

// traverses reports a `..` component, also behind percent-encoding (several times over), backslashes and
// look-alike characters. It is used to refuse, never to allow.
func traverses(p string) bool {
	if isPlainPath(p) {
		return strings.Contains(p, "..") && hasDotDot(p)
	}
	for range 4 {
		if hasDotDot(p) {
			return true
		}
		if folded := dots.Replace(p); folded != p && hasDotDot(folded) {
			return true
		}
		decoded := percentDecode(p)
		if decoded == p {
			return false
		}
		p = decoded
	}
	// Encoded more than three times over: nobody does that in good faith.
	return true
}

// isPlainPath: nothing in it can stand for another character, which is so for nearly all paths.
func isPlainPath(p string) bool {
	for i := 0; i < len(p); i++ {
		if c := p[i]; c >= 0x80 || c == '%' || c == '\\' {
			return false
		}
	}
	return true
}

func hasDotDot(p string) bool {
	for {
		i := strings.IndexByte(p, '/')
		part := p
		if i >= 0 {
			part = p[:i]
		}
		// "..\x00" and "..;" are dot-dot for some servers.
		if cut := strings.IndexAny(part, "\x00;"); cut >= 0 {
			part = part[:cut]
		}
		if part == ".." {
			return true
		}
		if i < 0 {
			return false
		}
		p = p[i+1:]
	}
}

// percentDecode decodes every valid %xx and leaves the rest.
func percentDecode(s string) string {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s
	}
	b := []byte(s[:i])
	for ; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if ok1 && ok2 {
				b = append(b, hi<<4|lo)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
