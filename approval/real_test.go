package approval

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/capability"
)

// realGate is the gate over the signed log and the signed tokens.
type realGate struct {
	*Interceptor
	log    *audit.Log
	tokens *capability.Tokens
	bounds *bounds
}

func newRealGate(t testing.TB, rules Rules, home string, store capability.Store) *realGate {
	t.Helper()
	key, err := capability.NewKey(make([]byte, capability.SeedSize))
	must(t, err)
	files, err := audit.NewFileStore(home, audit.FileStoreOptions{})
	must(t, err)
	anchor, err := audit.NewSlotAnchor(t.TempDir())
	must(t, err)
	log, err := audit.Open(audit.Options{Store: files, Anchor: anchor, Signer: key})
	must(t, err)
	t.Cleanup(func() {
		log.Close()
		anchor.Close()
		files.Close()
	})
	tokens, err := capability.Open(capability.Options{Store: store, Signer: key})
	must(t, err)
	p, err := CompilePolicy(rules)
	must(t, err)
	i, err := New(Options{Auditor: NewAuditLog(log), Tokens: NewTokenStore(tokens), Policy: p})
	must(t, err)
	return &realGate{i, log, tokens, &bounds{refuse: map[Kind]bool{}}}
}

func (g *realGate) subject() Subject {
	return Subject{Principal: "alice", Capsule: "fs", Session: "s1", Workspace: "/ws", Bounds: g.bounds}
}

func (g *realGate) entries(t *testing.T) []audit.Entry {
	t.Helper()
	var out []audit.Entry
	for e, err := range g.log.Query(context.Background(), audit.Filter{Principal: "alice"}) {
		must(t, err)
		out = append(out, e)
	}
	return out
}

func TestRealEntries(t *testing.T) {
	g := newRealGate(t, Rules{ModeSource: "config.toml:2"}, t.TempDir(), capability.NewMemStore())
	ctx := context.Background()
	s := g.subject()
	s.Via = []string{"react"}
	a := inWS(write("/ws/a"))
	a.Function = "astrid_write_file"
	grant, err := g.Intercept(ctx, s, a)
	must(t, err)
	must(t, grant.Settle(ctx, Outcome{Err: errDisk}))
	if _, err := g.Intercept(ctx, s, inWS(read("/ws/\u00e9"))); err != nil {
		t.Fatal(err)
	}
	_, err = g.Intercept(ctx, s, run("sudo", strings.Repeat("x", 20<<10)))
	var d *Denial
	if !errors.As(err, &d) {
		t.Fatal(err)
	}
	_, err = g.Intercept(ctx, s, write("/data/a"))
	if !errors.Is(err, ErrDeferred) {
		t.Fatal(err)
	}
	all := g.entries(t)
	if len(all) != 5 {
		t.Fatalf("%d entries", len(all))
	}
	e := all[0]
	if e.ID.String() != grant.AuditID() || e.Verdict != audit.Allow || e.Layer != LayerPolicy || e.Rule != "mode safe" || e.Source != "config.toml:2" ||
		e.Function != "astrid_write_file" || e.Action != "fs_write" || e.Resource != "fs:write:///ws/a" || e.Proof.Kind != audit.ProofPolicy ||
		e.Capsule != "fs" || e.Session != "s1" || !slices.Equal(e.Via, s.Via) {
		t.Errorf("%s", e.Line())
	}
	if o := all[1]; o.Of != e.ID || o.Outcome.Status != audit.Failure || o.Outcome.Text != "disk full" {
		t.Errorf("%s", o.Line())
	}
	if x := all[3]; x.Verdict != audit.Deny || x.ID.String() != d.AuditID || x.Rule != "no privileges" || !strings.Contains(x.Resource, "blake3") {
		t.Errorf("%.400s", x.Line())
	}
	if x := all[4]; x.Verdict != audit.Defer || !strings.Contains(string(x.Data), `"request_id"`) {
		t.Errorf("%s", x.Line())
	}
}

