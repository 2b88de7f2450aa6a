package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
)

// put writes a file and makes its directory.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, path, text)
}

// anything is a manifest that declares everything.
type anything struct{}

func (anything) Permit(*approval.Action) (string, error) { return "test", nil }

const apiResource = "net:https://api.example.com:443/v1/x"

// request asks the daemon's gate for a request to an API and lets it succeed.
func request(t *testing.T, k *Kernel, session string) error {
	t.Helper()
	return act(t, k, session, approval.Action{Kind: approval.NetRequest, Resource: apiResource, Method: "POST"})
}

func act(t *testing.T, k *Kernel, session string, a approval.Action) error {
	t.Helper()
	workspace, err := k.files.WorkspaceOf(t.Context(), "default", session)
	if err != nil {
		t.Fatal(err)
	}
	a.Class, a.Function = approval.Guarded, "astrid_test"
	s := approval.Subject{Principal: "default", Capsule: "prov", Session: session, Workspace: workspace, Bounds: anything{}}
	g, err := k.gate.Intercept(t.Context(), s, a)
	if err != nil {
		return err
	}
	return g.Settle(t.Context(), approval.Outcome{})
}

// manage makes a management call over the socket and decodes its answer.
func manage[T any](t *testing.T, p *peer, method string, params any) (T, error) {
	t.Helper()
	var v T
	req := map[string]any{"type": "raw_json", "method": method}
	if params != nil {
		req["params"] = params
	}
	frame, err := json.Marshal(map[string]any{"topic": "astrid.v1.request.t", "payload": req})
	if err != nil {
		t.Fatal(err)
	}
	p.send(string(frame))
	for {
		m := p.recv()
		if m.Topic != "astrid.v1.response.t" {
			continue
		}
		var r abi.KernelResponse
		if err := json.Unmarshal(m.Payload, &r); err != nil {
			t.Fatal(err)
		}
		if r.Status == "Error" {
			var text string
			if err := json.Unmarshal(r.Data, &text); err != nil {
				t.Fatal(err)
			}
			return v, errors.New(text)
		}
		if err := json.Unmarshal(r.Data, &v); err != nil {
			t.Fatal(err)
		}
		return v, nil
	}
}

// must is manage for what has to work.
func must[T any](t *testing.T, p *peer, method string, params any) T {
	t.Helper()
	v, err := manage[T](t, p, method, params)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return v
}

// queue makes an action wait in the queue and returns its request.
func queue(t *testing.T, k *Kernel, p *peer, session string) abi.ApprovalInfo {
	t.Helper()
	if err := request(t, k, session); !errors.Is(err, approval.ErrDeferred) {
		t.Fatalf("nobody is there, but the gate says %v", err)
	}
	for _, r := range must[[]abi.ApprovalInfo](t, p, abi.MethodListApprovals, nil) {
		if r.Session == session {
			return r
		}
	}
	t.Fatal("the request is not in the list")
	return abi.ApprovalInfo{}
}

func approve(t *testing.T, p *peer, id string, decision approval.Choice) {
	t.Helper()
	must[abi.ApprovalInfo](t, p, abi.MethodAnswerApproval, abi.ApprovalReply{RequestID: id, Decision: string(decision)})
}

func wantDeferred(t *testing.T, k *Kernel, session, when string) {
	t.Helper()
	if err := request(t, k, session); !errors.Is(err, approval.ErrDeferred) {
		t.Fatalf("%s: the gate says %v, want a deferral", when, err)
	}
}

func wantAllowed(t *testing.T, k *Kernel, session, when string) {
	t.Helper()
	if err := request(t, k, session); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
}

