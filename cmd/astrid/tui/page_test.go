package tui

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/audit"
)

// pageStates are pages with something on them.
var pageStates = map[string]func(b *bench){
	"diff": func(b *bench) {
		b.connect()
		b.keys("/diff", "enter")
		b.put(fetchedMsg{page: pageDiff, data: []abi.OverlayChange{
			{Path: "CHANGES.md", Op: "added", NewKind: "file", NewSize: 120}, {Path: "cmd/main.go", Op: "modified", OldSize: 4000, NewSize: 4100},
			{Path: "docs/old.md", Op: "deleted", OldSize: 90}, {Path: "go.mod", Op: "modified", Conflict: "changed in the workspace"}}})
		b.keys("down", "enter")
		b.put(fetchedMsg{page: pageDiff, key: "cmd/main.go", data: "diff --git a/cmd/main.go b/cmd/main.go\n--- a/cmd/main.go\n+++ b/cmd/main.go\n@@ -1,3 +1,3 @@\n package main\n-func old() {}\n+func fresh() { /* a long line that goes on and on, beyond what a narrow terminal can show of it */ }\n"})
	},
	"diff-list": func(b *bench) {
		states["diff"](b)
		b.keys("esc")
		b.keys("D")
	},
	"diff-none": func(b *bench) { b.connect(); b.keys("/diff", "enter"); b.put(fetchedMsg{page: pageDiff}) },
	"caps": func(b *bench) {
		b.connect()
		b.keys("/caps", "enter")
		b.put(fetchedMsg{page: pageCaps, data: []abi.GrantInfo{
			{ID: "0198-a", Kind: abi.GrantToken, Capsule: "astrid-capsule-openai-compat", Scope: "always", Pattern: "net:https://api.example.com:443/**", Permissions: []string{"net_request"}, Status: "active", CreatedAt: b.clock, AuditID: "e1"},
			{ID: "0198-b", Kind: abi.GrantAllowance, Capsule: "shipper", Scope: "session", Session: testSession, Pattern: "exec:///usr/bin/git status", Status: "used", MaxUses: 1, Used: 1}}})
	},
	"budget": func(b *bench) {
		b.connect()
		b.keys("/budget", "enter")
		b.put(fetchedMsg{page: pageBudget, data: abi.BudgetInfo{WarnAtPercent: 80, Limits: []abi.BudgetLimit{{Name: "session", MaxUSD: 5, Source: "default"}, {Name: "workspace", Source: "etc/config.toml:4"}},
			Totals: []abi.BudgetTotal{{Scope: "session", Name: testSession, SpentUSD: 4.2, ReservedUSD: 0.1, MaxUSD: 5}, {Scope: "workspace", Name: "/srv/project", SpentUSD: 12.5}}}})
	},
	"capsules": func(b *bench) {
		b.connect()
		b.keys("/capsules", "enter")
		b.put(fetchedMsg{page: pageCapsules, data: abi.DaemonStatus{PID: 7, Version: "0.5.0", UptimeSecs: 3700, ConnectedClients: 2, Bus: abi.BusStatus{Published: 1234}, Capsules: []abi.CapsuleStatus{
			{Name: "astrid-capsule-react", State: "ready", Handled: 40, Instances: 1, MemoryBytes: 12 << 20, CPUMicros: 1520000},
			{Name: "astrid-capsule-broken", State: "refused", Reason: "its hash is not that of the lock"}}}})
		b.keys("down")
	},
	"approvals": func(b *bench) {
		b.connect()
		b.keys("/approvals", "enter")
		b.put(fetchedMsg{page: pageApprovals, data: []abi.ApprovalInfo{{ID: "r1", Capsule: "shipper", Action: "run git push", Resource: "exec:///usr/bin/git push", Reason: "mode safe asks", Rule: "mode.safe", Risk: "high",
			CreatedAt: b.clock, Queued: true, Choices: []abi.ApprovalChoice{{Decision: "approve", Grants: "exec:///usr/bin/git push"}, {Decision: "deny"}}}}})
		b.keys("enter")
	},
	"mode": func(b *bench) {
		b.connect()
		b.keys("/mode", "enter")
		b.put(fetchedMsg{page: pageMode, data: abi.ModeInfo{Mode: "safe", Source: "default"}})
		b.keys("down", "s")
	},
	"model": func(b *bench) {
		b.connect()
		b.keys("/model", "enter")
		b.put(providersMsg{{ID: "offline", Description: "understands a few plain requests"}, {ID: "gpt", Description: "over the network", ContextWindow: 128000, Capabilities: []string{"tools"}}})
	},
	"audit": func(b *bench) {
		b.connect()
		b.keys("/audit", "enter")
		b.put(fetchedMsg{page: pageAudit, data: []audit.Entry{
			{Time: b.clock, Draft: audit.Draft{Kind: audit.KindDecision, Verdict: audit.Allow, Capsule: "astrid-capsule-fs", Function: "astrid_read_file", Resource: "fs:read:///srv/project/README.md"}},
			{Time: b.clock, Draft: audit.Draft{Kind: audit.KindDecision, Verdict: audit.Deny, Capsule: "shipper", Function: "astrid_http_request", Resource: "net:https://evil.example:443/\x1b[2J"}},
			{Time: b.clock, Draft: audit.Draft{Kind: audit.KindOutcome, Capsule: "shipper", Outcome: &audit.Outcome{Status: "failed", Text: "no such host"}}}}})
		b.keys("enter")
		b.put(fetchedMsg{page: pageAudit, key: (&audit.Entry{}).ID.String(), data: "The file was read.\n\nlayer  policy"})
	},
	"sessions": func(b *bench) {
		b.connect()
		b.keys("/sessions", "enter")
		b.put(fetchedMsg{page: pageSessions, data: []abi.SessionInfo{
			{SessionID: testSession, Title: "explain the layout", Prompts: 3, Messages: 9, UpdatedAt: b.clock.Add(-2 * time.Minute), CreatedAt: b.clock.Add(-time.Hour), Workspace: "/srv/project"},
			{SessionID: "other", Title: "write the changelog", Prompts: 12, UpdatedAt: b.clock.Add(-50 * time.Hour), Workspace: "/srv/elsewhere"}}})
		b.keys("/", "change", "enter", "right")
		b.put(fetchedMsg{page: pageSessions, key: "other", data: []abi.ChatMessage{abi.TextMessage(abi.RoleUser, "write the changelog"), abi.TextMessage(abi.RoleAssistant, "It is in CHANGES.md.")}})
	},
	"page-failed": func(b *bench) {
		b.connect()
		b.keys("/caps", "enter")
		b.put(fetchedMsg{page: pageCaps, err: errors.New("there is no connection to the daemon")})
	},
	"page-dialog": func(b *bench) {
		states["budget"](b)
		b.put(question(b, "q1"))
	},
	"batch": func(b *bench) {
		b.connect()
		q := question(b, "q2")
		q.Action, q.Resource, q.RiskLevel = "run rm -rf build", "exec:///bin/rm -rf build", "critical"
		b.put(question(b, "q1"), q)
		b.wait(time.Second)
		b.keys("b")
		b.wait(time.Second)
		b.keys("0")
	},
	"edits": func(b *bench) {
		b.connect()
		b.keys("mend it", "enter")
		b.put(started("t1"), toolStart("t1", "a", "replace_in_file", `{"file_path":"cmd/main.go","old_string":"a\nb\nc\n","new_string":"a\nB\nc\nd\n"}`), toolEnd("t1", "a", "replaced", false),
			toolStart("t1", "b", "write_file", `{"file_path":"/etc/motd","content":"welcome\n"}`))
		q := question(b, "q1")
		q.Action, q.Resource, q.Size, q.Detail, q.CostUSD = "write /etc/motd", "fs:write:///etc/motd", 8, "", 0
		q.Choices = []offer{{"approve", "fs:write:///etc/motd"}, {"deny", ""}}
		b.put(q)
	},
}

