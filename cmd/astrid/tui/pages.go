package tui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Names of pages: of their commands, and of what is asked of the link for them.
const (
	pageDiff      = "diff"
	pageCaps      = "caps"
	pageBudget    = "budget"
	pageCapsules  = "capsules"
	pageApprovals = "approvals"
	pageMode      = "mode"
	pageModel     = "model"
	pageAudit     = "audit"
	pageAuditAll  = "audit all"
	pageSessions  = "sessions"
	pageFiles     = "files"
)

var diffPage = &pageSpec{
	name: pageDiff, title: "Changes of this session", head: []string{"", "FILE", "SIZE"},
	empty: "The session changed nothing that is not committed.",
	take: func(m *Model, p *page, data any) {
		list, _ := data.([]abi.OverlayChange)
		for _, c := range list {
			sign, tone := map[string]string{"added": "A", "deleted": "D"}[c.Op], map[string]tone{"added": good, "deleted": bad}[c.Op]
			if sign == "" {
				sign = "M"
			}
			size := byteCount(c.NewSize)
			if c.Op == "deleted" {
				size = byteCount(c.OldSize)
			}
			if c.Conflict != "" {
				size, tone = "conflict: "+oneLine(c.Conflict), warn
			}
			p.rows = append(p.rows, row{id: c.Path, cells: []string{sign, oneLine(c.Path), size}, tone: tone, value: c})
		}
		if len(list) > 0 {
			p.head = []string{"Your files are as they were until you commit."}
		}
	},
	detail: func(_ *Model, _ row, data any) []line {
		text, _ := data.(string)
		var out []line
		for _, l := range strings.Split(strings.TrimRight(printable(text), "\n"), "\n") {
			out = append(out, line{l, diffLine})
		}
		return out
	},
	actions: []action{
		{key: "c", label: "commit", run: func(m *Model, r row) tea.Cmd { m.Port.Act(pageDiff, "commit", r.id); return nil }},
		{key: "C", label: "commit all", all: true, confirm: "Commit everything?", run: func(m *Model, _ row) tea.Cmd { m.Port.Act(pageDiff, "commit", ""); return nil }},
		{key: "d", label: "discard", confirm: "Forget this change?", run: func(m *Model, r row) tea.Cmd { m.Port.Act(pageDiff, "discard", r.id); return nil }},
		{key: "D", label: "discard all", all: true, confirm: "Forget all changes?", run: func(m *Model, _ row) tea.Cmd { m.Port.Act(pageDiff, "discard", ""); return nil }},
	},
}

var capsPage = &pageSpec{
	name: pageCaps, title: "What needs no question", head: []string{"CAPSULE", "SCOPE", "PATTERN"},
	empty: "Nothing is permitted without a question, apart from what the mode allows.",
	take: func(m *Model, p *page, data any) {
		list, _ := data.([]abi.GrantInfo)
		for _, g := range list {
			tone := plain
			if g.Status != "active" {
				tone = muted
			}
			owner := strings.TrimPrefix(oneLine(g.Capsule), "astrid-capsule-")
			if owner == "" {
				owner = "every capsule"
			}
			uses := ""
			if g.MaxUses > 0 {
				uses = fmt.Sprintf("%d of %d", g.Used, g.MaxUses)
			}
			p.rows = append(p.rows, row{id: g.ID, cells: []string{owner, oneLine(g.Scope), oneLine(g.Pattern)}, tone: tone, value: g, lines: facts(
				"id", g.ID, "kind", g.Kind, "capsule", g.Capsule, "scope", g.Scope, "session", g.Session, "workspace", g.Workspace, "pattern", g.Pattern,
				"permits", strings.Join(g.Permissions, ", "), "status", g.Status, "problem", g.Problem, "created", m.stamp(g.CreatedAt), "expires", m.stamp(g.ExpiresAt),
				"revoked", m.stamp(g.RevokedAt), "used", uses, "audit entry", g.AuditID)})
		}
	},
	actions: []action{
		{key: "x", label: "revoke", confirm: "Revoke it?", run: func(m *Model, r row) tea.Cmd { m.Port.Act(pageCaps, "revoke", r.id); return nil }},
		{key: "w", label: "why", run: func(m *Model, r row) tea.Cmd {
			g, _ := r.value.(abi.GrantInfo)
			return m.why(g.AuditID)
		}},
	},
}

