package telemetry

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes one harmless line of any text: line breaks become \n and \r, tabs \t, bytes that are not UTF-8 and other characters
// that have no shape (control, direction, line separators) \xNN, \uNNNN or \UNNNNNNNN. Backslashes stay, for messages are
// full of JSON: the result is for reading, not for reading back.
func Escape(s string) string {
	clean := func(r rune, n int) bool { return (r != utf8.RuneError || n > 1) && unicode.IsGraphic(r) }
	for i, r := range s {
		n := 1
		if r == utf8.RuneError {
			_, n = utf8.DecodeRuneInString(s[i:])
		}
		if !clean(r, n) {
			return s[:i] + escape(s[i:], clean)
		}
	}
	return s
}

func escape(s string, clean func(rune, int) bool) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case clean(r, n):
			b.WriteString(s[:n])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		s = s[n:]
	}
	return b.String()
}
