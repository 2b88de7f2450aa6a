package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

const tabWidth = 4

// wrap breaks text into lines of at most width cells, at words where it can.
func wrap(s string, width int) []string {
	s = strings.ReplaceAll(s, "\t", strings.Repeat(" ", tabWidth))
	return strings.Split(ansi.Wrap(s, max(width, 1), ""), "\n")
}

// cut shortens a line to width cells.
func cut(s string, width int, ellipsis string) string {
	if width <= 0 {
		return ""
	}
	s = strings.ReplaceAll(s, "\t", " ")
	return ansi.Truncate(s, width, ellipsis)
}

func cells(s string) int { return ansi.StringWidth(s) }

// pad fills a line up to width cells.
func pad(s string, width int) string {
	if n := width - cells(s); n > 0 {
		return s + strings.Repeat(" ", n)
	}
	return s
}

func blank(s string) bool { return strings.TrimSpace(ansi.Strip(s)) == "" }

// trimPadding drops spaces at the end of a styled line; the styles that follow them stay.
func trimPadding(s string) string {
	end := len(s)
	var tail []string
	for end > 0 {
		if s[end-1] == ' ' {
			end--
			continue
		}
		if s[end-1] != 'm' {
			break
		}
		i := strings.LastIndexByte(s[:end], '\x1b')
		if i < 0 || sgr(s[i:end]) != end-i {
			break
		}
		tail = append(tail, s[i:end])
		end = i
	}
	var b strings.Builder
	b.WriteString(s[:end])
	for i := len(tail) - 1; i >= 0; i-- {
		b.WriteString(tail[i])
	}
	return b.String()
}

// indent puts first before the first line and as many spaces before the others.
func indent(lines []string, first string) []string {
	space := strings.Repeat(" ", cells(first))
	out := make([]string, len(lines))
	for i, l := range lines {
		switch {
		case i == 0:
			out[i] = first + l
		case l == "":
			out[i] = ""
		default:
			out[i] = space + l
		}
	}
	return out
}

// asciiOnly replaces what a terminal without UTF-8 would garble, cell for cell.
func asciiOnly(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7e }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r <= 0x7e {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Repeat("?", cells(string(r))))
		}
	}
	return b.String()
}
