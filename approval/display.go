package approval

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDisplay bounds a text that is shown along with others, in bytes before escaping.
const maxDisplay = 4096

// maxAsked bounds what a human is asked to decide about, in bytes as shown. It is shown as a whole or not asked about:
// whoever leaves out a part lets somebody else choose which.
const maxAsked = 32 << 10

// Display writes untrusted text so that what is read is what is there: control characters, bidirectional and
// invisible marks, private-use and unassigned code points, letters that pass for others (see deceptive) and invalid
// UTF-8 appear as escapes, and a backslash is doubled. Long text keeps its head and its tail: the dangerous part of a long command may be
// at either end.
func Display(s string) string {
	if len(s) > maxDisplay {
		half := maxDisplay / 2
		return fmt.Sprintf("%s …(%d bytes left out)… %s", escape(s[:half]), len(s)-2*half, escape(s[len(s)-half:]))
	}
	return escape(s)
}

func escape(s string) string {
	var b strings.Builder
	hide := deceptive(s)
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
		case unicode.IsPrint(r) && !hide[i]:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		i += n
	}
	return b.String()
}