func init() {
	for name, f := range pageStates {
		states[name] = f
	}
}

func TestPageActions(t *testing.T) {
	for _, c := range []struct {
		state string
		keys  []string
		want  []string
	}{
		{"diff-list", []string{"D"}, []string{"act diff discard "}},              // asked before
		{"diff-list", []string{"x", "D"}, nil},                                   // another key takes it back
		{"diff-list", []string{"c"}, []string{"act diff commit cmd/main.go"}},    // what is chosen
		{"diff-list", []string{"C", "C"}, []string{"act diff commit "}},          //
		{"diff-list", []string{"d", "up", "d"}, nil},                             // for another row it is asked again
		{"diff-none", []string{"c", "d", "d"}, nil},                              // nothing is chosen
		{"caps", []string{"x", "x"}, []string{"act caps revoke 0198-a"}},         //
		{"caps", []string{"down", "x", "x"}, []string{"act caps revoke 0198-b"}}, //
		{"mode", []string{"s"}, []string{"act mode set guided"}},
		{"mode", []string{"up", "enter"}, []string{"act mode session safe"}},
		{"model", []string{"down", "d"}, []string{"set model gpt"}},
		{"model", []string{"down", "enter", "hi", "enter"}, []string{`prompt t1 "hi by gpt"`}},
		{"approvals", []string{"1", "1"}, []string{"act approvals approve r1"}},
		{"approvals", []string{"1", "0"}, nil},
		{"audit", []string{"v"}, []string{"act audit verify "}},
		{"sessions", []string{"esc", "enter"}, []string{"resume other"}},
		{"sessions", []string{"esc", "esc", "home", "enter"}, nil}, // it is the one on the screen
	} {
		b := newBench(t, 80, 24)
		states[c.state](b)
		*b.calls = nil
		b.keys(c.keys...)
		got := slices.DeleteFunc(slices.Clone(*b.calls), func(s string) bool { return strings.HasPrefix(s, "fetch") })
		if !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
			t.Errorf("%s: %q asks for %q, not %q", c.state, c.keys, got, c.want)
		}
	}
}

