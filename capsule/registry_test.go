package capsule

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestRegistry(t *testing.T) {
	r := NewRegistry()
	b := New(manifest("b", "a.b x"), &script{}, Options{SourceID: "uuid-b"})
	a := New(manifest("a"), &script{}, Options{})
	for _, c := range []*Capsule{b, a} {
		if err := r.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	if r.Get("b") != b || r.ByUUID("uuid-b") != b || r.Get("c") != nil || r.ByUUID("") != nil {
		t.Error("lookups")
	}
	if a.SourceID() == "" || r.ByUUID(a.SourceID()) != a || a.Principal() != "default" {
		t.Errorf("defaults: %q %q", a.SourceID(), a.Principal())
	}
	if got := r.List(); !slices.Equal(got, []*Capsule{a, b}) {
		t.Error("list is not sorted")
	}
	if err := r.Add(New(manifest("b"), &script{}, Options{})); !errors.Is(err, ErrLoaded) {
		t.Errorf("a second b: %v", err)
	}
	for _, id := range []string{"kernel", "client"} {
		if err := r.Add(New(manifest(id), &script{}, Options{})); !errors.Is(err, ErrReservedID) {
			t.Errorf("%s: %v", id, err)
		}
	}
	next := New(manifest("b", "a.c x"), &script{}, Options{})
	old, err := r.Replace(next)
	if err != nil || old != b || r.Get("b") != next || r.ByUUID("uuid-b") != nil {
		t.Errorf("replace: %v", err)
	}
	if len(r.match("a.b")) != 0 || len(r.match("a.c")) != 1 {
		t.Error("the index is stale")
	}
	if r.Remove("b") != next || r.Remove("b") != nil || r.Get("b") != nil || len(r.match("a.c")) != 0 {
		t.Error("remove")
	}
}

func TestCapsuleStatus(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	m := manifest("one", "a.b x")
	m.Dir, m.Package.Version = "/dir", MustVersion("1.2.3")
	c := w.make(m, &script{handlers: map[string]handler{"x": answer("")}}, Options{})
	if s := c.Status(); s.State != "loading" || s.Version != "1.2.3" || s.Dir != "/dir" || s.Name != "one" {
		t.Errorf("%+v", s)
	}
	if err := errors.Join(w.registry.Add(c), c.Start(context.Background())); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Invoke(t.Context(), "one", &Invocation{Action: "x"}); err != nil {
		t.Fatal(err)
	}
	if s := c.Status(); s.State != "ready" || s.Handled != 1 || s.Instances != 1 {
		t.Errorf("%+v", s)
	}
	if err := errors.Join(c.Stop(t.Context()), c.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	if s := c.Status(); s.State != "stopped" || s.Reason != "unloaded" || s.Instances != 0 {
		t.Errorf("%+v", s)
	}
	if err := c.Start(t.Context()); !errors.Is(err, ErrStarted) {
		t.Errorf("start after stop: %v", err)
	}
}

// The end of the daemon's context ends calls, also of capsules that nobody stops.
func TestCapsuleEndsWithTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		ctx, cancel := context.WithCancelCause(context.Background())
		c := w.make(manifest("one", "a.b x"), &script{handlers: map[string]handler{"x": forever}}, Options{})
		if err := errors.Join(w.registry.Add(c), c.Start(ctx)); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { cancel(errors.New("shutdown")) })
		if _, err := w.Invoke(t.Context(), "one", &Invocation{Action: "x"}); !errors.Is(err, ErrInterrupted) {
			t.Errorf("invoke: %v", err)
		}
	})
}

// A handler that is replaced between two steps of a chain: the successor gets the message.
func TestChainUsesTheSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		var j journal
		w.load(manifest("one", "a.b x"), map[string]handler{"x": after(time.Second, answer(""))})
		w.load(manifest("two", "a.b x"), map[string]handler{"x": j.note("old", "")})
		w.load(manifest("six", "a.b x 200"), map[string]handler{"x": j.note("six", "")})
		if err := w.Publish(t.Context(), message("a.b", "1")); err != nil {
			t.Fatal(err)
		}
		next := w.make(manifest("two", "a.b x"), &script{handlers: map[string]handler{"x": j.note("new", "")}}, Options{})
		old, err := w.registry.Replace(next)
		if err := errors.Join(err, next.Start(context.Background()), old.Stop(t.Context())); err != nil {
			t.Fatal(err)
		}
		w.registry.Remove("six") // and one that is gone is reported
		time.Sleep(2 * time.Second)
		if j.String() != "new(1)" {
			t.Error(j.String())
		}
		if got := w.failed(); len(got) != 1 || got[0] != "six x a.b: capsule six: capsule is stopped" {
			t.Errorf("failures %q", got)
		}
	})
}
