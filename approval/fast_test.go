package approval

import (
	"context"
	"errors"
	"testing"
)

func TestLightCallsAreCountedNotRecorded(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, c := range []Class{Plain, Message} {
		g, err := r.Intercept(context.Background(), r.subject(), Action{Kind: KV, Class: c, Resource: "kv:a"})
		must(t, err)
		if g.AuditID() != "" {
			t.Error("a light call has an audit entry")
		}
		must(t, g.Settle(context.Background(), Outcome{}))
	}
	if n := len(r.log.all()); n != 0 {
		t.Errorf("%d entries, want none", n)
	}
	if s := r.Stats(); s.Plain != 1 || s.Message != 1 || s.Guarded != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestLightRefusalIsRecorded(t *testing.T) {
	r := newRig(t, rigOptions{rules: Rules{BlockedCapsules: []Rule{{"bad", "config.toml:9"}}}})
	r.bounds.refuse[KV] = true
	s := r.subject()
	_, err := r.Intercept(context.Background(), s, Action{Kind: KV, Class: Plain})
	var d *Denial
	if !errors.As(err, &d) || d.Layer != LayerManifest || d.Rule != "capabilities.kv" || d.Source != "Capsule.toml:7" || d.AuditID == "" {
		t.Errorf("denial %+v", d)
	}
	s.Capsule = "bad"
	_, err = r.Intercept(context.Background(), s, Action{Kind: IPCPublish, Class: Message})
	if !errors.As(err, &d) || d.Layer != LayerPolicy || d.Source != "config.toml:9" || !errors.Is(err, ErrDenied) {
		t.Errorf("denial %+v", d)
	}
	if n := len(r.log.all()); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}

func TestLightCallsAllocateNothing(t *testing.T) {
	r := newRig(t, rigOptions{rules: DefaultRules()})
	s, ctx := r.subject(), context.Background()
	a := Action{Kind: KV, Class: Plain, Function: "astrid_kv_get", Resource: "kv:a"}
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := r.Intercept(ctx, s, a); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per call, want none", n)
	}
}

func BenchmarkLight(b *testing.B) {
	i, err := New(Options{Auditor: &ledger{}})
	must(b, err)
	s := Subject{Principal: "alice", Capsule: "fs", Session: "s1", Workspace: "/ws", Bounds: &bounds{}}
	a := Action{Kind: KV, Class: Plain, Function: "astrid_kv_get", Resource: "kv:a"}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.Intercept(ctx, s, a); err != nil {
			b.Fatal(err)
		}
	}
}
