package approval

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDisplay bounds what a human is asked to read, in bytes of the escaped text.
const maxDisplay = 4096

// Display writes untrusted text so that what is read is what is there: control characters, bidirectional and
// zero-width marks, private-use and unassigned code points and invalid UTF-8 appear as escapes, and a
// backslash is doubled. Long text keeps its head and its tail: the dangerous part of a long command may be
// at either end.
func Display(s string) string {
	if len(s) > 4*maxDisplay {
		s = s[:2*maxDisplay] + s[len(s)-2*maxDisplay:]
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		i += n
	}
	return b.String()
}

// auditText keeps valid UTF-8, which JSON holds without loss, and escapes anything else.
func auditText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return Display(s)
}
