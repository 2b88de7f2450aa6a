package approval

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
)

// TestDefaultRules has the cases of the v0.5.0 default policy that apply (security spec 10.2).
func TestDefaultRules(t *testing.T) {
	r := DefaultRules()
	r.ApprovalRequiredTools = builtin("builtin:task")
	p := mustPolicy(t, r)
	free := mustPolicy(t, Rules{Mode: Yolo})
	for _, tc := range []struct {
		name          string
		a             Action
		byDefault, by effect
	}{
		{"sudo", run("sudo", "rm"), deny, deny},
		{"mkfs", run("mkfs"), deny, allow},
		{"rm -rf /", run("rm", "-rf", "/"), deny, allow},
		{"write /etc", write("/etc/passwd"), deny, allow},
		{"delete /boot", Action{Kind: FSDelete, Resource: "fs:delete:///boot/vmlinuz"}, deny, allow},
		{"delete", Action{Kind: FSDelete, Resource: "fs:delete:///home/u/x"}, ask, allow},
		{"network", get("https://api.test/"), ask, allow},
		{"builtin:task", Action{Kind: MCPTool, Resource: "mcp:builtin:task"}, ask, allow},
		{"other tool", Action{Kind: MCPTool, Resource: "mcp:files:read"}, allow, allow},
		{"path a/..", read("/a/.."), deny, deny},
		{"path ...", inWS(read("/ws/.../x..y")), allow, allow},
		{"payment", Action{Kind: Ask, Resource: "ask:pay:100", Risk: "critical"}, ask, ask},
	} {
		must(t, tc.a.complete())
		if v := p.judge(&Subject{}, &tc.a); v.effect != tc.byDefault {
			t.Errorf("%s by default: %v (%s)", tc.name, v.effect, v.rule)
		}
		if v := free.judge(&Subject{}, &tc.a); v.effect != tc.by {
			t.Errorf("%s in yolo: %v (%s)", tc.name, v.effect, v.rule)
		}
	}
}

func TestRisks(t *testing.T) {
	for _, tc := range []struct {
		a    Action
		want string
	}{
		{Action{Kind: FSDelete}, "high"}, {Action{Kind: FSRead}, "medium"}, {Action{Kind: NetRequest}, "medium"},
		{Action{Kind: Exec}, "high"}, {Action{Kind: NetBind}, "high"}, {Action{Kind: Identity}, "critical"}, {Action{Kind: KV}, "low"},
		{Action{Kind: FSDelete, Risk: "low"}, "low"}, {Action{Kind: FSDelete, Risk: "harmless"}, "high"},
		{Action{Kind: Ask, Risk: "low"}, "medium"}, {Action{Kind: Ask, Risk: "critical"}, "critical"}, {Action{Kind: Ask}, "high"},
	} {
		if got := tc.a.risk(); got != tc.want {
			t.Errorf("%s %q: %s, want %s", tc.a.Kind, tc.a.Risk, got, tc.want)
		}
	}
}

func TestSummaries(t *testing.T) {
	size := write("/a\x1b")
	size.Size = 3
	for want, a := range map[string]Action{
		"read /a": read("/a"), `write /a\u{1b} (3 bytes)`: size,
		"delete /a":                  {Kind: FSDelete, Resource: "fs:delete:///a"},
		"run /bin/rm -rf '/tmp/a b'": run("/bin/rm", "-rf", "/tmp/a b"),
		"GET request to a.test:443":  get("https://a.test/x"),
		"mcp_tool s:t":               {Kind: MCPTool, Resource: "mcp:s:t"},
		"net_bind unix:x":            {Kind: NetBind, Resource: "net:bind:unix:x"},
		"ask deploy:prod":            {Kind: Ask, Resource: "ask:deploy:prod"},
		"identity link":              {Kind: Identity, Resource: "identity:link"},
		"elicit api_key":             {Kind: Elicit, Resource: "elicit:api_key"},
		"request to a.test:80":       {Kind: NetRequest, Resource: "net:http://a.test/"},
	} {
		must(t, a.complete())
		if got := a.summary(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestDecisionJSON: the words of the approval_response payload.
func TestDecisionJSON(t *testing.T) {
	for text, want := range map[string]Choice{
		`{"decision":"approve"}`: ApproveOnce, `{"decision":"approve_session"}`: ApproveSession,
		`{"decision":"approve_workspace"}`: ApproveWorkspace, `{"decision":"approve_always"}`: ApproveAlways,
		`{"decision":"deny","reason":"no"}`: Deny,
		`{"decision":"approve_with_allowance","pattern":{"type":"server_tools","server":"s"},"max_uses":2}`: ApprovePattern,
	} {
		var d Decision
		must(t, json.Unmarshal([]byte(text), &d))
		if d.Choice != want || (want == Deny) != (d.Feedback == "no") || (want == ApprovePattern) != (d.Pattern != nil) {
			t.Errorf("%s: %+v", text, d)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := newID()
		if len(id) != 32 || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}

func TestDenialText(t *testing.T) {
	d := &Denial{Layer: LayerApproval, Rule: "mode safe", Source: "c:1", Reason: "nobody is attached", RequestID: "abc", is: ErrDeferred}
	want := "deferred until someone approves it by approval: nobody is attached (rule mode safe, set in c:1); answer it with `astrid approvals`, request abc"
	if d.Error() != want {
		t.Errorf("%s", d)
	}
	if errors.Is(d, ErrDenied) || !errors.Is(d, ErrDeferred) {
		t.Error("a deferral is no refusal for good")
	}
	b := &Denial{is: ErrBudget}
	if !errors.Is(b, ErrDenied) || !errors.Is(b, ErrBudget) {
		t.Error("a budget refusal is both")
	}
}

func TestGateNeedsAnAuditor(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a gate without an audit log")
	}
	i, err := New(Options{Auditor: &ledger{}})
	must(t, err)
	// The zero options are the strictest: safe mode, default rules, nobody attached.
	s := Subject{Principal: "alice", Capsule: "fs", Bounds: &bounds{}}
	if _, err := i.Intercept(context.Background(), s, write("/data/a")); !errors.Is(err, ErrDeferred) {
		t.Errorf("%v", err)
	}
	if i.PolicyFor("/ws").Mode() != Safe {
		t.Error("not safe by default")
	}
}
