package approval

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/capability"
)

// faulty is a capability store that fails in scripted ways.
type faulty struct {
	find  []error // by call; nil = a token
	claim []error
	finds int
}

func (f *faulty) Find(context.Context, *Subject, *Action) (Token, error) {
	n := f.finds
	f.finds++
	if n < len(f.find) && f.find[n] != nil {
		return nil, f.find[n]
	}
	return badCoin{f, n}, nil
}

func (f *faulty) Mint(context.Context, Mint) (string, error) { return "", errDisk }

type badCoin struct {
	f *faulty
	n int
}

func (badCoin) ID() string   { return "bad" }
func (badCoin) Hash() string { return "" }
func (c badCoin) Claim(context.Context) error {
	if c.n < len(c.f.claim) {
		return c.f.claim[c.n]
	}
	return nil
}
func (badCoin) Release(context.Context) error { return errDisk }

func TestTokensThatFail(t *testing.T) {
	gone := ErrTokenGone
	for _, tc := range []struct {
		name        string
		find, claim []error
		proof       string // "" = the human is asked
		finds       int
	}{
		{"store fails", []error{errDisk}, nil, "", 1},
		{"taken by another, then found", nil, []error{gone, gone}, "token:bad", 3},
		{"taken each time", nil, []error{gone, gone, gone, gone, gone}, "", claimTries},
		{"claim fails", nil, []error{errDisk}, "", 1},
	} {
		f := &faulty{find: tc.find, claim: tc.claim}
		i, err := New(Options{Auditor: &ledger{}, Tokens: f})
		must(t, err)
		s := someone
		s.Bounds = &bounds{}
		g, err := i.Intercept(context.Background(), s, write("/data/a"))
		if tc.proof == "" {
			if !errors.Is(err, ErrDeferred) {
				t.Errorf("%s: %v", tc.name, err)
			}
		} else if err != nil || g.Proof() != tc.proof {
			t.Errorf("%s: %v", tc.name, err)
		}
		if f.finds != tc.finds {
			t.Errorf("%s: looked %d times, want %d", tc.name, f.finds, tc.finds)
		}
	}
}

// TestGivingBackMayFailToo: the refusal stands, whatever happens on the way back.
func TestGivingBackMayFailToo(t *testing.T) {
	log := &ledger{fail: errDisk}
	i, err := New(Options{Auditor: log, Tokens: &faulty{}})
	must(t, err)
	s := someone
	s.Bounds = &bounds{}
	if _, err := i.Intercept(context.Background(), s, write("/data/a")); !errors.Is(err, ErrAuditFailed) {
		t.Error(err)
	}
	d := newDisk()
	r := newRig(t, rigOptions{disk: d})
	must(t, r.Allowances().Add(context.Background(), Allowance{ID: "x", Principal: "alice", Capsule: "fs", Scope: ScopeWorkspace,
		Workspace: "/ws", Pattern: Pattern{Type: CapsuleWildcard, CapsuleID: "fs"}, MaxUses: 1}))
	d.failWith(errDisk)
	if _, err := r.Intercept(context.Background(), r.subject(), write("/data/a")); err == nil {
		t.Error("an allowance whose use cannot be saved lets the action through")
	}
}

