package capsule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unicity-astrid/astrid-go/ipc"
)

func TestWaits(t *testing.T) {
	w := newWaits(func(id string) int {
		if id == "wide" {
			return 2
		}
		return 1
	})
	must := func(from string, to ...string) func() {
		t.Helper()
		done, cycle := w.begin([]string{"root", from}, to...)
		if cycle != nil {
			t.Fatalf("%s waits for %s: %s", from, to, cycle)
		}
		return done
	}
	refused := func(from, to string, want ...string) {
		t.Helper()
		if _, cycle := w.begin([]string{from}, to); !slices.Equal(cycle, want) {
			t.Errorf("%s waits for %s: cycle %q, want %q", from, to, cycle, want)
		}
	}
	ab := must("a", "x", "b")
	bc := must("b", "c")
	refused("c", "a", "c", "a", "b", "c")
	refused("c", "c", "c", "c")
	bc()
	must("c", "a")() // b is free again, so a gets its answer
	w1 := must("wide", "a")
	must("b", "wide")() // wide has a worker left
	w2 := must("wide", "a")
	refused("b", "wide", "b", "wide", "a", "b")
	for _, done := range []func(){ab, w1, w2} {
		done()
	}
	if len(w.waiting) != 0 || len(w.on) != 0 {
		t.Errorf("left over: %v %v", w.waiting, w.on)
	}
	if _, cycle := w.begin(nil, "a"); cycle != nil {
		t.Error("the kernel and clients wait for nobody")
	}
}

// Two capsules that ask each other a hook while each handles a message of its own.
func TestCrossedHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		var mu sync.Mutex
		outcome := make(map[string]error)
		ask := func(id, hook string) handler {
			return after(time.Second, func(ctx context.Context, in *Invocation) ([]byte, error) {
				_, err := w.Trigger(ctx, Caller{Capsule: id, Chain: in.Chain}, hook, []byte("1"))
				mu.Lock()
				defer mu.Unlock()
				outcome[id] = err
				return nil, nil
			})
		}
		w.load(manifest("a", "start.a go", "hook.a h"), map[string]handler{"go": ask("a", "hook.b"), "h": answer("1")})
		w.load(manifest("b", "start.b go", "hook.b h"), map[string]handler{"go": ask("b", "hook.a"), "h": answer("1")})
		for _, topic := range []string{"start.a", "start.b"} {
			if err := w.Publish(t.Context(), message(topic, "1")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		var cycle *CycleError
		if err := errors.Join(outcome["a"], outcome["b"]); !errors.As(err, &cycle) || len(cycle.Path) != 3 {
			t.Errorf("outcomes %v", outcome)
		}
		if len(outcome) != 2 || (outcome["a"] != nil && outcome["b"] != nil) {
			t.Errorf("one of the two must get its answer: %v", outcome)
		}
	})
}

// Guards of each other's messages, crossed the same way: one publish fails closed at once.
func TestCrossedGuards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		errs := make(chan error, 2)
		send := func(id, topic string) handler {
			return after(time.Second, func(ctx context.Context, in *Invocation) ([]byte, error) {
				m := message(topic, "1")
				m.Source, m.Chain = id, in.Chain
				errs <- w.Publish(ctx, m)
				return nil, nil
			})
		}
		w.load(manifest("a", "start.a go", "from.b look 1"), map[string]handler{"go": send("a", "from.a"), "look": answer("")})
		w.load(manifest("b", "start.b go", "from.a look 1"), map[string]handler{"go": send("b", "from.b"), "look": answer("")})
		start := time.Now()
		for _, topic := range []string{"start.a", "start.b"} {
			if err := w.Publish(t.Context(), message(topic, "1")); err != nil {
				t.Fatal(err)
			}
		}
		one, two := <-errs, <-errs
		var cycle *CycleError
		if (one == nil) == (two == nil) || !errors.As(errors.Join(one, two), &cycle) || time.Since(start) != time.Second {
			t.Errorf("%v and %v after %v", one, two, time.Since(start))
		}
	})
}

// Every begin is undone, whatever the order.
func TestHammerWaits(t *testing.T) {
	w := newWaits(func(string) int { return 2 })
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 500 {
				from, to := fmt.Sprint("c", (i+n)%4), fmt.Sprint("c", (i*n+1)%4)
				if done, cycle := w.begin([]string{ipc.SourceKernel, from}, to); cycle == nil {
					done()
				}
			}
		})
	}
	all.Wait()
	if len(w.waiting) != 0 || len(w.on) != 0 {
		t.Errorf("left over: %v %v", w.waiting, w.on)
	}
}
