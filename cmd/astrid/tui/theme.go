package tui

import (
	"image/color"
	"strings"

	"charm.land/glamour/v2"
	"charm.land/glamour/v2/ansi"
	"charm.land/glamour/v2/styles"
	"charm.land/lipgloss/v2"
)

// glyphs are the signs of the screen. Each is one cell wide.
type glyphs struct {
	user, answer, ok, failed, running, fold, more, rule, bar, dot, ellipsis, cursor string
	spinner                                                                         []string
}

var (
	unicodeGlyphs = glyphs{user: "❯", answer: "●", ok: "✓", failed: "✗", running: "○", fold: "▸", more: "↓", rule: "─",
		bar: "│", dot: "·", ellipsis: "…", cursor: "▸", spinner: []string{"⠋", "⠙", "⠸", "⠴", "⠦", "⠇"}}
	asciiGlyphs = glyphs{user: ">", answer: "*", ok: "+", failed: "x", running: "o", fold: ">", more: "v", rule: "-",
		bar: "|", dot: "-", ellipsis: "~", cursor: ">", spinner: []string{"|", "/", "-", "\\"}}
)

// theme holds the styles. Colours are left out by the program where the terminal or
// NO_COLOR wants none, so that nothing may be told by colour alone.
type theme struct {
	glyphs
	ascii    bool
	name     string // one of ThemeNames; "" is auto
	terminal *bool  // its background is dark; nil until it says
	dark     bool
	rev      int // changes when cached lines are out of date

	user, muted, accent, good, bad, warn, bold, selected lipgloss.Style

	md      *glamour.TermRenderer
	mdWidth int
}

// ThemeNames are the themes there are. auto follows the terminal's background.
var ThemeNames = []string{"auto", "dark", "light", "contrast", "mono"}

func newTheme(ascii bool, name string) *theme {
	t := &theme{ascii: ascii, glyphs: unicodeGlyphs, dark: true}
	if ascii {
		t.glyphs = asciiGlyphs
	}
	t.choose(name)
	return t
}

// background tells what the terminal's background is.
func (t *theme) background(dark bool) {
	t.terminal = &dark
	t.choose(t.name)
}

// choose takes a theme.
func (t *theme) choose(name string) {
	t.name = name
	switch {
	case name == "dark" || name == "light":
		t.dark = name == "dark"
	case t.terminal != nil:
		t.dark = *t.terminal
	}
	pick := lipgloss.LightDark(t.dark)
	fg := func(light, dark string) lipgloss.Style {
		var c color.Color = pick(lipgloss.Color(light), lipgloss.Color(dark))
		return lipgloss.NewStyle().Foreground(c)
	}
	t.rev++
	t.md = nil
	bold := lipgloss.NewStyle().Bold(true)
	t.bold, t.selected = bold, bold.Reverse(true)
	switch name {
	case "contrast": // nothing is dim, and colours are the strongest there are
		t.user, t.muted, t.accent = bold.Underline(true), lipgloss.NewStyle(), bold
		t.good, t.bad, t.warn = fg("22", "46").Bold(true), fg("88", "203").Bold(true).Underline(true), fg("94", "226").Bold(true)
	case "mono":
		t.user, t.muted, t.accent = bold, lipgloss.NewStyle(), bold
		t.good, t.bad, t.warn = lipgloss.NewStyle(), bold, bold
	default:
		t.user = fg("25", "75").Bold(true)
		t.muted = fg("242", "246")
		t.accent = fg("30", "80")
		t.good = fg("28", "78")
		t.bad = fg("160", "203")
		t.warn = fg("130", "221")
	}
}

// maxMarkdown is the largest block rendered as Markdown, in bytes; a larger one is shown as
// it is. Rendering takes time in proportion, and a frame must not wait for it.
const maxMarkdown = 64 << 10

// markdown renders a block for a width. ok is false if it has to be shown as it is.
func (t *theme) markdown(text string, width int) (lines []string, ok bool) {
	if len(text) > maxMarkdown || width < 8 {
		return nil, false
	}
	if t.md == nil || t.mdWidth != width {
		md, err := glamour.NewTermRenderer(glamour.WithStyles(t.markdownStyle()), glamour.WithWordWrap(width), glamour.WithPreservedNewLines())
		if err != nil {
			return nil, false
		}
		t.md, t.mdWidth = md, width
	}
	out, err := t.md.Render(showEntities(strings.ReplaceAll(text, "\t", strings.Repeat(" ", tabWidth))))
	if err != nil {
		return nil, false
	}
	return trimLines(onlyStyles(out)), true
}

func (t *theme) markdownStyle() ansi.StyleConfig {
	c := styles.LightStyleConfig
	switch {
	case t.ascii, t.name == "mono":
		c = styles.ASCIIStyleConfig
	case t.dark:
		c = styles.DarkStyleConfig
	}
	none := uint(0)
	c.Document.Margin, c.Document.BlockPrefix, c.Document.BlockSuffix = &none, "", ""
	c.Document.Color = nil // the terminal's own
	c.CodeBlock.Margin = &none
	c.H1.Prefix, c.H1.Suffix = "# ", ""
	c.H1.BackgroundColor, c.H1.Color = nil, nil
	c.Code.Prefix, c.Code.Suffix = "", ""
	c.Image.Format, c.ImageText.Format = "", "{{.text}}"
	if t.ascii {
		c.Item.BlockPrefix = "- "
	}
	return c
}

// trimLines splits rendered text, without the padding that fills its lines up and without
// empty lines at both ends.
func trimLines(s string) []string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = trimPadding(l)
	}
	for len(lines) > 0 && blank(lines[0]) {
		lines = lines[1:]
	}
	for len(lines) > 0 && blank(lines[len(lines)-1]) {
		lines = lines[:len(lines)-1]
	}
	return lines
}