// TestRealAlways: "always" mints a token that a later gate finds, for this principal, capsule and resource only.
func TestRealAlways(t *testing.T) {
	store := capability.NewMemStore()
	g := newRealGate(t, Rules{}, t.TempDir(), store)
	ctx := context.Background()
	g.Approvals().Attach("alice", func(e Event) {
		if e.Type == Asked {
			must(t, g.Approvals().Resolve(ctx, "alice", e.Request.ID, Decision{Choice: ApproveAlways}))
		}
	})
	first, err := g.Intercept(ctx, g.subject(), write("/data/a*"))
	must(t, err)
	if !strings.HasPrefix(first.Proof(), "token:") {
		t.Fatalf("proof %s", first.Proof())
	}
	g = newRealGate(t, Rules{}, t.TempDir(), store)
	again, err := g.Intercept(ctx, g.subject(), write("/data/a*"))
	if err != nil || again.Proof() != first.Proof() {
		t.Fatalf("%v", err)
	}
	e := g.entries(t)[0]
	if e.Proof.Kind != audit.ProofToken || "token:"+e.Proof.ID != again.Proof() || len(e.Proof.Hash) != 64 {
		t.Errorf("%s", e.Line())
	}
	for name, change := range map[string]func(*Subject, *Action){
		"principal": func(s *Subject, _ *Action) { s.Principal = "bob" },
		"capsule":   func(s *Subject, _ *Action) { s.Capsule = "web" },
		"path":      func(_ *Subject, a *Action) { *a = write("/data/ab") },
		"verb":      func(_ *Subject, a *Action) { *a = read("/data/a*") },
	} {
		s, a := g.subject(), write("/data/a*")
		change(&s, &a)
		if _, err := g.Intercept(ctx, s, a); !errors.Is(err, ErrDeferred) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	infos, err := g.tokens.List(ctx, "alice")
	must(t, err)
	must(t, g.tokens.Revoke(ctx, "alice", infos[0].Token.ID, "test"))
	if _, err := g.Intercept(ctx, g.subject(), write("/data/a*")); !errors.Is(err, ErrDeferred) {
		t.Errorf("after revocation: %v", err)
	}
}

// TestRealSingleUse: of many callers one gets a single-use token, and a lost audit log gives it back.
func TestRealSingleUse(t *testing.T) {
	g := newRealGate(t, Rules{}, t.TempDir(), capability.NewMemStore())
	ctx := context.Background()
	var id audit.ID
	copy(id[:], "0123456789abcdef")
	mint := func() {
		_, err := g.tokens.Mint(ctx, capability.Request{Principal: "alice", Capsule: "fs", Resource: "fs:write:///data/**",
			AuditID: [16]byte(id), SingleUse: true})
		must(t, err)
	}
	mint()
	mint()
	var passed, deferred int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := g.Intercept(ctx, g.subject(), write("/data/a"))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				passed++
			case errors.Is(err, ErrDeferred):
				deferred++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if passed != 2 || deferred != 6 {
		t.Errorf("%d passed with two tokens, %d deferred", passed, deferred)
	}
	mint()
	must(t, g.log.Close())
	if _, err := g.Intercept(ctx, g.subject(), write("/data/b")); !errors.Is(err, ErrAuditFailed) {
		t.Fatalf("%v", err)
	}
	m, err := g.tokens.Find(ctx, "alice", "fs", "fs:write:///data/b")
	if err != nil || m == nil {
		t.Errorf("the unused token is gone: %v", err)
	}
}

func TestMintRefusesNonsense(t *testing.T) {
	g := newRealGate(t, Rules{}, t.TempDir(), capability.NewMemStore())
	ts := NewTokenStore(g.tokens)
	good := Mint{Principal: "alice", Capsule: "fs", Resource: "fs:read:///a", AuditID: "0190a0b0-0000-7000-8000-000000000001"}
	if _, err := ts.Mint(context.Background(), good); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*Mint){
		func(m *Mint) { m.Capsule = "" }, func(m *Mint) { m.Principal = "" }, func(m *Mint) { m.AuditID = "entry-1" },
		func(m *Mint) { m.Resource = "everything" }, func(m *Mint) { m.Resource = "fs:read:///a/../b" },
	} {
		m := good
		change(&m)
		if id, err := ts.Mint(context.Background(), m); err == nil {
			t.Errorf("%+v is minted as %s", m, id)
		}
	}
}

// signOnly writes entries as the log does, without a disk, so that the benchmark compares the gate with one signature.
type signOnly struct{ key ed25519.PrivateKey }

func (s signOnly) Append(_ context.Context, r Record) (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	return string(ed25519.Sign(s.key, text)[:8]), nil
}

func (signOnly) Settle(context.Context, Settlement) error { return nil }

func BenchmarkGate(b *testing.B) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	runtime, err := capability.NewKey(make([]byte, capability.SeedSize))
	must(b, err)
	tokens, err := capability.Open(capability.Options{Store: capability.NewMemStore(), Signer: runtime})
	must(b, err)
	i, err := New(Options{Auditor: signOnly{key}, Tokens: NewTokenStore(tokens)})
	must(b, err)
	s := someone
	s.Bounds = &bounds{}
	a := inWS(write("/ws/src/main.go"))
	a.Size = 120
	text := make([]byte, 500)
	ctx := context.Background()
	b.Run("signature", func(b *testing.B) {
		for b.Loop() {
			ed25519.Sign(key, text)
		}
	})
	b.Run("allow", func(b *testing.B) {
		b.ReportAllocs()
		begin, rounds := time.Now(), 500
		for range rounds {
			ed25519.Sign(key, text)
		}
		signature := float64(time.Since(begin)) / float64(rounds)
		defer func() { b.ReportMetric(float64(b.Elapsed())/float64(b.N)/signature, "x-signature") }()
		for b.Loop() {
			g, err := i.Intercept(ctx, s, a)
			if err != nil {
				b.Fatal(err)
			}
			must(b, g.Settle(ctx, Outcome{}))
		}
	})
	b.Run("lagging-log", func(b *testing.B) {
		g := newRealGate(b, Rules{}, b.TempDir(), capability.NewMemStore())
		s := g.subject()
		a := inWS(read("/ws/src/main.go"))
		for b.Loop() {
			if _, err := g.Intercept(ctx, s, a); err != nil {
				b.Fatal(err)
			}
		}
	})
}