var budgetPage = &pageSpec{
	name: pageBudget, title: "Budget", head: []string{"", "SPENT", "RESERVED", "LEFT", "NAME"},
	empty: "Nothing was spent.",
	take: func(m *Model, p *page, data any) {
		b, _ := data.(abi.BudgetInfo)
		for _, l := range b.Limits {
			max := "unlimited"
			if l.MaxUSD > 0 {
				max = fmt.Sprintf("$%.2f", l.MaxUSD)
			}
			p.head = append(p.head, fmt.Sprintf("limit %-12s %-10s %s", oneLine(l.Name), max, oneLine(l.Source)))
		}
		for _, t := range b.Totals {
			left, tone := "unlimited", plain
			if t.MaxUSD > 0 {
				rest := t.MaxUSD - t.SpentUSD - t.ReservedUSD
				left = fmt.Sprintf("$%.4f", max(0, rest))
				if used := 100 * (t.SpentUSD + t.ReservedUSD) / t.MaxUSD; b.WarnAtPercent > 0 && used >= float64(b.WarnAtPercent) {
					tone = warn
				}
			}
			name := oneLine(t.Name)
			if t.Scope == "session" && t.Name == m.Session {
				name += " (this one)"
			}
			p.rows = append(p.rows, row{id: t.Scope + " " + t.Name, tone: tone, cells: []string{oneLine(t.Scope), fmt.Sprintf("$%.4f", t.SpentUSD), fmt.Sprintf("$%.4f", t.ReservedUSD), left, name}})
		}
	},
}

var capsulesPage = &pageSpec{
	name: pageCapsules, title: "Capsules", head: []string{"CAPSULE", "STATE", "CPU", "MEMORY", "HANDLED", "FAILED"},
	empty: "No capsule is installed: astrid init installs a distribution.",
	take: func(m *Model, p *page, data any) {
		st, _ := data.(abi.DaemonStatus)
		p.head = []string{fmt.Sprintf("daemon %d, version %s, up %s, %s, %s", st.PID, oneLine(st.Version),
			duration(time.Duration(st.UptimeSecs)*time.Second), counted(uint64(st.ConnectedClients), "client"), counted(st.Bus.Published, "message"))}
		for _, c := range st.Capsules {
			tone := plain
			switch c.State {
			case "failed", "refused":
				tone = bad
			case "loading", "stopped", "disabled":
				tone = muted
			}
			p.rows = append(p.rows, row{id: c.Name, tone: tone, value: c,
				cells: []string{strings.TrimPrefix(oneLine(c.Name), "astrid-capsule-"), oneLine(c.State), duration(time.Duration(c.CPUMicros) * time.Microsecond), byteCount(int64(c.MemoryBytes)), fmt.Sprint(c.Handled), fmt.Sprint(c.Failed)},
				lines: facts("name", c.Name, "version", c.Version, "state", c.State, "reason", c.Reason, "directory", c.Dir, "instances", fmt.Sprint(c.Instances),
					"cpu", duration(time.Duration(c.CPUMicros)*time.Microsecond), "memory", byteCount(int64(c.MemoryBytes)), "waiting", fmt.Sprint(c.Queued),
					"handled", fmt.Sprint(c.Handled), "failed", fmt.Sprint(c.Failed), "rejected", fmt.Sprint(c.Rejected)+" (mailbox full)")})
		}
	},
}

