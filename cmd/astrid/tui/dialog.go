package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
)

// quiet is how long nothing may be typed before a dialog takes keys. It starts when the
// dialog opens and again with each key that is none of its own: somebody who is typing a
// prompt answers nothing by accident.
const quiet = 500 * time.Millisecond

// maxFeedback is the longest reason for a denial, in bytes.
const maxFeedback = 2000

// riskCritical is what the gate calls an action that may cost everything.
const riskCritical = "critical"

// maxDetail is how much of what a capsule says about its request is shown, in cells.
const maxDetail = 300

// dialog asks the person what the gate asks. One question is shown at a time, or all that
// wait, to answer them together.
type dialog struct {
	queue  []ask
	live   time.Time // from when on keys count
	chosen string    // the decision that Enter makes; "" is none
	offset int       // first line shown
	deny   bool      // the reason for a denial is being typed
	reason input
	batch  []string // requests that are answered together; nil is the first one alone
}

// answer is one way to decide. Its key never changes, whatever else is offered: a habit must
// not grant what it did not mean. Deny is far from the others.
type answer struct{ key, decision, word, each string }

var answers = []answer{
	{"1", abi.DecisionApprove, "Allow once", "Allow each of them once"},
	{"2", abi.DecisionApproveSession, "Allow for this session", ""},
	{"3", abi.DecisionApproveWorkspace, "Allow in this workspace", ""},
	{"4", abi.DecisionApproveAlways, "Always allow", ""},
	{"0", abi.DecisionDeny, "Deny", "Deny all of them"},
}

// word is a decision as it is shown; "" is one that this program does not know.
func word(decision string) string {
	for _, a := range answers {
		if a.decision == decision {
			return a.word
		}
	}
	return ""
}

// choice is an answer that can be given now, and what it grants.
type choice struct {
	answer
	grants string
}

// choices lists what can be answered now, in the order of the keys. Deny always can.
func (d *dialog) choices() []choice {
	var out []choice
	for _, a := range answers {
		if d.batch != nil {
			if a.each != "" {
				out = append(out, choice{answer: a})
			}
			continue
		}
		i := slices.IndexFunc(d.queue[0].Choices, func(o offer) bool { return o.Choice == a.decision })
		switch {
		case i >= 0:
			out = append(out, choice{a, d.queue[0].Choices[i].Grants})
		case a.decision == abi.DecisionDeny:
			out = append(out, choice{answer: a})
		}
	}
	return out
}

func (d *dialog) open() bool { return len(d.queue) > 0 }

func (d *dialog) clear() { *d = dialog{} }

// push adds a question. One that nobody waits for any more is only mentioned.
func (d *dialog) push(m *Model, a ask) {
	if a.Queued {
		m.say("actions wait for a decision: /approvals", hintLong)
		return
	}
	for _, q := range d.queue {
		if q.RequestID == a.RequestID {
			return
		}
	}
	d.queue = append(d.queue, a)
	if len(d.queue) == 1 {
		d.show(m)
	}
}

// show begins with the first question of the queue.
func (d *dialog) show(m *Model) {
	d.live, d.chosen, d.offset, d.deny, d.batch = m.Now().Add(quiet), "", 0, false, nil
}

// drop takes a question out of the queue: it is answered, or nobody waits for it any more.
func (d *dialog) drop(m *Model, id string) {
	i := slices.IndexFunc(d.queue, func(a ask) bool { return a.RequestID == id })
	if i < 0 {
		return
	}
	d.queue = slices.Delete(d.queue, i, i+1)
	if d.batch != nil {
		d.batch = slices.DeleteFunc(d.batch, func(b string) bool { return b == id })
	}
	if i == 0 && d.batch == nil || d.batch != nil && len(d.batch) == 0 {
		d.show(m)
	}
}

// withdrawn closes a question that was answered elsewhere or whose asker is gone.
func (d *dialog) withdrawn(m *Model, id string) {
	for _, a := range d.queue {
		if a.RequestID == id {
			m.notice("no longer asked: " + printable(a.Action))
			d.drop(m, id)
			return
		}
	}
}

// expire drops questions whose time is over; the gate has queued them.
func (d *dialog) expire(m *Model) {
	now := m.Now()
	for _, a := range slices.Clone(d.queue) {
		if !a.Deadline.IsZero() && !now.Before(a.Deadline) {
			m.notice("nobody decided in time about: " + printable(a.Action) + "; /approvals lists it")
			d.drop(m, a.RequestID)
		}
	}
}

// key takes a key while the dialog is open.
func (d *dialog) key(m *Model, k tea.KeyPressMsg) {
	now := m.Now()
	if now.Before(d.live) {
		d.live = now.Add(quiet)
		return
	}
	if d.deny {
		d.reasonKey(m, k)
		return
	}
	name := k.Keystroke()
	list := d.choices()
	at := slices.IndexFunc(list, func(c choice) bool { return c.decision == d.chosen })
	if i := slices.IndexFunc(list, func(c choice) bool { return c.key == name }); i >= 0 {
		d.choose(m, list[i].decision)
		return
	}
	switch name {
	case "down", "tab":
		d.choose(m, list[(at+1)%len(list)].decision)
	case "up", "shift+tab":
		d.choose(m, list[(max(at, 0)+len(list)-1)%len(list)].decision)
	case "pgdown":
		d.offset += max(1, m.height/3)
	case "pgup":
		d.offset = max(0, d.offset-max(1, m.height/3))
	case "esc":
		if d.batch != nil {
			d.show(m)
			return
		}
		d.choose(m, abi.DecisionDeny)
	case "b":
		if d.batch == nil && len(d.queue) > 1 {
			d.together(m)
		}
	case "enter":
		d.enter(m)
	default:
		d.chosen, d.live = "", now.Add(quiet) // somebody types something else
	}
}

