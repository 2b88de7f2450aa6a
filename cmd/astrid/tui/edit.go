package tui

import (
	"encoding/json"
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/aymanbagabas/go-udiff"
)

// maxEdit is the largest text that a change is worked out of, in bytes.
const maxEdit = 256 << 10

// change is what a call says it does to a file. It is the model's word, not the file system's:
// /diff shows what was written.
type change struct {
	path    string
	lines   []string // unified: each with +, -, space or @@
	added   int
	removed int
}

// changeOf reads a call's arguments: the whole content of a file, or a text in place of another.
func changeOf(raw json.RawMessage) *change {
	var args struct {
		FilePath  *string `json:"file_path"`
		Path      *string `json:"path"`
		Content   *string `json:"content"`
		OldString *string `json:"old_string"`
		NewString *string `json:"new_string"`
	}
	if len(raw) > maxEdit || json.Unmarshal(raw, &args) != nil {
		return nil
	}
	if args.FilePath == nil {
		args.FilePath = args.Path
	}
	if args.FilePath == nil {
		return nil
	}
	var before, after string
	switch {
	case args.OldString != nil && args.NewString != nil:
		before, after = *args.OldString, *args.NewString
	case args.Content != nil:
		after = *args.Content
	default:
		return nil
	}
	c := &change{path: oneLine(*args.FilePath)}
	text := udiff.Unified("a", "b", withNewline(before), withNewline(after))
	for i, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case i < 2 || strings.HasPrefix(l, "@@") && len(c.lines) == 0:
			continue // the names, and a place that is only that of the excerpt
		case strings.HasPrefix(l, "+"):
			c.added++
		case strings.HasPrefix(l, "-"):
			c.removed++
		case strings.HasPrefix(l, "@@"):
			l = "@@"
		}
		c.lines = append(c.lines, printable(l))
	}
	return c
}

func withNewline(s string) string {
	if s != "" && !strings.HasSuffix(s, "\n") {
		return s + "\n"
	}
	return s
}

// summary is the file and how much of it changes.
func (c *change) summary() string { return fmt.Sprintf("%s +%d -%d", c.path, c.added, c.removed) }

// paintDiff colours the lines of a unified diff, each cut to width cells.
func paintDiff(t *theme, lines []string, width int) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		var style lipgloss.Style
		switch {
		case strings.HasPrefix(l, "+++"), strings.HasPrefix(l, "---"), strings.HasPrefix(l, "diff "):
			style = t.bold
		case strings.HasPrefix(l, "+"):
			style = t.good
		case strings.HasPrefix(l, "-"):
			style = t.bad
		case strings.HasPrefix(l, "@@"):
			style = t.accent
		default:
			style = t.muted
		}
		out[i] = style.Render(cut(l, width, t.ellipsis))
	}
	return out
}

// edit returns the change as painted lines.
func (c *toolCard) edit(t *theme, width int) []string {
	if c.change == nil {
		return nil
	}
	return paintDiff(t, c.change.lines, width)
}

// running lists the calls that have no result yet, oldest first.
func (c *conversation) running() (out []*item) {
	for i := len(c.items) - 1; i >= 0 && c.items[i].kind != kindUser; i-- {
		if it := c.items[i]; it.kind == kindTool && !it.tool.done && !it.tool.cut {
			out = append([]*item{it}, out...)
		}
	}
	return out
}