// entries returns what the daemon's log says, oldest first.
func entries(t *testing.T, k *Kernel, f audit.Filter) []audit.Entry {
	t.Helper()
	var out []audit.Entry
	for e, err := range k.gate.log.Query(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func TestQueuedActionRunsOnceWhenApproved(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	r := queue(t, k, p, "s1")
	if !r.Queued || r.Capsule != "prov" || r.Resource != apiResource || r.Method != "POST" || r.Rule != "mode safe" || len(r.Choices) != 5 {
		t.Errorf("the request is shown as %+v", r)
	}
	for _, c := range r.Choices {
		want := map[string]string{"approve": "POST " + apiResource, "deny": ""}
		if w, ok := want[c.Decision]; !ok {
			w = "net:https://api.example.com:443/**"
			if c.Grants != w {
				t.Errorf("%s grants %q, want %q", c.Decision, c.Grants, w)
			}
		} else if c.Grants != w {
			t.Errorf("%s grants %q, want %q", c.Decision, c.Grants, w)
		}
	}
	approve(t, p, r.ID, approval.ApproveOnce)
	if left := must[[]abi.ApprovalInfo](t, p, abi.MethodListApprovals, nil); len(left) != 0 {
		t.Errorf("still listed: %+v", left)
	}
	wantDeferred(t, k, "s2", "another session")
	wantAllowed(t, k, "s1", "the approved action")
	wantDeferred(t, k, "s1", "the same action again")
}

func TestAnswersThatAreNotTaken(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	r := queue(t, k, p, "s1")
	for name, c := range map[string]struct {
		params any
		want   string
	}{
		"guessed id":           {abi.ApprovalReply{RequestID: strings.Repeat("a", 32), Decision: "approve"}, "no open approval request"},
		"prefix":               {abi.ApprovalReply{RequestID: r.ID[:8], Decision: "approve"}, "no open approval request"},
		"unknown decision":     {abi.ApprovalReply{RequestID: r.ID, Decision: "yes"}, "not offered"},
		"pattern too narrow":   {abi.ApprovalReply{RequestID: r.ID, Decision: "approve_with_allowance", Pattern: "net:https://other.example.com:443/**"}, "does not cover"},
		"pattern without text": {abi.ApprovalReply{RequestID: r.ID, Decision: "approve_with_allowance"}, "no pattern"},
		"scope for ever":       {abi.ApprovalReply{RequestID: r.ID, Decision: "approve_with_allowance", Pattern: apiResource, Scope: "always"}, "scope"},
		"unknown field":        {map[string]any{"request_id": r.ID, "decision": "approve", "principal": "root"}, "unknown field"},
		"no object":            {[]string{r.ID}, "parameters"},
	} {
		if _, err := manage[abi.ApprovalInfo](t, p, abi.MethodAnswerApproval, c.params); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	wantDeferred(t, k, "s1", "after refused answers")
	must[abi.ApprovalInfo](t, p, abi.MethodAnswerApproval, abi.ApprovalReply{RequestID: r.ID, Decision: "deny", Reason: "not today"})
	if _, err := manage[abi.ApprovalInfo](t, p, abi.MethodAnswerApproval, abi.ApprovalReply{RequestID: r.ID, Decision: "approve"}); err == nil {
		t.Error("an answered request was answered again")
	}
	denials := entries(t, k, audit.Filter{Function: "approvals", Verdict: audit.Deny})
	if len(denials) != 1 || !strings.Contains(denials[0].Reason, "not today") {
		t.Errorf("the denial is recorded as %+v", denials)
	}
}

func TestAllowSessionDiesWithTheSession(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	approve(t, p, queue(t, k, p, "s1").ID, approval.ApproveSession)
	wantAllowed(t, k, "s1", "first")
	wantAllowed(t, k, "s1", "second")
	wantDeferred(t, k, "s2", "another session")
	must[abi.SessionEnd](t, p, abi.MethodEndSession, abi.SessionEnd{Session: "s1"})
	wantDeferred(t, k, "s1", "after the session ended")
}

// TestSessionEndsWhenNobodyIsThere: what was allowed for a session outlives its last client by
// a while, and not a client that comes back later.
func TestSessionEndsWhenNobodyIsThere(t *testing.T) {
	var ahead atomic.Int64 // of the real clock
	o := options(t)
	o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	pass := func(d time.Duration) { ahead.Add(int64(d)) }
	k, err := Boot(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Shutdown("test") })
	p := connect(t, k) // in no session
	in := func(session string) *peer {
		c := connect(t, k)
		if err := c.ack(`{"topic":"client.v1.subscribe","payload":{"topics":["agent.v1.*"],"sessions":["` + session + `"]}}`); err != "" {
			t.Fatal(err)
		}
		return c
	}
	left := func(c *peer) {
		c.conn.Close()
		<-k.server.left // the daemon has noticed
	}

	c := in("s1")
	approve(t, p, queue(t, k, p, "s1").ID, approval.ApproveSession)
	pass(24 * time.Hour)
	wantAllowed(t, k, "s1", "while somebody is there")
	left(c)
	pass(9 * time.Minute)
	wantAllowed(t, k, "s1", "nine minutes after the client left")
	c = in("s1")
	pass(time.Hour)
	left(c)
	pass(9 * time.Minute)
	wantAllowed(t, k, "s1", "nine minutes after it left again")
	pass(2 * time.Minute)
	wantDeferred(t, k, "s1", "eleven minutes after")
	if ends := entries(t, k, audit.Filter{Kinds: []audit.Kind{audit.KindEvent}, Session: "s1"}); len(ends) != 1 || ends[0].Type != "session.ended" {
		t.Errorf("recorded is %+v", ends)
	}

	approve(t, p, queue(t, k, p, "s2").ID, approval.ApproveSession)
	pass(11 * time.Minute)
	left(in("s2")) // must not bring it back
	wantDeferred(t, k, "s2", "nobody came in time")

	// Nor must an answer to something else.
	approve(t, p, queue(t, k, p, "s5").ID, approval.ApproveSession)
	other := approval.Action{Kind: approval.NetRequest, Resource: "net:https://other.example.com:443/", Method: "GET"}
	if err := act(t, k, "s5", other); !errors.Is(err, approval.ErrDeferred) {
		t.Fatal(err)
	}
	waiting := must[[]abi.ApprovalInfo](t, p, abi.MethodListApprovals, nil)
	pass(11 * time.Minute)
	for _, r := range waiting {
		if r.Session == "s5" {
			approve(t, p, r.ID, approval.ApproveSession)
		}
	}
	wantDeferred(t, k, "s5", "something else was allowed after the session's end")

	approve(t, p, queue(t, k, p, "s3").ID, approval.ApproveSession)
	pass(11 * time.Minute)
	if g := must[[]abi.GrantInfo](t, p, abi.MethodListGrants, nil); len(g) != 0 {
		t.Errorf("listed is %+v", g)
	}
	approve(t, p, queue(t, k, p, "s4").ID, approval.ApproveSession)
	pass(-time.Hour)
	wantDeferred(t, k, "s4", "the clock was put back")
}

func TestWhatSurvivesARestart(t *testing.T) {
	o := options(t)
	life := func(use func(*Kernel, *peer)) {
		k, err := Boot(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		use(k, connect(t, k))
		if err := k.Shutdown("restart"); err != nil {
			t.Fatal(err)
		}
	}
	var queued string
	life(func(k *Kernel, p *peer) {
		approve(t, p, queue(t, k, p, "session").ID, approval.ApproveSession)
		wantAllowed(t, k, "session", "in the session")
		queued = queue(t, k, p, "later").ID
	})
	life(func(k *Kernel, p *peer) {
		wantDeferred(t, k, "session", "Allow Session after a restart")
		approve(t, p, queued, approval.ApproveWorkspace)
		wantAllowed(t, k, "later", "the queued action, approved after a restart")
	})
	life(func(k *Kernel, p *peer) {
		wantAllowed(t, k, "any", "Allow Workspace after a restart")
		o.Workspace = t.TempDir()
	})
	life(func(k *Kernel, p *peer) {
		wantDeferred(t, k, "any", "Allow Workspace in another workspace")
	})
}

func TestAllowAlwaysIsATokenThatCanBeRevoked(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	approve(t, p, queue(t, k, p, "s1").ID, approval.ApproveAlways)
	wantAllowed(t, k, "s2", "a token is for all sessions")

	grants := must[[]abi.GrantInfo](t, p, abi.MethodListGrants, nil)
	if len(grants) != 1 || grants[0].Kind != abi.GrantToken || grants[0].Status != "active" || grants[0].Capsule != "prov" ||
		grants[0].Pattern != "net:https://api.example.com:443/**" {
		t.Fatalf("grants are %+v", grants)
	}
	token := grants[0]
	id, err := audit.ParseID(token.AuditID)
	if err != nil {
		t.Fatal(err)
	}
	e, err := k.gate.log.Get(t.Context(), id)
	if err != nil || e.Layer != approval.LayerApproval || !strings.Contains(string(e.Data), "always") {
		t.Errorf("the token was created by %+v (%v)", e, err)
	}
	if used := entries(t, k, audit.Filter{Session: "s2"}); len(used) != 1 || used[0].Proof.ID != token.ID || used[0].Layer != approval.LayerToken {
		t.Errorf("its use is recorded as %+v", used)
	}

	ended := must[[]abi.GrantInfo](t, p, abi.MethodRevokeGrants, abi.GrantSelector{ID: token.ID, Reason: "enough"})
	if len(ended) != 1 || ended[0].ID != token.ID {
		t.Errorf("revoked %+v", ended)
	}
	wantDeferred(t, k, "s2", "after the revocation")
	events := entries(t, k, audit.Filter{Type: "capability.revoked"})
	if len(events) != 1 || events[0].Of != id || events[0].Reason != "enough" {
		t.Errorf("the revocation is recorded as %+v", events)
	}
	if again := must[[]abi.GrantInfo](t, p, abi.MethodRevokeGrants, abi.GrantSelector{ID: token.ID}); len(again) != 0 {
		t.Errorf("revoked twice: %+v", again)
	}
	if g := must[[]abi.GrantInfo](t, p, abi.MethodListGrants, nil); len(g) != 1 || g[0].Status != "revoked" || g[0].Problem != "enough" {
		t.Errorf("afterwards grants are %+v", g)
	}
}

func TestRevokeAllOfACapsule(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	approve(t, p, queue(t, k, p, "a").ID, approval.ApproveSession)
	approve(t, p, queue(t, k, p, "b").ID, approval.ApproveAlways)
	other := approval.Allowance{ID: "x", Principal: "default", Capsule: "other", Scope: approval.ScopeSession, Session: "a",
		Pattern: approval.Pattern{Type: approval.ExactResource, Resource: apiResource}}
	if err := k.gate.Allowances().Add(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []abi.GrantSelector{{}, {ID: "x", Capsule: "prov"}, {ID: "nonsense"}, {Capsule: "nobody"}} {
		if _, err := manage[[]abi.GrantInfo](t, p, abi.MethodRevokeGrants, bad); err == nil {
			t.Errorf("%+v revoked something", bad)
		}
	}
	if ended := must[[]abi.GrantInfo](t, p, abi.MethodRevokeGrants, abi.GrantSelector{Capsule: "prov"}); len(ended) != 2 {
		t.Errorf("ended %+v", ended)
	}
	wantDeferred(t, k, "a", "its allowance is gone")
	wantDeferred(t, k, "b", "its token is gone")
	if left := k.gate.Allowances().List("default"); len(left) != 1 || left[0].ID != "x" {
		t.Errorf("left are %+v", left)
	}
}

func TestQueuedIsToldToItsSession(t *testing.T) {
	k := boot(t)
	mine, other, all, approver := connect(t, k), connect(t, k), connect(t, k), connect(t, k)
	for p, sub := range map[*peer]string{
		mine:  `{"topics":["astrid.v1.approval"],"sessions":["s1"]}`,
		other: `{"topics":["astrid.v1.approval"],"sessions":["s2"]}`,
		all:   `{"topics":["astrid.v1.approval"],"sessions":["*"]}`,
	} {
		if e := p.ack(`{"topic":"client.v1.subscribe","payload":` + sub + `}`); e != "" {
			t.Fatal(e)
		}
	}
	notice := func(p *peer) (n approvalPrompt) {
		t.Helper()
		m := p.recv()
		if m.Topic != abi.TopicApproval || json.Unmarshal(m.Payload, &n) != nil || !n.Queued {
			t.Fatalf("got %s %s", m.Topic, m.Payload)
		}
		return n
	}
	r := queue(t, k, connect(t, k), "s1")
	for _, p := range []*peer{mine, all} {
		if n := notice(p); n.RequestID != r.ID || n.Session != "s1" || n.Resource != apiResource {
			t.Errorf("told %+v", n)
		}
	}
	// The agent tries again: the same request waits, and the client of that turn is told too.
	wantDeferred(t, k, "s1", "again")
	if n := notice(mine); n.RequestID != r.ID {
		t.Errorf("told %+v", n)
	}
	// The first thing that the other session hears of is its own.
	r2 := queue(t, k, connect(t, k), "s2")
	if n := notice(other); n.RequestID != r2.ID {
		t.Errorf("the other session was told %+v", n)
	}
	// Whoever answers questions is told by the gate, once each.
	approver.send(`{"topic":"client.v1.subscribe","payload":{"topics":["astrid.v1.approval"],"sessions":["*"],"approver":true}}`)
	if first, second := notice(approver), notice(approver); first.RequestID != r.ID || second.RequestID != r2.ID {
		t.Errorf("the approver was told %+v, %+v", first, second)
	}
	k.tellQueued(approval.Subject{Principal: "default", Session: "s1"}, &approval.Denial{RequestID: r.ID})
	if n := notice(mine); n.RequestID != r.ID {
		t.Errorf("told %+v", n)
	}
	approver.send(`{"topic":"astrid.v1.request.t","payload":{"type":"raw_json","method":"GetMode"}}`)
	if m := approver.recv(); m.Topic != "astrid.v1.response.t" {
		t.Errorf("the approver was told twice: %s %s", m.Topic, m.Payload)
	}
}

func TestBudgetIsShown(t *testing.T) {
	k := boot(t, func(o *Options) {
		put(t, o.Home.ConfigFile(), "[workspace]\nmode = \"autonomous\"\n[security.policy]\nrequire_approval_for_network = false\n[budget]\nsession_max_usd = 1.0\nper_action_max_usd = 1.0\n[budget.tariff]\n\"api.example.com\" = 0.4\n")
	})
	p := connect(t, k)
	wantAllowed(t, k, "s1", "first")
	wantAllowed(t, k, "s1", "second")
	err := request(t, k, "s1")
	if !errors.Is(err, approval.ErrBudget) || !strings.Contains(err.Error(), "config.toml:6") {
		t.Errorf("the third request: %v", err)
	}
	b := must[abi.BudgetInfo](t, p, abi.MethodGetBudget, nil)
	if len(b.Limits) != 3 || b.Limits[0].MaxUSD != 1 || !strings.Contains(b.Limits[0].Source, "config.toml:6") {
		t.Errorf("limits are %+v", b.Limits)
	}
	if len(b.Tariff) != 1 || b.Tariff[0].Host != "api.example.com" || b.Tariff[0].USD != 0.4 {
		t.Errorf("tariff is %+v", b.Tariff)
	}
	if len(b.Totals) != 2 || b.Totals[1].Name != "s1" || b.Totals[1].SpentUSD != 0.8 || b.Totals[1].ReservedUSD != 0 || b.Totals[1].MaxUSD != 1 {
		t.Errorf("totals are %+v", b.Totals)
	}
	g, err := k.gate.Intercept(t.Context(), approval.Subject{Principal: "default", Capsule: "prov", Session: "s2", Bounds: anything{}},
		approval.Action{Kind: approval.NetRequest, Class: approval.Guarded, Resource: apiResource})
	if err != nil {
		t.Fatal(err)
	}
	totals := must[abi.BudgetInfo](t, p, abi.MethodGetBudget, nil).Totals
	if last := totals[len(totals)-1]; last.Name != "s2" || last.ReservedUSD != 0.4 || last.SpentUSD != 0 {
		t.Errorf("while it runs: %+v", last)
	}
	if err := g.Settle(t.Context(), approval.Outcome{Undone: true}); err != nil {
		t.Fatal(err)
	}
	totals = must[abi.BudgetInfo](t, p, abi.MethodGetBudget, nil).Totals
	if last := totals[len(totals)-1]; last.ReservedUSD != 0 || last.SpentUSD != 0 {
		t.Errorf("after the refund: %+v", last)
	}
}

// TestCancelledQuestionCostsNothing: a call that ends while a human is asked gives back what
// it had reserved, and leaves no question and no entry.
func TestCancelledQuestionCostsNothing(t *testing.T) {
	k := boot(t)
	approver := connect(t, k)
	if e := approver.ack(`{"topic":"client.v1.subscribe","payload":{"topics":["astrid.v1.approval"],"sessions":["s1"],"approver":true,"own_sessions":true}}`); e != "" {
		t.Fatal(e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := k.gate.Intercept(ctx, approval.Subject{Principal: "default", Capsule: "prov", Session: "s1", Bounds: anything{}},
			approval.Action{Kind: approval.NetRequest, Class: approval.Guarded, Resource: apiResource, CostUSD: 2})
		done <- err
	}()
	if m := approver.recv(); m.Topic != abi.TopicApproval {
		t.Fatalf("got %s %s", m.Topic, m.Payload)
	}
	p := connect(t, k)
	totals := must[abi.BudgetInfo](t, p, abi.MethodGetBudget, nil).Totals
	if len(totals) != 2 || totals[1].ReservedUSD != 2 {
		t.Errorf("while it waits: %+v", totals)
	}
	if open := must[[]abi.ApprovalInfo](t, p, abi.MethodListApprovals, nil); len(open) != 1 || open[0].Queued || open[0].Deadline.IsZero() || open[0].CostUSD != 2 {
		t.Errorf("open are %+v", open)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the call ended with %v", err)
	}
	for _, total := range must[abi.BudgetInfo](t, p, abi.MethodGetBudget, nil).Totals {
		if total.ReservedUSD != 0 || total.SpentUSD != 0 {
			t.Errorf("afterwards: %+v", total)
		}
	}
	if open := must[[]abi.ApprovalInfo](t, p, abi.MethodListApprovals, nil); len(open) != 0 {
		t.Errorf("still open: %+v", open)
	}
	if e := entries(t, k, audit.Filter{Capsule: "prov"}); len(e) != 0 {
		t.Errorf("recorded are %+v", e)
	}
	// Another session is not held up by a client that answers for this one only.
	wantDeferred(t, k, "s2", "another session")
}

// Somebody who asks for much and at length must not hide from people what waits for them.
func TestLongListOfApprovals(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	padding := strings.Repeat("\x01", 4000)
	for n := range 120 {
		a := approval.Action{Kind: approval.Exec, Argv: []string{"/bin/echo", strconv.Itoa(n), padding}, Detail: padding}
		if err := act(t, k, "s", a); !errors.Is(err, approval.ErrDeferred) {
			t.Fatalf("request %d: %v", n, err)
		}
	}
	list := must[[]abi.ApprovalInfo](t, p, abi.MethodListApprovals, nil)
	if len(list) != 120 {
		t.Fatalf("%d of 120 are listed", len(list))
	}
	first, last := list[0], list[119]
	if strings.Contains(first.Resource, "left out") || !strings.Contains(last.Resource, "left out") || !strings.HasPrefix(last.Resource, "exec:///bin/echo") {
		t.Errorf("resources of %d and %d bytes", len(first.Resource), len(last.Resource))
	}
	alone := must[[]abi.ApprovalInfo](t, p, abi.MethodListApprovals, abi.ApprovalQuery{RequestID: last.ID})
	if len(alone) != 1 || alone[0].ID != last.ID || len(alone[0].Resource) < len(padding) || strings.Contains(alone[0].Resource, "left out") {
		t.Errorf("alone it is %+.100v", alone)
	}
	if _, err := manage[[]abi.ApprovalInfo](t, p, abi.MethodListApprovals, abi.ApprovalQuery{RequestID: "nobody's"}); err == nil {
		t.Error("a request that does not exist is found")
	}
}
