package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
)

// maxAnswer is the longest answer to a capsule's question, in bytes.
const maxAnswer = 4096

type (
	// elicitMsg is a question of a capsule that is being installed.
	elicitMsg abi.ElicitRequestEvent
	// elicitGoneMsg: it needs no answer any more.
	elicitGoneMsg abi.ElicitWithdrawn
	// elicitedMsg tells what became of an answer; after an error the question is still open.
	elicitedMsg struct {
		id  string
		err error
	}
)

// form asks the person what capsules ask, one question at a time.
type form struct {
	queue   []elicitMsg
	live    time.Time // from when on keys count, as in a dialog
	input   input
	chosen  int      // of the choices
	values  []string // of a list, so far
	sending bool
	problem string
}

func (f *form) open() bool { return len(f.queue) > 0 }

func (f *form) push(m *Model, q elicitMsg) {
	if slices.ContainsFunc(f.queue, func(o elicitMsg) bool { return o.RequestID == q.RequestID }) {
		return
	}
	f.queue = append(f.queue, q)
	if len(f.queue) == 1 {
		f.show(m)
	}
}

func (f *form) show(m *Model) {
	queue := f.queue
	*f = form{queue: queue, live: m.Now().Add(quiet)}
	if len(queue) == 0 {
		return
	}
	q := queue[0].Field
	f.input = newInput(oneLine(q.Placeholder), maxAnswer)
	switch q.FieldType.Name {
	case "Text":
		f.input.set(oneLine(q.Default))
	case "Enum":
		f.chosen = max(0, slices.Index(q.FieldType.Enum, q.Default))
	}
}

// drop closes a question.
func (f *form) drop(m *Model, id string) {
	i := slices.IndexFunc(f.queue, func(q elicitMsg) bool { return q.RequestID == id })
	if i < 0 {
		return
	}
	f.queue = slices.Delete(f.queue, i, i+1)
	if i == 0 {
		f.show(m)
	}
}

func (f *form) answered(m *Model, msg elicitedMsg) {
	if len(f.queue) == 0 || f.queue[0].RequestID != msg.id {
		return
	}
	if msg.err == nil {
		f.drop(m, msg.id)
		return
	}
	f.sending, f.problem = false, printable(msg.err.Error())
}

func (f *form) key(m *Model, k tea.KeyPressMsg) {
	now := m.Now()
	if now.Before(f.live) || f.sending {
		f.live = now.Add(quiet)
		return
	}
	q, name := f.queue[0], k.Keystroke()
	kind := q.Field.FieldType.Name
	f.problem = ""
	switch {
	case name == "esc":
		f.send(m, abi.ElicitResponse{})
	case kind == "Enum":
		n := len(q.Field.FieldType.Enum)
		switch {
		case n == 0:
			f.problem = "it offers nothing to choose: esc gives no answer"
		case name == "up" || name == "shift+tab":
			f.chosen = (f.chosen + n - 1) % n
		case name == "down" || name == "tab":
			f.chosen = (f.chosen + 1) % n
		case name == "enter":
			f.send(m, abi.ElicitResponse{Value: &q.Field.FieldType.Enum[f.chosen]})
		}
	case name == "enter" && kind == "Array":
		if text := strings.TrimSpace(f.input.text); text != "" {
			f.values = append(f.values, text)
			f.input.clear()
			return
		}
		f.send(m, abi.ElicitResponse{Values: append([]string{}, f.values...)})
	case name == "enter":
		text := f.input.text
		if text == "" {
			text = q.Field.Default
		}
		if text == "" {
			f.problem = "type an answer; esc gives none"
			return
		}
		f.send(m, abi.ElicitResponse{Value: &text})
	case name == "backspace" && kind == "Array" && f.input.empty() && len(f.values) > 0:
		f.values = f.values[:len(f.values)-1]
	case name != "up" && name != "down":
		f.input.typed(k)
	}
}

func (f *form) paste(m *Model, s string) {
	if s = oneLine(s); !m.Now().Before(f.live) && !f.sending && len(s)+len(f.input.text) <= maxAnswer {
		f.input.insert(s)
	}
}

func (f *form) send(m *Model, r abi.ElicitResponse) {
	r.RequestID = f.queue[0].RequestID
	f.sending = true
	f.input.clear()
	m.Port.Elicit(r)
}

// lines draws the form, at most height lines, and returns where the cursor is in it.
func (f *form) lines(m *Model, height int) (lines []string, x, y int) {
	q, t := f.queue[0], m.theme
	text := fmt.Sprintf("%s%s Question of %s", t.rule, t.rule, oneLine(q.CapsuleID))
	if len(f.queue) > 1 {
		text += fmt.Sprintf(" %s 1 of %d", t.dot, len(f.queue))
	}
	text = cut(text+" ", m.width, t.ellipsis)
	head := t.warn.Render(text + strings.Repeat(t.rule, max(0, m.width-cells(text))))
	var body []string
	for _, s := range []string{q.Field.Prompt, q.Field.Description} {
		if s = oneLine(cut(s, maxDetail, t.ellipsis)); s != "" {
			body = append(body, indent(wrap(s, m.width-11), t.muted.Render(pad("it asks", 10))+" ")...)
		}
	}
	hint := "enter answers " + t.dot + " esc gives no answer"
	switch q.Field.FieldType.Name {
	case "Secret":
		hint += " " + t.dot + " it is not shown"
	case "Array":
		hint = "enter adds " + t.dot + " enter on nothing ends the list " + t.dot + " esc gives no answer"
		for i, v := range f.values {
			body = append(body, cut(fmt.Sprintf("  %d %s", i+1, v), m.width, t.ellipsis))
		}
	}
	if f.problem != "" {
		body = append(body, styled(wrap(f.problem, m.width), t.bad)...)
	}
	foot := t.muted.Render(cut(hint, m.width, t.ellipsis))
	if f.sending {
		foot = t.muted.Render("sending")
	}
	var entry []string
	x, y = -1, -1
	if q.Field.FieldType.Name == "Enum" {
		entry = f.choices(m, max(1, height-2-len(body)))
	} else {
		in := f.input
		if q.Field.FieldType.Name == "Secret" {
			n := strings.Count(in.text[:in.cursor], "")
			in.text, in.cursor = strings.Repeat("*", strings.Count(in.text, "")-1), n-1
			in.cache = nil
		}
		in.fit(m.width, 1)
		entry, x, y = in.lines(t)
	}
	if room := max(1, height-2-len(entry)); len(body) > room {
		body = body[len(body)-room:]
	}
	lines = append([]string{head}, body...)
	if y >= 0 {
		y += len(lines)
	}
	return append(append(lines, entry...), foot), x, y
}

func (f *form) choices(m *Model, room int) (out []string) {
	t, list := m.theme, f.queue[0].Field.FieldType.Enum
	n := min(len(list), room)
	from := max(0, min(f.chosen-n+1, len(list)-n))
	for i := from; i < from+n; i++ {
		text := cut("  "+oneLine(list[i]), m.width, t.ellipsis)
		if i == f.chosen {
			text = t.selected.Render(cut(t.cursor+" "+oneLine(list[i]), m.width, t.ellipsis))
		}
		out = append(out, text)
	}
	return out
}
