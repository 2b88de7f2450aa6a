package cli

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
)

// diffReport is the JSON of astrid diff.
type diffReport struct {
	Session   string       `json:"session"`
	Workspace string       `json:"workspace"`
	Changes   []diffChange `json:"changes"`
}

type diffChange struct {
	abi.OverlayChange
	Insertions int `json:"insertions"` // lines
	Deletions  int `json:"deletions"`
	// Binary: the lines were not compared; also a file above 4 MiB.
	Binary bool `json:"binary"`
}

// numbers prints the changes with the number of lines.
func (o *diffOptions) numbers(ctx context.Context, v *overlayView, list []abi.OverlayChange) error {
	stats := patchStats{}
	err := v.patch(ctx, list, func(text string) error {
		stats.read(text)
		return nil
	})
	if err != nil {
		return err
	}
	report := diffReport{v.Session, v.Workspace, []diffChange{}}
	for _, c := range list {
		d := diffChange{OverlayChange: c}
		if s := stats[c.Path]; s != nil {
			d.Insertions, d.Deletions, d.Binary = s.ins, s.del, s.binary
		}
		report.Changes = append(report.Changes, d)
	}
	if o.json {
		return writeJSON(o.sys.Stdout, report)
	}
	return o.write(v.statText(report.Changes, o.sys.IsTerminal(o.sys.Stdout) && o.sys.colour()))
}

// statBar is the length of the longest bar, in characters.
const statBar = 40

func (v *overlayView) statText(list []diffChange, colour bool) string {
	if len(list) == 0 {
		return ""
	}
	width, most, ins, del := 0, 0, 0, 0
	for _, c := range list {
		width = max(width, utf8.RuneCountInString(v.shown(c.OverlayChange)))
		most = max(most, c.Insertions+c.Deletions)
		ins, del = ins+c.Insertions, del+c.Deletions
	}
	digits := len(fmt.Sprint(most))
	var b strings.Builder
	for _, c := range list {
		name := v.shown(c.OverlayChange)
		fmt.Fprintf(&b, " %s%s | %s%s\n", name, strings.Repeat(" ", width-utf8.RuneCountInString(name)), c.amount(digits, most, colour), c.remark())
	}
	fmt.Fprintf(&b, " %s changed, %s(+), %s(-)\n", count(len(list), "file"), count(ins, "insertion"), count(del, "deletion"))
	return b.String()
}

// amount is how much changed: lines with a bar, or bytes.
func (c diffChange) amount(digits, most int, colour bool) string {
	if isDirectory(c.OverlayChange) {
		return "directory"
	}
	if c.Binary {
		return fmt.Sprintf("Bin %d -> %d bytes", c.OldSize, c.NewSize)
	}
	plus, minus := bar(c.Insertions, most), bar(c.Deletions, most)
	if colour && plus != "" {
		plus = green + plus + plain
	}
	minus = strings.ReplaceAll(minus, "+", "-")
	if colour && minus != "" {
		minus = red + minus + plain
	}
	return strings.TrimRight(fmt.Sprintf("%*d %s%s", digits, c.Insertions+c.Deletions, plus, minus), " ")
}

// bar is n in scale with the longest; what is there at all has at least one character.
func bar(n, most int) string {
	if most > statBar && n > 0 {
		n = max(1, n*statBar/most)
	}
	return strings.Repeat("+", n)
}

// remark says what is not about lines.
func (c diffChange) remark() string {
	switch {
	case c.Op == "added":
		return " (new)"
	case c.Op == "deleted":
		return " (gone)"
	case c.OldKind != c.NewKind:
		return fmt.Sprintf(" (%s -> %s)", c.OldKind, c.NewKind)
	case c.OldMode != c.NewMode && c.NewKind != "symlink":
		return fmt.Sprintf(" (mode %s -> %s)", c.OldMode, c.NewMode)
	}
	return ""
}
