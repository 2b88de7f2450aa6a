package approval

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// row is one row of the decision table (security spec 7.3, with the changes of the design): what holds, and what
// must come of it.
type row struct {
	name string

	policy    string // blocked, allowed, asks
	token     string // "", once, many
	overspent bool   // the budget is too small for the cost of 5
	allowed   bool   // a one-use allowance matches
	human     string // "" nobody; a Choice; silent
	noAudit   bool
	badMint   bool

	err     error  // nil, ErrDenied, ErrBudget, ErrDeferred, ErrAuditFailed
	layer   string // of the denial
	proof   string // prefix
	entries int
	spent   Micros // after the decision, before settling
	used    bool   // the token's use is consumed
	left    bool   // the allowance's use is left
	granted int    // allowances there are afterwards, besides the one of the row
	minted  int
	queued  int
	asked   int
}

const five = 5 * microsPerUSD

var decisionTable = []row{
	{name: "blocked", policy: "blocked", token: "once", allowed: true, human: "approve",
		err: ErrDenied, layer: LayerPolicy, entries: 1, left: true},
	{name: "allowed, single-use token", policy: "allowed", token: "once", proof: "token:", entries: 1, spent: five, used: true},
	{name: "asks, single-use token", policy: "asks", token: "once", allowed: true, human: "approve",
		proof: "token:", entries: 1, spent: five, used: true, left: true},
	{name: "asks, token", policy: "asks", token: "many", proof: "token:", entries: 1, spent: five},
	{name: "token, budget exceeded", policy: "asks", token: "once", overspent: true, allowed: true,
		err: ErrBudget, layer: LayerBudget, entries: 1, left: true},
	{name: "budget exceeded", policy: "asks", overspent: true, allowed: true, human: "approve",
		err: ErrBudget, layer: LayerBudget, entries: 1, left: true},
	{name: "allowed, budget exceeded", policy: "allowed", overspent: true, err: ErrBudget, layer: LayerBudget, entries: 1},
	{name: "allowed", policy: "allowed", allowed: true, human: "deny", proof: "policy", entries: 1, spent: five, left: true},
	{name: "allowance", policy: "asks", allowed: true, human: "deny", proof: "allowance:", entries: 1, spent: five},
	{name: "approve", policy: "asks", human: "approve", proof: "user:", entries: 1, spent: five, asked: 1},
	{name: "approve_session", policy: "asks", human: "approve_session", proof: "allowance:", entries: 1, spent: five, granted: 1, asked: 1},
	{name: "approve_workspace", policy: "asks", human: "approve_workspace", proof: "allowance:", entries: 1, spent: five, granted: 1, asked: 1},
	{name: "approve_always", policy: "asks", human: "approve_always", proof: "token:", entries: 1, spent: five, minted: 1, asked: 1},
	{name: "approve_always, store fails", policy: "asks", human: "approve_always", badMint: true,
		proof: "user:", entries: 1, spent: five, asked: 1},
	{name: "approve_with_allowance", policy: "asks", human: "approve_with_allowance", proof: "allowance:", entries: 1,
		spent: five, granted: 1, asked: 1},
	{name: "deny", policy: "asks", human: "deny", err: ErrDenied, layer: LayerApproval, entries: 1, asked: 1},
	{name: "nobody", policy: "asks", err: ErrDeferred, layer: LayerApproval, entries: 1, queued: 1},
	{name: "cancelled", policy: "asks", human: "silent", err: context.Canceled, asked: 1},

	{name: "blocked, no audit", policy: "blocked", noAudit: true, err: ErrAuditFailed, layer: LayerAudit},
	{name: "allowed, no audit", policy: "allowed", noAudit: true, err: ErrAuditFailed, layer: LayerAudit},
	{name: "token, no audit", policy: "asks", token: "once", noAudit: true, err: ErrAuditFailed, layer: LayerAudit},
	{name: "allowance, no audit", policy: "asks", allowed: true, noAudit: true, err: ErrAuditFailed, layer: LayerAudit, left: true},
	{name: "budget, no audit", policy: "asks", overspent: true, noAudit: true, err: ErrAuditFailed, layer: LayerAudit},
	{name: "approve, no audit", policy: "asks", human: "approve", noAudit: true, err: ErrAuditFailed, layer: LayerAudit, asked: 1},
	{name: "session, no audit", policy: "asks", human: "approve_session", noAudit: true, err: ErrAuditFailed, layer: LayerAudit, asked: 1},
	{name: "always, no audit", policy: "asks", human: "approve_always", noAudit: true, err: ErrAuditFailed, layer: LayerAudit, asked: 1},
	{name: "deny, no audit", policy: "asks", human: "deny", noAudit: true, err: ErrAuditFailed, layer: LayerAudit, asked: 1},
	{name: "nobody, no audit", policy: "asks", noAudit: true, err: ErrAuditFailed, layer: LayerAudit},
}