// together shows all that waits now. What is asked later is not part of the answer.
func (d *dialog) together(m *Model) {
	d.show(m)
	for _, a := range d.queue {
		d.batch = append(d.batch, a.RequestID)
	}
}

func (d *dialog) choose(m *Model, decision string) {
	d.chosen = decision
	d.reveal(m)
}

func (d *dialog) enter(m *Model) {
	switch d.chosen {
	case "":
	case abi.DecisionDeny:
		d.deny = true
		d.reason = newInput("why (optional; the agent is told)", maxFeedback)
		d.offset = 0
		d.reveal(m)
	default:
		d.decide(m, d.chosen, "")
	}
}

func (d *dialog) reasonKey(m *Model, k tea.KeyPressMsg) {
	switch k.Keystroke() {
	case "enter":
		d.decide(m, abi.DecisionDeny, strings.TrimSpace(d.reason.text))
		return
	case "esc":
		d.deny = false
		return
	}
	d.reason.typed(k)
}

func (d *dialog) paste(m *Model, s string) {
	if d.deny && !m.Now().Before(d.live) && len(s)+len(d.reason.text) <= maxFeedback {
		d.reason.insert(oneLine(s))
	}
}

// decide sends the answer. What it was stays visible in the conversation. A critical action
// is never allowed along with others.
func (d *dialog) decide(m *Model, decision, reason string) {
	ids := d.batch
	if ids == nil {
		ids = []string{d.queue[0].RequestID}
	}
	left := 0
	for _, a := range slices.Clone(d.queue) {
		if !slices.Contains(ids, a.RequestID) {
			continue
		}
		if d.batch != nil && decision != abi.DecisionDeny && a.RiskLevel == riskCritical {
			left++
			continue
		}
		m.Port.Answer(a.RequestID, a.Session, decision, reason)
		text := strings.ToLower(word(decision)) + ": " + printable(a.Action)
		if reason != "" {
			text += " (" + printable(reason) + ")"
		}
		m.notice(text)
		d.queue = slices.DeleteFunc(d.queue, func(q ask) bool { return q.RequestID == a.RequestID })
	}
	if left > 0 {
		m.notice(fmt.Sprintf("%d critical actions want a decision of their own", left))
	}
	d.show(m)
}

// lines draws the dialog, at most height lines.
func (d *dialog) lines(m *Model, height int) []string {
	all, _ := d.content(m)
	foot := d.foot(m)
	room := max(1, height-1-len(foot))
	d.offset = max(0, min(d.offset, len(all)-room))
	out := []string{d.title(m)}
	end := min(len(all), d.offset+room)
	out = append(out, all[d.offset:end]...)
	if end < len(all) && len(out) > 1 {
		out[len(out)-1] = m.theme.warn.Render(cut(fmt.Sprintf("%s %d more lines (PgDn)", m.theme.more, len(all)-end+1), m.width, m.theme.ellipsis))
	}
	return append(out, foot...)
}

func (d *dialog) title(m *Model) string {
	a, t := d.queue[0], m.theme
	text := fmt.Sprintf("%s%s Approval", t.rule, t.rule)
	switch {
	case d.batch != nil:
		text += fmt.Sprintf(" of %d together", len(d.batch))
	case len(d.queue) > 1:
		text += fmt.Sprintf(" 1 of %d", len(d.queue))
	}
	if a.RiskLevel != "" && d.batch == nil {
		text += " " + t.dot + " risk " + oneLine(a.RiskLevel)
	}
	if !a.Deadline.IsZero() {
		left := max(0, a.Deadline.Sub(m.Now()))
		text += fmt.Sprintf(" %s %ds left", t.dot, int((left+time.Second-1)/time.Second))
	}
	text = cut(text+" ", m.width, t.ellipsis)
	style := t.warn
	if d.batch == nil && (a.RiskLevel == riskCritical || a.RiskLevel == "high") {
		style = t.bad
	}
	return style.Render(text + strings.Repeat(t.rule, max(0, m.width-cells(text))))
}

// reveal scrolls to the chosen line.
func (d *dialog) reveal(m *Model) {
	all, chosen := d.content(m)
	room := max(1, m.dialogHeight()-1-len(d.foot(m)))
	if len(all) <= room {
		d.offset = 0
		return
	}
	if chosen[1] >= d.offset+room {
		d.offset = chosen[1] - room + 1 // the last row may say that there is more
	}
	d.offset = max(0, min(d.offset, chosen[0]))
}

func (d *dialog) foot(m *Model) []string {
	t := m.theme
	if d.deny {
		d.reason.fit(m.width, 1)
		lines, _, _ := d.reason.lines(t)
		return []string{lines[0], t.muted.Render(cut("enter denies "+t.dot+" esc back", m.width, t.ellipsis))}
	}
	hint := "number or arrows choose " + t.dot + " enter decides"
	switch {
	case d.batch != nil:
		hint += " " + t.dot + " esc one by one"
	case len(d.queue) > 1:
		hint += " " + t.dot + " b all " + fmt.Sprint(len(d.queue))
	}
	return []string{t.muted.Render(cut(hint, m.width, t.ellipsis))}
}
