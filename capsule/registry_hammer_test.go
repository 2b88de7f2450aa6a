package capsule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// A capsule is replaced again and again while messages, guards and hooks go through it: each
// message is handled exactly once, those of one publisher in order.
func TestHammerReplace(t *testing.T) {
	const publishers, each = 4, 400
	w := newWorld(t)
	var mu sync.Mutex
	seen := make(map[string][]int) // by publisher
	handlers := map[string]handler{
		"look": answer(""),
		"hook": answer("1"),
		"work": func(_ context.Context, in *Invocation) ([]byte, error) {
			var n int
			if err := json.Unmarshal(in.Payload, &n); err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			seen[in.Session] = append(seen[in.Session], n)
			return nil, nil
		},
	}
	m := manifest("target", "a.* look 1", "a.b work", "hook.x hook")
	replace := func() error {
		next := w.make(m, &script{handlers: handlers}, Options{})
		old, err := w.registry.Replace(next)
		if old != nil {
			err = errors.Join(err, old.Stop(context.Background()))
		}
		return errors.Join(err, next.Start(context.Background()))
	}
	if err := replace(); err != nil {
		t.Fatal(err)
	}
	var senders, churn sync.WaitGroup
	var done atomic.Bool
	churn.Go(func() {
		for !done.Load() {
			if err := replace(); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range publishers {
		senders.Go(func() {
			for n := range each {
				msg := message("a.b", fmt.Sprint(n))
				msg.Session = fmt.Sprint("p", i)
				if err := w.Publish(t.Context(), msg); err != nil {
					t.Errorf("message %d: %v", n, err)
					return
				}
				if got, err := w.Trigger(t.Context(), Caller{}, "hook.x", []byte("1")); err != nil || len(got) != 1 {
					t.Errorf("hook %d: %s %v", n, got, err)
					return
				}
			}
		})
	}
	senders.Wait()
	done.Store(true)
	churn.Wait()
	w.close()
	if f := w.failed(); len(f) > 0 {
		t.Fatalf("failures %q", f)
	}
	for i := range publishers {
		got := seen[fmt.Sprint("p", i)]
		for n := range each {
			if len(got) != each || got[n] != n {
				t.Errorf("publisher %d: handled %d messages: %v", i, len(got), got)
				break
			}
		}
	}
}

// Capsules come and go under load. Each message that was published without an error for its
// handler is handled once or reported as failed, and everything is closed in the end.
func TestHammerAddRemove(t *testing.T) {
	const publishers, each, rounds = 4, 300, 40
	w := newWorld(t)
	var handled, refused atomic.Int64
	handlers := map[string]handler{"work": func(context.Context, *Invocation) ([]byte, error) {
		if n := handled.Add(1); n%17 == 0 {
			return nil, fmt.Errorf("%w: trap", ErrInstanceDead)
		}
		return nil, nil
	}}
	m := manifest("target", "a.b work")
	m.Components[0].Instances, m.Components[0].OrderBy = 3, "k"
	steady, _ := w.load(manifest("steady", "a.b work 50", "a.b work 200"), map[string]handler{"work": answer("")})
	var senders, churn sync.WaitGroup
	for range publishers {
		senders.Go(func() {
			for n := range each {
				if err := w.Publish(t.Context(), message("a.b", fmt.Sprintf(`{"k":%d}`, n%5))); errors.Is(err, ErrStopped) {
					refused.Add(1) // removed between lookup and delivery: the publisher knows
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	churn.Go(func() {
		for range rounds {
			c := w.make(m, &script{handlers: handlers}, Options{})
			if err := errors.Join(w.registry.Add(c), c.Start(context.Background())); err != nil {
				t.Error(err)
				return
			}
			if w.registry.Remove("target") != c {
				t.Error("removed somebody else")
			}
			if err := c.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	senders.Wait()
	churn.Wait()
	w.close()
	if got, want := int(handled.Load()), publishers*each; got > want {
		t.Errorf("%d messages handled of %d", got, want)
	}
	if s := steady.Status(); s.Handled != 2*publishers*each || s.Failed != 0 {
		t.Errorf("the capsule that stays: %+v", s)
	}
	if traps := handled.Load() / 17; int64(len(w.failed())) != traps {
		t.Errorf("%d failures reported, %d traps", len(w.failed()), traps)
	}
}