func TestDecisionTable(t *testing.T) {
	for _, tc := range decisionTable {
		t.Run(tc.name, tc.check)
	}
}

func (tc row) check(t *testing.T) {
	rules := Rules{Mode: Safe}
	switch tc.policy {
	case "blocked":
		rules.DeniedHosts = []Rule{{"api.test", "config.toml:1"}}
	case "allowed":
		rules.SkipNetworkApproval = true
	}
	limits := Limits{SessionMax: 100 * microsPerUSD, WorkspaceMax: 100 * microsPerUSD}
	if tc.overspent {
		limits.SessionMax = 4 * microsPerUSD
	}
	r := newRig(t, rigOptions{rules: rules, limits: limits})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := get("https://api.test:443/v1/chat")
	a.CostUSD = 5
	if tc.token != "" {
		r.mint.add(Mint{Principal: "alice", Capsule: "fs", Resource: "net:https://api.test:443/**"}, tc.token == "once")
	}
	if tc.allowed {
		must(t, r.Allowances().Add(ctx, Allowance{ID: "given", Principal: "alice", Capsule: "fs", Scope: ScopeSession,
			Session: "s1", Pattern: Pattern{Type: NetworkHost, Host: "api.test"}, MaxUses: 1}))
	}
	if tc.badMint {
		r.mint.fail = errDisk
	}
	asked := tc.attach(r, cancel)
	if tc.noAudit {
		r.log.failWith(errDisk)
	}
	g, err := r.Intercept(ctx, r.subject(), a)

	switch {
	case tc.err == nil && err != nil:
		t.Fatal(err)
	case tc.err == nil:
		if !strings.HasPrefix(g.Proof(), tc.proof) || g.AuditID() != "entry-1" {
			t.Errorf("proof %q, entry %q", g.Proof(), g.AuditID())
		}
		want := Choice("")
		if tc.asked > 0 {
			want = Choice(tc.human)
		}
		if got := g.(interface{ Choice() Choice }).Choice(); got != want {
			t.Errorf("choice %q, want %q", got, want)
		}
	case !errors.Is(err, tc.err):
		t.Fatalf("got %v, want %v", err, tc.err)
	}
	var d *Denial
	if errors.As(err, &d) && (d.Layer != tc.layer || (d.AuditID == "") != tc.noAudit) {
		t.Errorf("denial %+v", d)
	}
	session, workspace := r.Budgets().Spent("alice", "s1", "/ws")
	if session != tc.spent || workspace != tc.spent {
		t.Errorf("spent %v and %v, want %v", session, workspace, tc.spent)
	}
	if n := len(r.log.all()); n != tc.entries {
		t.Errorf("%d entries, want %d", n, tc.entries)
	}
	if r.mint.used["t0"] != tc.used {
		t.Errorf("token used: %v", !tc.used)
	}
	left, granted := false, 0
	for _, al := range r.Allowances().List("alice") {
		if al.ID == "given" {
			left = true
		} else {
			granted++
		}
	}
	if left != tc.left || granted != tc.granted {
		t.Errorf("allowance left %v, granted %d; want %v, %d", left, granted, tc.left, tc.granted)
	}
	if minted := len(r.mint.tokens) - len(tc.token)/4; minted != tc.minted {
		t.Errorf("%d tokens minted, want %d", minted, tc.minted)
	}
	if n := len(r.Approvals().Pending("alice")); n != tc.queued {
		t.Errorf("%d queued, want %d", n, tc.queued)
	}
	if *asked != tc.asked {
		t.Errorf("asked %d times, want %d", *asked, tc.asked)
	}
}

