package capsule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

func joined(answers []json.RawMessage) string { return fmt.Sprintf("%s", answers) }

func TestTriggerGathersInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		// The slowest comes first, so order of completion would be the wrong one.
		w.load(manifest("zz", "hook.* h 1"), map[string]handler{"h": after(3*time.Second, answer("\x00\"zz\""))})
		w.load(manifest("b", "hook.x h", "hook.x h2"), map[string]handler{"h": after(2*time.Second, answer("\x01\"b\"")), "h2": answer("\"b2\"")})
		w.load(manifest("a", "hook.x h"), map[string]handler{"h": after(time.Second, answer("\x00\"a\""))})
		w.load(manifest("quiet", "hook.x h"), map[string]handler{"h": answer("")})
		w.load(manifest("old", "hook.x h"), map[string]handler{"h": answer("null")})
		w.load(manifest("nay", "hook.x h"), map[string]handler{"h": answer("\x02no")})
		bad, _ := w.load(manifest("bad", "hook.x h"), map[string]handler{"h": answer("rubbish")})
		trap, _ := w.load(manifest("trap", "hook.x h"), map[string]handler{"h": func(context.Context, *Invocation) ([]byte, error) { return nil, ErrInstanceDead }})
		w.load(manifest("me", "hook.x h"), map[string]handler{"h": answer("\"me\"")})
		start := time.Now()
		got, err := w.Trigger(t.Context(), Caller{Capsule: "me"}, "hook.x", []byte(`{}`))
		if err != nil || joined(got) != `["zz" "a" "b" "b2"]` {
			t.Errorf("%s %v", got, err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("took %v: all must be asked at once", d)
		}
		if bad.Status().Failed != 1 || trap.Status().Failed != 1 {
			t.Error("failures are not counted")
		}
		if got, err := w.Trigger(t.Context(), Caller{}, "hook.nobody.hears", []byte(`{}`)); err != nil || len(got) != 0 {
			t.Errorf("%s %v", got, err)
		}
	})
}

func TestTriggerCarriesTheCaller(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	var seen *Invocation
	w.load(manifest("one", "hook.x h"), map[string]handler{"h": func(_ context.Context, in *Invocation) ([]byte, error) {
		seen = in
		return nil, nil
	}})
	from := Caller{Capsule: "me", SourceID: "uuid", Principal: "alice", Session: "s1", Chain: []string{"root"}, Hops: 4}
	if _, err := w.Trigger(t.Context(), from, "hook.x", []byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	m := seen.Message
	if seen.Principal != "alice" || seen.Session != "s1" || !slices.Equal(seen.Chain, []string{"root", "me"}) || string(seen.Payload) != `{"a":1}` ||
		m.Topic != "hook.x" || m.Source != "me" || m.SourceID != "uuid" || m.Hops != 5 || m.Principal != "alice" {
		t.Errorf("invocation %+v, message %+v", seen, m)
	}
	if len(from.Chain) != 1 {
		t.Error("the caller's chain was changed")
	}
}

func TestTriggerRefuses(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	_, e := w.load(manifest("b", "hook.x h"), map[string]handler{"h": answer("1")})
	w.load(manifest("root", "hook.x h"), map[string]handler{"h": answer("1")})
	_, err := w.Trigger(t.Context(), Caller{Capsule: "me", Chain: []string{"zero", "root"}}, "hook.x", []byte("1"))
	var cycle *CycleError
	if !errors.As(err, &cycle) || !slices.Equal(cycle.Path, []string{"root", "me", "root"}) || !errors.Is(err, abi.ErrDenied) {
		t.Errorf("cycle: %v", err)
	}
	if e.calls.Load() != 0 {
		t.Error("others were asked before the refusal")
	}
	if _, err := w.Trigger(t.Context(), Caller{}, "hook..x", []byte("1")); !errors.Is(err, ipc.ErrTopic) {
		t.Errorf("topic: %v", err)
	}
	if _, err := w.Trigger(t.Context(), Caller{}, "hook.x", []byte("{")); !errors.Is(err, ipc.ErrJSON) || !errors.Is(err, abi.ErrInvalid) {
		t.Errorf("payload: %v", err)
	}
	if _, err := w.Trigger(t.Context(), Caller{Hops: MaxHops}, "hook.x", []byte("1")); !errors.Is(err, abi.ErrLimit) {
		t.Errorf("hops: %v", err)
	}
}

func TestTriggerEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.load(manifest("a", "hook.x h"), map[string]handler{"h": answer("1")})
		w.load(manifest("b", "hook.x h"), map[string]handler{"h": forever})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got, err := w.Trigger(ctx, Caller{}, "hook.x", []byte("1")); !errors.Is(err, context.DeadlineExceeded) || got != nil {
			t.Errorf("%s %v", got, err)
		}
	})
}

// Long messages of some sessions do not keep others from asking a capsule what it has, and no more than one instance is made
// for that. A capsule with one instance has its state there: it is asked when that is free.
func TestHooksDoNotWaitForLongMessages(t *testing.T) {
	for _, workers := range []int{1, 3} {
		for _, orderBy := range []string{"", "id"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.close()
				e := &script{handlers: map[string]handler{"work": after(time.Minute, answer("")), "h": after(time.Second, answer("1"))}}
				m := manifest("a", "do.work work", "hook.x h")
				m.Components = []Component{{ID: "a", Instances: workers, OrderBy: orderBy}}
				c := w.make(m, e, Options{})
				if err := errors.Join(w.registry.Add(c), c.Start(context.Background())); err != nil {
					t.Fatal(err)
				}
				for i := range 2 * workers {
					m := message("do.work", fmt.Sprintf(`{"id":%d}`, i))
					if err := w.Publish(t.Context(), m); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				began := time.Now()
				for range 2 {
					got, err := w.Trigger(t.Context(), Caller{Principal: "alice", Session: "other"}, "hook.x", []byte("{}"))
					if err != nil || len(got) != 1 {
						t.Errorf("%s %v", got, err)
					}
				}
				if took := time.Since(began); (took == 2*time.Second) != (workers > 1) {
					t.Errorf("%d workers, ordered by %q: it took %s", workers, orderBy, took)
				}
				if n := e.made.Load(); n > int64(workers)+1 || workers == 1 && n != 1 {
					t.Errorf("%d workers: %d instances", workers, n)
				}
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if s := c.Status(); s.Handled != uint64(2*workers)+2 || s.Queued != 0 {
					t.Errorf("%+v", s)
				}
			})
		}
	}
}