var approvalsPage = &pageSpec{
	name: pageApprovals, title: "Waiting for a decision", head: []string{"RISK", "CAPSULE", "ACTION"},
	empty: "Nothing waits for a decision.",
	take: func(m *Model, p *page, data any) {
		list, _ := data.([]abi.ApprovalInfo)
		for _, a := range list {
			tone := plain
			if a.Risk == riskCritical || a.Risk == "high" {
				tone = bad
			}
			cost := ""
			if a.CostUSD > 0 {
				cost = fmt.Sprintf("up to $%.4f", a.CostUSD)
			}
			lines := facts("id", a.ID, "capsule", a.Capsule, "action", a.Action, "resource", a.Resource, "method", a.Method, "reason", a.Reason, "rule", a.Rule, "set in", a.Source,
				"risk", a.Risk, "cost", cost, "session", a.Session, "workspace", a.Workspace, "asked", m.stamp(a.CreatedAt), "it says", a.Detail)
			for _, c := range a.Choices {
				if c.Grants != "" {
					lines = append(lines, facts(strings.ToLower(word(c.Decision)), c.Grants)...)
				}
			}
			p.rows = append(p.rows, row{id: a.ID, tone: tone, value: a, lines: lines, cells: []string{oneLine(a.Risk), strings.TrimPrefix(oneLine(a.Capsule), "astrid-capsule-"), oneLine(a.Action)}})
		}
	},
	actions: []action{
		{key: "1", label: "allow once", confirm: "Allow it once?", run: func(m *Model, r row) tea.Cmd {
			m.Port.Act(pageApprovals, abi.DecisionApprove, r.id)
			return nil
		}},
		{key: "0", label: "deny", confirm: "Deny it?", run: func(m *Model, r row) tea.Cmd { m.Port.Act(pageApprovals, abi.DecisionDeny, r.id); return nil }},
	},
}

// modes are what the gate can be told to ask about.
var modes = []struct{ name, what string }{
	{"safe", "asks before reading outside the workspace, writing outside it, programs and network"},
	{"guided", "reads outside the workspace need no question either"},
	{"autonomous", "asks nothing; only the policy's hard blocks stop the agent"},
	{"yolo", "asks nothing, and programs run without the sandbox of the system"},
}

var modePage = &pageSpec{
	name: pageMode, title: "Mode", head: []string{"MODE", "WHAT IT ASKS"},
	take: func(m *Model, p *page, data any) {
		info, _ := data.(abi.ModeInfo)
		p.head = []string{"in force: " + oneLine(info.Mode) + " (" + oneLine(info.Source) + ")"}
		for _, n := range info.Notices {
			p.head = append(p.head, oneLine(n))
		}
		for _, mode := range modes {
			tone, sign := plain, " "
			if mode.name == info.Mode {
				tone, sign = good, "*"
			}
			p.rows = append(p.rows, row{id: mode.name, tone: tone, cells: []string{sign + mode.name, mode.what}})
		}
	},
	enter:   func(m *Model, r row) tea.Cmd { m.Port.Act(pageMode, "session", r.id); return nil },
	actions: []action{{key: "s", label: "set for all", confirm: "Set this mode in your configuration?", run: func(m *Model, r row) tea.Cmd { m.Port.Act(pageMode, "set", r.id); return nil }}},
}

var modelPage = &pageSpec{
	name: pageModel, title: "Models", head: []string{"MODEL", "CONTEXT", "WHAT"},
	empty: "No model is installed: astrid init installs a provider.",
	take: func(m *Model, p *page, data any) {
		list, _ := data.(providersMsg)
		for _, d := range list {
			context, sign, tone := "", " ", plain
			if d.ContextWindow > 0 {
				context = count(d.ContextWindow)
			}
			if oneLine(d.ID) == m.modelID {
				sign, tone = "*", good
			}
			p.rows = append(p.rows, row{id: d.ID, tone: tone, value: d.ContextWindow, cells: []string{sign + oneLine(d.ID), context, oneLine(d.Description)}, lines: facts(
				"id", d.ID, "what", d.Description, "context", context, "answers", count(d.MaxOutputTokens), "can", strings.Join(d.Capabilities, ", "))})
		}
	},
	enter: func(m *Model, r row) tea.Cmd {
		m.page = nil
		window, _ := r.value.(uint64)
		m.useModel(r.id, window)
		return nil
	},
	actions: []action{{key: "d", label: "default", run: func(m *Model, r row) tea.Cmd { m.page = nil; m.Port.SetModel(r.id); return nil }}},
}

// facts makes lines of names and values; what has no value is left out.
func facts(pairs ...string) []line {
	var out []line
	for i := 0; i+1 < len(pairs); i += 2 {
		if v := strings.TrimRight(printable(pairs[i+1]), "\n"); v != "" {
			out = append(out, line{pad(pairs[i], 11) + " " + v, plain})
		}
	}
	return out
}

// stamp is a time as people read it; "" if there is none.
func (m *Model) stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(m.Now().Location()).Format("2006-01-02 15:04:05")
}
