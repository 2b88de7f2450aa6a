package tui

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// unseen are runes that nobody sees: text could hide behind them, or differ from what it looks
// like. The joiners that emoji and scripts need are not among them.
var unseen = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x200b, Hi: 0x200b, Stride: 1}, {Lo: 0x2028, Hi: 0x2029, Stride: 1}, {Lo: 0x2060, Hi: 0x2064, Stride: 1},
		{Lo: 0xfeff, Hi: 0xfeff, Stride: 1}, {Lo: 0xfff9, Hi: 0xfffb, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0xe0000, Hi: 0xe007f, Stride: 1}},
}

// steers tells whether a rune could steer the terminal, reorder the text around it, or hide.
func steers(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unseen, r))
}

// printable keeps text from steering the terminal: control characters other than line feed
// and tab, and the invisible ones that reorder text, are shown as escapes.
func printable(s string) string {
	if strings.Contains(s, "\r\n") {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	s = strings.ToValidUTF8(s, "\ufffd")
	if !strings.ContainsFunc(s, steers) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if steers(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// oneLine is printable text without line breaks.
func oneLine(s string) string {
	return strings.Join(strings.Fields(printable(s)), " ")
}

// numericEntity is a character reference of Markdown, such as &#27;.
var numericEntity = regexp.MustCompile(`&#(?:[xX][0-9a-fA-F]{1,6}|[0-9]{1,7});`)

// showEntities shows references to control characters as escapes. The Markdown renderer
// would turn &#27; into the escape character itself.
func showEntities(s string) string {
	if !strings.Contains(s, "&#") {
		return s
	}
	return numericEntity.ReplaceAllStringFunc(s, func(e string) string {
		digits, base := e[2:len(e)-1], 10
		if digits[0] == 'x' || digits[0] == 'X' {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseInt(digits, base, 32)
		if err != nil || !steers(rune(n)) {
			return e
		}
		return fmt.Sprintf("\\u%04x", n)
	})
}

// onlyStyles passes colours and attributes, drops hyperlinks (their targets are printed
// beside them), and shows every other control sequence.
func onlyStyles(s string) string {
	if !strings.ContainsFunc(s, steers) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		rest := s[i:]
		if n := sgr(rest); n > 0 {
			b.WriteString(rest[:n])
			i += n
			continue
		}
		if strings.HasPrefix(rest, "\x1b]8;") {
			if n := oscEnd(rest); n > 0 {
				i += n
				continue
			}
		}
		j := 1
		for j < len(rest) && rest[j] != '\x1b' {
			j++
		}
		b.WriteString(printable(rest[:j]))
		i += j
	}
	return b.String()
}

// sgr returns the length of a "select graphic rendition" sequence at the start of s, or 0.
func sgr(s string) int {
	if !strings.HasPrefix(s, "\x1b[") {
		return 0
	}
	for i := 2; i < len(s); i++ {
		switch c := s[i]; {
		case c == 'm':
			return i + 1
		case c != ';' && c != ':' && (c < '0' || c > '9'):
			return 0
		}
	}
	return 0
}

// oscEnd returns the length of the operating system command at the start of s, or 0.
func oscEnd(s string) int {
	for i := 2; i < len(s); i++ {
		switch {
		case s[i] == '\a':
			return i + 1
		case s[i] == '\x1b':
			if i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
			return 0
		}
	}
	return 0
}
