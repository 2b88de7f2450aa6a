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
	folds       []fold
	pastes      int
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
	if name := k.Keystroke(); name == "backspace" || name == "ctrl+h" {
		if from, ok := in.foldBefore(); ok { // a folded paste goes as a whole
			in.remove(from, in.cursor)
			return true
		}
	}
	return len(in.text)+len(k.Text) <= in.limit && in.key(k)
}

const (
	// A paste of that many lines or bytes is folded into a word that stands for it.
	foldLines = 6
	foldBytes = 1000
	// maxPasted is the longest text that is taken, folded or not, in bytes.
	maxPasted = 1 << 20
)

// fold is a pasted text that a word in the input stands for.
type fold struct{ word, text string }

// paste puts text at the cursor; a long one folded.
func (in *input) paste(s string) {
	in.save(false)
	lines := strings.Count(strings.TrimRight(s, "\n"), "\n") + 1
	if lines < foldLines && len(s) < foldBytes {
		in.insert(s)
		return
	}
	in.pastes++
	f := fold{fmt.Sprintf("[Pasted text #%d, %d lines]", in.pastes, lines), s}
	in.folds = append(in.folds, f)
	in.insert(f.word)
}

// foldBefore finds a folded paste that ends at the cursor.
func (in *input) foldBefore() (from int, ok bool) {
	for _, f := range in.folds {
		if strings.HasSuffix(in.text[:in.cursor], f.word) {
			return in.cursor - len(f.word), true
		}
	}
	return 0, false
}

// whole is the text with everything that was pasted.
func (in *input) whole() string {
	text := in.text
	for _, f := range in.folds {
		text = strings.Replace(text, f.word, f.text, 1)
	}
	return text
}

// clear empties the input, and forgets what was pasted.
func (in *input) clear() {
	in.set("")
	in.folds, in.undo = nil, nil
}

func (m *Model) paste(s string) {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	switch {
	case m.dialog.open():
		m.dialog.paste(m, s)
	case m.form.open():
		m.form.paste(m, s)
	case m.page != nil:
		if m.page.filtering {
			m.page.filter.insert(oneLine(cut(s, 200, "")))
			m.page.refilter(m, m.page.filter.text)
		}
	case len(s)+len(m.input.whole()) > maxPasted:
		m.say(fmt.Sprintf("the paste is too long (%s, the limit is %s): put it into a file and name that", byteCount(int64(len(s))), byteCount(maxPasted)), hintLong)
	default:
		m.input.paste(s)
		m.picker.update(m)
	}
}
