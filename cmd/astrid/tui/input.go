package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
)

const (
	// maxInputRows is how tall the input may grow.
	maxInputRows = 8
	// maxInput is the longest prompt that can be typed or pasted, in bytes. Longer text
	// belongs in a file the agent can read.
	maxInput = 64 << 10
)

// input is where the person types.
type input struct {
	editor
	placeholder string
	limit       int // bytes
	tall        int // most rows
	top         int // first row shown
}

func newInput(placeholder string, limit int) input {
	in := input{placeholder: placeholder, limit: limit, tall: 1}
	in.set("")
	return in
}

func (in *input) empty() bool { return in.text == "" }

// fit gives the input its place: a screen of that size.
func (in *input) fit(width, tall int) {
	in.width = max(1, width-3) // the sign, and a cell for the cursor
	in.tall = max(1, tall)
}

func (in *input) height() int { return min(in.tall, len(in.rows())) }

// atTop and atBottom tell whether the cursor is on the first or last row, where the arrow
// keys leave the text for the history.
func (in *input) atTop() bool {
	row, _ := in.position()
	return row == 0
}

func (in *input) atBottom() bool {
	row, _ := in.position()
	return row == len(in.rows())-1
}

// lines draws the input and returns where the cursor is in it.
func (in *input) lines(t *theme) (lines []string, x, y int) {
	rows := in.rows()
	row, col := in.position()
	h := in.height()
	in.top = max(0, min(in.top, len(rows)-h, row))
	if row >= in.top+h {
		in.top = row - h + 1
	}
	for i := in.top; i < in.top+h; i++ {
		sign := "  "
		if i == 0 {
			sign = t.user.Render(t.glyphs.user) + " "
		}
		lines = append(lines, sign+in.text[rows[i].start:rows[i].end])
	}
	if in.text == "" {
		lines[0] += t.muted.Render(cut(in.placeholder, in.width, t.ellipsis))
	}
	return lines, 2 + col, row - in.top
}

// typed hands a key to the editor, unless the text is as long as it may be.
func (in *input) typed(k tea.KeyPressMsg) bool {
	return len(in.text)+len(k.Text) <= in.limit && in.key(k)
}

func (m *Model) paste(s string) {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	if m.dialog.open() {
		m.dialog.paste(m, s)
		return
	}
	if m.page != nil {
		return // nothing there takes text of several lines
	}
	if len(s)+len(m.input.text) > maxInput {
		m.say(fmt.Sprintf("the paste is too long (%d KiB, the limit is %d): put it into a file and name that", len(s)>>10, maxInput>>10), hintLong)
		return
	}
	m.input.insert(s)
	m.palette.update(m)
}
