package tui

import (
	"fmt"
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

// maxDetail is how much of what a capsule says about its request is shown, in cells.
const maxDetail = 300

// dialog asks the person what the gate asks. One question is shown at a time.
type dialog struct {
	queue  []ask
	live   time.Time // from when on keys count
	chosen int       // index of a choice; -1 is none
	offset int       // first line shown
	deny   bool      // the reason for a denial is being typed
	reason input
}

// words are the answers as they are shown, and the order of keys.
var words = map[string]string{
	abi.DecisionApprove:          "Allow once",
	abi.DecisionApproveSession:   "Allow for this session",
	abi.DecisionApproveWorkspace: "Allow in this workspace",
	abi.DecisionApproveAlways:    "Always allow",
	abi.DecisionDeny:             "Deny",
}

func (d *dialog) open() bool { return len(d.queue) > 0 }

func (d *dialog) clear() { *d = dialog{} }

// push adds a question. One that nobody waits for any more is only mentioned.
func (d *dialog) push(m *Model, a ask) {
	if a.Queued {
		m.say("actions wait for a decision: astrid approvals", hintLong)
		return
	}
	for _, q := range d.queue {
		if q.RequestID == a.RequestID {
			return
		}
	}
	var known []offer
	denies := false
	for _, c := range a.Choices {
		if words[c.Choice] != "" {
			known = append(known, c)
			denies = denies || c.Choice == abi.DecisionDeny
		}
	}
	if !denies {
		known = append(known, offer{Choice: abi.DecisionDeny})
	}
	a.Choices = known
	d.queue = append(d.queue, a)
	if len(d.queue) == 1 {
		d.show(m)
	}
}

// show begins with the first question of the queue.
func (d *dialog) show(m *Model) {
	d.live, d.chosen, d.offset, d.deny = m.Now().Add(quiet), -1, 0, false
}

// next goes on with the next question.
func (d *dialog) next(m *Model) {
	d.queue = d.queue[1:]
	d.show(m)
}

// expire drops questions whose time is over; the gate has queued them.
func (d *dialog) expire(m *Model) {
	now := m.Now()
	for i := 0; i < len(d.queue); i++ {
		a := d.queue[i]
		if a.Deadline.IsZero() || now.Before(a.Deadline) {
			continue
		}
		m.notice("nobody decided in time about: " + printable(a.Action) + "; astrid approvals lists it")
		if i == 0 {
			d.next(m)
		} else {
			d.queue = append(d.queue[:i:i], d.queue[i+1:]...)
		}
		i--
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
	a := &d.queue[0]
	name := k.Keystroke()
	switch {
	case len(name) == 1 && name[0] >= '1' && int(name[0]-'1') < len(a.Choices):
		d.choose(m, int(name[0]-'1'))
	case name == "down" || name == "tab":
		d.choose(m, (d.chosen+1)%len(a.Choices))
	case name == "up" || name == "shift+tab":
		d.choose(m, (max(d.chosen, 0)+len(a.Choices)-1)%len(a.Choices))
	case name == "pgdown":
		d.offset += max(1, m.height/3)
	case name == "pgup":
		d.offset = max(0, d.offset-max(1, m.height/3))
	case name == "esc":
		for i, c := range a.Choices {
			if c.Choice == abi.DecisionDeny {
				d.choose(m, i)
			}
		}
	case name == "enter":
		d.enter(m)
	default:
		d.chosen, d.live = -1, now.Add(quiet) // somebody types something else
	}
}

func (d *dialog) choose(m *Model, i int) {
	d.chosen = i
	d.reveal(m)
}

func (d *dialog) enter(m *Model) {
	if d.chosen < 0 {
		return
	}
	a := d.queue[0]
	if a.Choices[d.chosen].Choice == abi.DecisionDeny {
		d.deny = true
		d.reason = newInput("why (optional; the agent is told)", maxFeedback)
		d.offset = 0
		d.reveal(m)
		return
	}
	d.decide(m, a.Choices[d.chosen].Choice, "")
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

// decide sends the answer. What it was stays visible in the conversation.
func (d *dialog) decide(m *Model, decision, reason string) {
	a := d.queue[0]
	m.Port.Answer(a.RequestID, a.Session, decision, reason)
	text := strings.ToLower(words[decision]) + ": " + printable(a.Action)
	if reason != "" {
		text += " (" + printable(reason) + ")"
	}
	m.notice(text)
	d.next(m)
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
	if len(d.queue) > 1 {
		text += fmt.Sprintf(" 1 of %d", len(d.queue))
	}
	if a.RiskLevel != "" {
		text += " " + t.dot + " risk " + oneLine(a.RiskLevel)
	}
	if !a.Deadline.IsZero() {
		left := max(0, a.Deadline.Sub(m.Now()))
		text += fmt.Sprintf(" %s %ds left", t.dot, int((left+time.Second-1)/time.Second))
	}
	text = cut(text+" ", m.width, t.ellipsis)
	return t.warn.Render(text + strings.Repeat(t.rule, max(0, m.width-cells(text))))
}

// content is what is asked and the choices, and where the chosen one begins and ends.
func (d *dialog) content(m *Model) (lines []string, chosen [2]int) {
	a, t := d.queue[0], m.theme
	add := func(label, text string) {
		if text = strings.TrimRight(printable(text), "\n"); text != "" {
			lines = append(lines, indent(wrap(text, m.width-11), t.muted.Render(pad(label, 10))+" ")...)
		}
	}
	add("capsule", a.Capsule)
	add("action", a.Action)
	add("resource", a.Resource)
	add("reason", a.Reason)
	rule := a.Rule
	if a.Source != "" {
		rule = strings.TrimSpace(rule + " (" + a.Source + ")")
	}
	add("rule", rule)
	if a.CostUSD > 0 {
		add("cost", fmt.Sprintf("up to $%.4f", a.CostUSD))
	}
	if a.Session != "" && a.Session != m.Session {
		add("session", a.Session+" (another one)")
	}
	// The capsule's own words come last and on lines of their own: they must not pass for ours.
	add("it says", cut(oneLine(a.Detail), maxDetail, t.ellipsis))
	lines = append(lines, "")
	for i, c := range a.Choices {
		begin := len(lines)
		sign, style := " ", t.bold
		if i == d.chosen {
			sign, style = t.cursor, t.selected
		}
		lines = append(lines, fmt.Sprintf("%s %s", sign, style.Render(cut(fmt.Sprintf("%d %s", i+1, words[c.Choice]), m.width-2, t.ellipsis))))
		if c.Grants != "" {
			for _, l := range wrap(printable(c.Grants), m.width-4) {
				lines = append(lines, "    "+t.muted.Render(l))
			}
		}
		if i == d.chosen {
			chosen = [2]int{begin, len(lines)}
		}
	}
	return lines, chosen
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
	return []string{t.muted.Render(cut("number or arrows choose "+t.dot+" enter decides", m.width, t.ellipsis))}
}