// Details are read when they are looked at, once, and again when the list is.
func TestPageFetches(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.keys("/diff", "enter")
	list := fetchedMsg{page: pageDiff, data: []abi.OverlayChange{{Path: "a"}, {Path: "b"}}}
	b.put(list)
	b.keys("down", "enter", "esc", "enter", "esc")
	want := []string{"fetch diff ", "fetch diff b"}
	if !slices.Equal(*b.calls, want) {
		t.Errorf("asks for %q", *b.calls)
	}
	b.put(actedMsg{page: pageDiff, text: "committed 1"})
	b.put(list)
	if r, _ := b.page.row(); r.id != "b" {
		t.Errorf("the choice is lost: %q", r.id)
	}
	if f := b.frame(); !strings.Contains(f, "committed 1") {
		t.Errorf("the outcome is not shown:\n%s", f)
	}
	b.put(fetchedMsg{page: pageCaps, data: []abi.GrantInfo{{ID: "x"}}}) // of a page that is gone
	if len(b.page.rows) != 2 {
		t.Error("rows of another page")
	}
	b.keys("esc")
	b.put(actedMsg{page: pageDiff, err: errors.New("late refusal")})
	if !strings.Contains(b.frame(), "late refusal") {
		t.Error("an outcome that comes late is lost")
	}
	b = newOnline(t, 120, 40) // details beside the list need no key
	b.keys("/diff", "enter")
	b.put(list)
	if !slices.Equal(*b.calls, []string{"fetch diff ", "fetch diff a"}) {
		t.Errorf("asks for %q", *b.calls)
	}
}

// The conversation goes on behind a page, and a question comes in front of it.
func TestPageBehindDialog(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.keys("go", "enter")
	b.put(started("t1"))
	b.keys("/caps", "enter")
	b.put(fetchedMsg{page: pageCaps, data: []abi.GrantInfo{{ID: "x"}}})
	b.put(question(b, "q"), delta("t1", "said meanwhile"))
	b.wait(quiet)
	b.keys("x", "x")
	b.wait(quiet)
	b.keys("1", "enter", "esc")
	if !slices.Contains(*b.calls, "answer q "+testSession+` approve ""`) || slices.Contains(*b.calls, "act caps revoke x") {
		t.Errorf("asks for %q", *b.calls)
	}
	if b.page != nil || !strings.Contains(b.frame(), "said meanwhile") {
		t.Errorf("after the page:\n%s", b.frame())
	}
}

func TestResumeShowsItsHistory(t *testing.T) {
	b := newOnline(t, 80, 24, abi.TextMessage(abi.RoleUser, "old words"))
	b.keys("/sessions", "enter")
	b.put(fetchedMsg{page: pageSessions, data: []abi.SessionInfo{{SessionID: "other", Title: "another"}}})
	b.keys("enter")
	b.put(connectedMsg{session: "other", pid: 1, resumed: true, history: []abi.ChatMessage{abi.TextMessage(abi.RoleUser, "new words")}})
	f := b.frame()
	if !strings.Contains(f, "new words") || strings.Contains(f, "old words") || strings.Contains(f, "again") || b.Session != "other" {
		t.Errorf("session %s:\n%s", b.Session, f)
	}
}