func TestBadAllowances(t *testing.T) {
	good := Allowance{ID: "x", Principal: "alice", Capsule: "fs", Scope: ScopeSession, Pattern: Pattern{Type: CapsuleWildcard, CapsuleID: "fs"}}
	as := newAllowances(t, newDisk(), nil)
	must(t, as.Add(context.Background(), good))
	for name, change := range map[string]func(*Allowance){
		"id": func(a *Allowance) { a.ID = "" }, "principal": func(a *Allowance) { a.Principal = "" }, "capsule": func(a *Allowance) { a.Capsule = "" },
		"uses": func(a *Allowance) { a.MaxUses = -1 }, "used": func(a *Allowance) { a.Used = -1 }, "once": func(a *Allowance) { a.Scope = ScopeOnce },
		"workspace": func(a *Allowance) { a.Scope = ScopeWorkspace }, "scope": func(a *Allowance) { a.Scope = "ever" },
		"pattern": func(a *Allowance) { a.Pattern = Pattern{} },
	} {
		a := good
		change(&a)
		if err := as.Add(context.Background(), a); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if n := len(as.List("alice")); n != 1 {
		t.Errorf("%d allowances", n)
	}
}

func TestRevocationHoldsWhenTheStoreFails(t *testing.T) {
	ctx, d := context.Background(), newDisk()
	as := newAllowances(t, d, nil)
	ws := sessionAllowance("ws", Pattern{Type: CapsuleWildcard, CapsuleID: "llm"})
	ws.Scope, ws.Workspace = ScopeWorkspace, "/ws"
	must(t, as.Add(ctx, ws))
	d.failWith(errDisk)
	if err := as.Revoke(ctx, "alice", "ws"); !errors.Is(err, errDisk) {
		t.Errorf("%v", err)
	}
	a := read("/x")
	if use, _ := as.Consume(ctx, &someone, &a); use != nil {
		t.Error("a revoked allowance still counts")
	}
}

func TestPatternTexts(t *testing.T) {
	for want, p := range map[string]Pattern{
		"fs:read:///a": {Type: ExactResource, Resource: "fs:read:///a"}, "POST net:x": {Type: ExactResource, Resource: "net:x", Method: "POST"},
		"net:https://a/**": {Type: ResourceGlob, Pattern: "net:https://a/**"}, "mcp:s:t": {Type: ExactTool, Server: "s", Tool: "t"},
		"mcp:s:*": {Type: ServerTools, Server: "s"}, "file:/a (read)": {Type: FilePattern, Pattern: "/a", Permission: "read"},
		"net:a:[80,443]": {Type: NetworkHost, Host: "a", Ports: []int{80, 443}}, "net:a:*": {Type: NetworkHost, Host: "a"},
		"cmd:git *": {Type: CommandPattern, Command: "git *"}, "workspace:x (write)": {Type: WorkspaceRelative, Pattern: "x", Permission: "write"},
		"capsule:c:kv": {Type: CapsuleCapability, CapsuleID: "c", Capability: "kv"}, "capsule:c:*": {Type: CapsuleWildcard, CapsuleID: "c"},
		`od\u{7}d`: {Type: "od\ad"},
	} {
		if got := p.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTooComplexCommands(t *testing.T) {
	p := mustPolicy(t, Rules{Mode: Yolo})
	argv := append([]string{"env"}, strings.Fields(strings.Repeat("1 ", 5000))...)
	if v := execVerdict(p, argv...); v.effect != deny || !strings.Contains(v.reason, "too complex") {
		t.Errorf("%v %s", v.effect, v.reason)
	}
	if v := execVerdict(p, append([]string{"rm"}, argv...)...); v.effect != allow {
		t.Errorf("many arguments are no reason: %s", v.reason)
	}
}

func TestRealSettlement(t *testing.T) {
	g := newRealGate(t, Rules{Mode: Autonomous}, t.TempDir(), capability.NewMemStore())
	ctx := context.Background()
	a := get("https://a.test/")
	a.CostUSD = 0.5
	grant, err := g.Intercept(ctx, g.subject(), a)
	must(t, err)
	must(t, grant.Settle(ctx, Outcome{HasCost: true, CostUSD: 0.25, Detail: "200 OK\x1b"}))
	all := g.entries(t)
	if len(all) != 2 || *all[0].CostUSD != 0.5 || *all[1].CostUSD != 0.25 || all[1].Outcome.Status != audit.Success || all[1].Outcome.Text != `200 OK\u{1b}` {
		t.Errorf("%s\n%s", all[0].Line(), all[1].Line())
	}
	if w, ok := grant.(interface{ BudgetWarning() (BudgetWarning, bool) }).BudgetWarning(); ok {
		t.Errorf("%+v", w)
	}
	if err := NewAuditLog(g.log).Settle(ctx, Settlement{Principal: "alice", AuditID: "entry-1"}); err == nil {
		t.Error("an outcome of nothing is recorded")
	}
}

func TestTokenLifetime(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	key, err := capability.NewKey(make([]byte, capability.SeedSize))
	must(t, err)
	tokens, err := capability.Open(capability.Options{Store: capability.NewMemStore(), Signer: key, Now: func() time.Time { return now }, Skew: -1})
	must(t, err)
	ts := NewTokenStore(tokens)
	ts.TTL = time.Hour
	ctx := context.Background()
	_, err = ts.Mint(ctx, Mint{Principal: "alice", Capsule: "llm", Resource: "fs:read:///a", AuditID: "0190a0b0-0000-7000-8000-000000000001"})
	must(t, err)
	a := read("/a")
	tok, err := ts.Find(ctx, &someone, &a)
	if err != nil || tok == nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour)
	if err := tok.Claim(ctx); !errors.Is(err, ErrTokenGone) {
		t.Errorf("%v", err)
	}
	if tok, err := ts.Find(ctx, &someone, &a); tok != nil || err != nil {
		t.Errorf("%v, %v", tok, err)
	}
	odd := Action{Resource: "fs:read://a\x00"}
	if tok, err := ts.Find(ctx, &someone, &odd); tok != nil || err != nil {
		t.Errorf("a resource that nothing may match: %v, %v", tok, err)
	}
}
