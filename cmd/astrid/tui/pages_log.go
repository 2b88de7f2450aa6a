package tui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/audit"
)

// auditSpec makes the page of the log: of this session, or of all.
func auditSpec(name, title string, other string) *pageSpec {
	verify := action{key: "v", label: "verify", all: true, run: func(m *Model, _ row) tea.Cmd { m.Port.Act(name, "verify", ""); return nil }}
	return &pageSpec{
		name: name, title: title, head: []string{"TIME", "SAYS", "CAPSULE", "CALL", "RESOURCE"},
		empty: "The log has no entries of this session yet.",
		take: func(m *Model, p *page, data any) {
			list, _ := data.([]audit.Entry)
			for i := range list {
				p.rows = append(p.rows, auditRow(m, &list[i]))
			}
		},
		detail: func(_ *Model, _ row, data any) []line {
			text, _ := data.(string)
			var out []line
			for _, l := range strings.Split(printable(text), "\n") {
				out = append(out, line{l, plain})
			}
			return out
		},
		actions: []action{verify, {key: "a", label: other, all: true, run: func(m *Model, _ row) tea.Cmd {
			if name == pageAudit {
				return m.open(auditAllPage)
			}
			return m.open(auditPage)
		}}},
	}
}

var auditPage, auditAllPage *pageSpec

// Each of the two leads to the other.
func init() {
	auditPage = auditSpec(pageAudit, "Audit log of this session", "all sessions")
	auditAllPage = auditSpec(pageAuditAll, "Audit log", "this session")
}

// auditRow is one entry of the log in a line.
func auditRow(m *Model, e *audit.Entry) row {
	says, what, about, tone := string(e.Kind), e.Function, e.Resource, plain
	switch {
	case e.Kind == audit.KindDecision:
		says = string(e.Verdict)
		if e.Verdict != audit.Allow {
			tone = bad
		}
	case e.Outcome != nil:
		says, what, about, tone = string(e.Outcome.Status), "outcome", e.Outcome.Text, muted
	default:
		what = e.Type
		if about == "" {
			about = e.Reason
		}
	}
	if what == "" {
		what = e.Action
	}
	return row{id: e.ID.String(), tone: tone, cells: []string{
		e.Time.In(m.Now().Location()).Format("15:04:05"), oneLine(says),
		strings.TrimPrefix(oneLine(e.Capsule), "astrid-capsule-"), strings.TrimPrefix(oneLine(what), "astrid_"), oneLine(about)}}
}

// why explains an entry of the log, or opens the log.
func (m *Model) why(id string) tea.Cmd {
	cmd := m.open(auditPage)
	if id != "" {
		m.page = &page{spec: auditAllPage, filter: newInput("filter", 200), loaded: true, inside: true,
			rows: []row{{id: id, cells: []string{"", "", "", "", id}}}}
		m.page.want(m)
	}
	return cmd
}

var sessionsPage = &pageSpec{
	name: pageSessions, title: "Sessions", head: []string{"USED", "PROMPTS", "WHAT"},
	empty: "There are no sessions yet.",
	take: func(m *Model, p *page, data any) {
		list, _ := data.([]abi.SessionInfo)
		for _, s := range list {
			sign, tone := "", plain
			if s.SessionID == m.Session {
				sign, tone = "* ", good
			} else if s.Workspace != "" && s.Workspace != m.Workspace {
				tone = muted
			}
			title := oneLine(s.Title)
			if title == "" {
				title = s.SessionID
			}
			p.rows = append(p.rows, row{id: s.SessionID, tone: tone, value: s, cells: []string{sign + age(s.UpdatedAt, m.Now()), fmt.Sprint(s.Prompts), title}})
		}
	},
	detail: func(m *Model, r row, data any) []line {
		s, _ := r.value.(abi.SessionInfo)
		out := append(facts("id", s.SessionID, "directory", s.Workspace, "begun", m.stamp(s.CreatedAt), "messages", fmt.Sprint(s.Messages)), line{"", plain})
		list, _ := data.([]abi.ChatMessage)
		if n := len(list) - maxPreviewed; n > 0 {
			out, list = append(out, line{fmt.Sprintf("(%d older messages)", n), muted}), list[n:]
		}
		for _, c := range list {
			out = append(out, preview(c)...)
		}
		return out
	},
	enter: func(m *Model, r row) tea.Cmd {
		s, _ := r.value.(abi.SessionInfo)
		return m.resume(r.id, s.Title)
	},
}

// maxPreviewed is how many messages of another session are shown.
const maxPreviewed = 40

// preview is a message in a few lines.
func preview(c abi.ChatMessage) []line {
	text, tone := c.Content.Text, plain
	switch {
	case c.Content.Calls != nil:
		for _, call := range c.Content.Calls {
			text += call.Name + " " + arguments(call.Arguments) + "\n"
		}
		tone = muted
	case c.Content.Result != nil:
		return nil
	case c.Role == abi.RoleUser:
		text, tone = "> "+text, strong
	case c.Role == abi.RoleSystem:
		return nil
	}
	for _, p := range c.Content.Parts {
		text += p.Text
	}
	lines := strings.Split(strings.TrimSpace(printable(text)), "\n")
	if len(lines) > 6 {
		lines = append(lines[:6], fmt.Sprintf("(%d more lines)", len(lines)-6))
	}
	var out []line
	for _, l := range lines {
		out = append(out, line{l, tone})
	}
	return out
}

// age is how long ago something was, roughly.
func age(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "?"
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// resume goes on with another session.
func (m *Model) resume(id, title string) tea.Cmd {
	m.page = nil
	if id == m.Session {
		return nil
	}
	if m.busy() {
		m.notice("the agent goes on with " + m.sessionName() + " in the background")
	}
	m.leave(id, title)
	m.opened = false // what comes is its history
	m.Port.Resume(id)
	return nil
}

// leave forgets what is on the screen for another session.
func (m *Model) leave(id, name string) {
	width, height := m.timeline.width, m.timeline.height
	m.Session, m.Name = id, name
	m.conversation = newConversation()
	m.timeline.width, m.timeline.height = width, height
	m.budget, m.stopping = budgetMsg{}, false
}