func TestChangeOf(t *testing.T) {
	for raw, want := range map[string]string{
		`{"file_path":"a","content":"x\ny"}`:                                   "a +2 -0|+x|+y",
		`{"file_path":"a","old_string":"x","new_string":"y"}`:                  "a +1 -1|-x|+y",
		`{"file_path":"a\u001b[2J","old_string":"x","new_string":"\u001b[2J"}`: `a\u001b[2J +1 -1|-x|+\u001b[2J`,
		`{"file_path":"a","content":""}`:                                       "a +0 -0",
		`{"file_path":"a"}`:                                                    "",
		`{"content":"a"}`:                                                      "",
		`{"file_path":7,"content":"a"}`:                                        "",
		`nonsense`:                                                             "",
	} {
		got := ""
		if c := changeOf(json.RawMessage(raw)); c != nil {
			got = strings.Join(append([]string{c.summary()}, c.lines...), "|")
		}
		if got != want {
			t.Errorf("%s: %q, not %q", raw, got, want)
		}
	}
}

func TestPageKeysReachNothingElse(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.keys("/budget", "enter", "hello", "enter")
	b.put(tea.PasteMsg{Content: "x"})
	b.keys("ctrl+c")
	if len(*b.calls) != 1 || b.input.text != "" {
		t.Errorf("asks for %q, input %q", *b.calls, b.input.text)
	}
}

// /model NAME is looked up: a name that is none is said at once and not at the next prompt.
func TestModelByName(t *testing.T) {
	list := providersMsg{{ID: "a"}, {ID: "v:big", ContextWindow: 1000}, {ID: "v:small"}, {ID: "w:small"}}
	for name, want := range map[string]string{"v:big": "v:big", "big": "v:big", "a": "a", "small": "", "x": ""} {
		b := newOnline(t, 80, 24)
		b.put(modelMsg{id: "a"})
		b.keys("/model "+name, "enter")
		b.put(list)
		if b.Model.Model != want || want != "" && b.modelID != want {
			t.Errorf("%q: %q answers, %q is shown", name, b.Model.Model, b.modelID)
		}
		if f := b.frame(); (want == "") != strings.Contains(f, "no model is called "+name) {
			t.Errorf("%q:\n%s", name, f)
		}
		b.put(modelMsg{id: "w:small"}) // somebody else chose another default
		if want != "" && b.modelID != want {
			t.Errorf("%q: another default is shown: %q", name, b.modelID)
		}
		b.put(list)
		if strings.Count(b.frame(), "no model is called") > 1 {
			t.Errorf("%q: a later list counts too", name)
		}
	}
}

// A capsule's list is a page, unless the person is at something else: a key on its way must not choose.
func TestSelection(t *testing.T) {
	list := selectionMsg{RequestID: "r", Title: "Pick\x1b[2J one", CallbackTopic: "registry.v1.selection.callback",
		Options: []abi.SelectionOption{{ID: "a", Label: "First"}, {ID: "b\x1b", Description: "the second"}}}
	b := newOnline(t, 80, 24)
	b.put(list)
	if f := b.frame(); !strings.Contains(f, `Pick\u001b[2J one`) || !strings.Contains(f, "First") || !strings.Contains(f, "the second") {
		t.Errorf("%s", f)
	}
	b.keys("down", "enter")
	if want := []string{"select registry.v1.selection.callback r b\x1b"}; !slices.Equal(*b.calls, want) || b.page != nil {
		t.Errorf("asks for %q", *b.calls)
	}
	b.put(list)
	b.keys("esc")
	b.keys("hi")
	b.put(list)
	b.keys("enter")
	if got := (*b.calls)[1:]; len(got) != 1 || !strings.HasPrefix(got[0], "prompt") {
		t.Errorf("while something is typed: %q", got)
	}
	if decodeRegistry("registry.v1.response.models", []byte(`{"request_id":"r","options":[{"id":"a"}],"callback_topic":"user.v1.prompt"}`)) != nil {
		t.Error("a capsule can name any topic for the answer")
	}
}