// attach puts the row's human at a client.
func (tc row) attach(r *rig, cancel func()) (asked *int) {
	asked = new(int)
	if tc.human == "" {
		return asked
	}
	d := Decision{Choice: Choice(tc.human)}
	if d.Choice == ApprovePattern {
		d.Pattern = &Pattern{Type: NetworkHost, Host: "api.test"}
	}
	r.Approvals().Attach("alice", func(e Event) {
		if e.Type != Asked {
			return
		}
		*asked++
		if tc.human == "silent" {
			cancel()
			return
		}
		must(r.t, r.Approvals().Resolve(context.Background(), "alice", e.Request.ID, d))
	})
	return asked
}

// TestModes is the table of the design, row by row.
func TestModes(t *testing.T) {
	for _, tc := range []struct {
		mode                                      Mode
		inside, readOut, writeOut, spawn, net, id effect
	}{
		{Safe, allow, ask, ask, ask, ask, ask},
		{Guided, allow, allow, ask, ask, ask, ask},
		{Autonomous, allow, allow, allow, allow, allow, allow},
		{Yolo, allow, allow, allow, allow, allow, allow},
	} {
		p := mustPolicy(t, Rules{Mode: tc.mode, DeniedPaths: builtin("/etc/**"), DeniedHosts: builtin("evil.test")})
		for _, c := range []struct {
			name string
			a    Action
			want effect
		}{
			{"read inside", inWS(read("/ws/a")), tc.inside},
			{"write inside", inWS(write("/ws/a")), tc.inside},
			{"delete inside", inWS(Action{Kind: FSDelete, Resource: "fs:delete:///ws/a"}), tc.inside},
			{"read outside", read("/data/a"), tc.readOut},
			{"write outside", write("/data/a"), tc.writeOut},
			{"delete outside", Action{Kind: FSDelete, Resource: "fs:delete:///data/a"}, tc.writeOut},
			{"spawn", run("ls"), tc.spawn},
			{"request", get("https://api.test:443/"), tc.net},
			{"bind", Action{Kind: NetBind, Resource: "net:bind:unix:x"}, tc.net},
			{"identity", Action{Kind: Identity, Resource: "identity:link"}, tc.id},
			{"explicit question", Action{Kind: Ask, Resource: "ask:deploy:prod"}, tc.id},
			{"critical question", Action{Kind: Ask, Resource: "ask:pay:100", Risk: "critical"}, ask},
			{"elicit", Action{Kind: Elicit, Resource: "elicit:key"}, allow},
			// Hard blocks hold in all modes.
			{"denied path", read("/etc/shadow"), deny},
			{"denied path inside", inWS(write("/etc/shadow")), deny},
			{"denied host", get("https://evil.test:443/"), deny},
			{"sudo", run("sudo", "ls"), deny},
			{"dot-dot", inWS(read("/ws/../etc/x")), deny},
		} {
			must(t, c.a.complete())
			if v := p.judge(&Subject{Workspace: "/ws"}, &c.a); v.effect != c.want {
				t.Errorf("%s, %s: %v (%s), want %v", tc.mode, c.name, v.effect, v.rule, c.want)
			}
		}
	}
}
