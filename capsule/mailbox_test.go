package capsule

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// box starts a mailbox over a script.
func box(t testing.TB, e *script, o MailboxOptions) *Mailbox {
	o.Owner = "demo"
	m := newMailbox(e, o)
	m.start(context.Background())
	t.Cleanup(func() {
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if b := e.broken.Load(); b != nil {
			t.Error(*b)
		}
		if n := e.live.Load(); n != 0 {
			t.Errorf("%d instances left", n)
		}
	})
	return m
}

func call(action, payload string) *Invocation {
	return &Invocation{Action: action, Payload: []byte(payload), Session: "s", Principal: "alice"}
}

// post enqueues a call without waiting for it.
func post(m *Mailbox, in *Invocation) error {
	return m.enqueue(context.Background(), in, true, &job{run: func(ctx context.Context, call callFunc) { _, _ = call(ctx, in) }})
}

func TestMailboxOrderOfOneWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		e := &script{handlers: map[string]handler{"x": after(time.Second, j.note("x", ""))}}
		m := box(t, e, MailboxOptions{OrderBy: "k"})
		for i := range 5 {
			if err := post(m, call("x", fmt.Sprintf(`{"k":%d}`, i))); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := m.Do(t.Context(), call("x", "5")); err != nil || len(out) != 0 {
			t.Fatal(out, err)
		}
		if got := j.String(); got != `x({"k":0}) x({"k":1}) x({"k":2}) x({"k":3}) x({"k":4}) x(5)` {
			t.Error(got)
		}
		if e.made.Load() != 1 || e.maxBusy.Load() != 1 {
			t.Errorf("%d instances, %d calls at once", e.made.Load(), e.maxBusy.Load())
		}
	})
}

func TestMailboxParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &script{handlers: map[string]handler{"x": after(time.Second, answer(""))}}
		m := box(t, e, MailboxOptions{Workers: 3})
		start := time.Now()
		for range 6 {
			if err := post(m, call("x", `{}`)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if m.Pending() != 3 {
			t.Errorf("%d pending", m.Pending())
		}
		if _, err := m.Do(t.Context(), call("x", `{}`)); err != nil {
			t.Fatal(err)
		}
		// A call that is waited for has a worker more.
		if d := time.Since(start); d != time.Second || e.maxBusy.Load() != 4 || e.made.Load() != 4 {
			t.Errorf("took %v, %d at once, %d instances", d, e.maxBusy.Load(), e.made.Load())
		}
		// What was only needed for the burst goes; the last one stays.
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if n := e.live.Load(); n != 1 {
			t.Errorf("%d instances after a quiet time", n)
		}
	})
}

func TestMailboxMakesInstancesOnlyWhenNeeded(t *testing.T) {
	e := &script{handlers: map[string]handler{"x": answer("")}}
	m := box(t, e, MailboxOptions{Workers: 8})
	for range 200 {
		if _, err := m.Do(t.Context(), call("x", "1")); err != nil {
			t.Fatal(err)
		}
	}
	if n := e.made.Load(); n != 1 {
		t.Errorf("%d instances for calls one after the other", n)
	}
}

// For any sequence of messages: those with one key run in order and one at a time.
func TestMailboxOrderByKey(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		workers := rapid.IntRange(2, 5).Draw(rt, "workers")
		keys := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "-"}), 1, 60).Draw(rt, "keys")
		var mu sync.Mutex
		seen := make(map[string][]int)
		inside := make(map[string]bool)
		e := &script{handlers: map[string]handler{"x": func(_ context.Context, in *Invocation) ([]byte, error) {
			var k string
			var n int
			if _, err := fmt.Sscan(in.Session, &k, &n); err != nil {
				return nil, err
			}
			mu.Lock()
			busy := inside[k]
			inside[k] = true
			mu.Unlock()
			if busy {
				return nil, errors.New("two calls with one key at once")
			}
			runtime.Gosched()
			mu.Lock()
			defer mu.Unlock()
			seen[k] = append(seen[k], n)
			inside[k] = false
			return nil, nil
		}}}
		m := newMailbox(e, MailboxOptions{Owner: "demo", Workers: workers, OrderBy: "k"})
		m.start(context.Background())
		want := make(map[string][]int)
		var failed error
		for i, k := range keys {
			payload := fmt.Sprintf(`{"k":%q}`, k)
			if err := m.enqueue(context.Background(), &Invocation{Payload: []byte(payload)}, true, &job{run: func(ctx context.Context, call callFunc) {
				if _, err := call(ctx, &Invocation{Action: "x", Session: fmt.Sprintf("%s %d", k, i)}); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}}); err != nil {
				rt.Fatal(err)
			}
			want[k] = append(want[k], i)
		}
		if err := m.Stop(context.Background()); err != nil || failed != nil {
			rt.Fatal(err, failed)
		}
		if !reflect.DeepEqual(seen, want) {
			rt.Fatalf("ran %v, want %v", seen, want)
		}
		if e.broken.Load() != nil || e.maxBusy.Load() > int64(workers) || len(m.held) != 0 {
			rt.Fatalf("%v, %d at once, %d keys held", e.broken.Load(), e.maxBusy.Load(), len(m.held))
		}
	})
}

func TestMailboxKey(t *testing.T) {
	m := newMailbox(&script{}, MailboxOptions{Workers: 2, OrderBy: "k"})
	same := [][2]*Invocation{
		{call("x", `{"k":"s"}`), call("x", `{}`)},                 // the session
		{call("x", `{"k":"s"}`), call("x", `{"k":"\u0073"}`)},     // escapes
		{call("x", `{"k":null}`), call("x", `[1]`)},               // no field
		{&Invocation{}, &Invocation{Payload: []byte(`not JSON`)}}, // neither field nor session
	}
	for i, p := range same {
		if m.key(p[0]) != m.key(p[1]) {
			t.Errorf("%d: keys %q and %q", i, m.key(p[0]), m.key(p[1]))
		}
	}
	bob := call("x", `{"k":"s"}`)
	bob.Principal = "bob"
	for _, other := range []*Invocation{call("x", `{"k":"t"}`), call("x", `{"k":7}`), bob} {
		if m.key(other) == m.key(call("x", `{"k":"s"}`)) {
			t.Errorf("%s of %s shares a key", other.Payload, other.Principal)
		}
	}
}

func TestMailboxFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &script{handlers: map[string]handler{"slow": after(time.Minute, answer(""))}}
		m := box(t, e, MailboxOptions{Capacity: 1})
		for range 2 { // one runs, one waits
			if err := post(m, call("slow", "1")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		start := time.Now()
		err := post(m, call("slow", "1"))
		var full *ipc.QueueFullError
		if !errors.As(err, &full) || !slices.Equal(full.Owners, []string{"demo"}) || full.Topic != "slow" {
			t.Fatalf("full: %v", err)
		}
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("waited %v", d)
		}
		if m.rejected.Load() != 1 {
			t.Errorf("%d counted", m.rejected.Load())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Do(ctx, call("slow", "1")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a sender whose context ends: %v", err)
		}
		// Room that comes in time is used.
		time.Sleep(52 * time.Second)
		if err := post(m, call("slow", "1")); err != nil {
			t.Errorf("room came after 2 s: %v", err)
		}
	})
}

func TestMailboxReplacesDeadInstances(t *testing.T) {
	traps := 0
	e := &script{handlers: map[string]handler{
		"trap": func(context.Context, *Invocation) ([]byte, error) {
			traps++
			return nil, fmt.Errorf("%w: unreachable", ErrInstanceDead)
		},
		"panic": func(context.Context, *Invocation) ([]byte, error) { panic("boom") },
		"fail":  func(context.Context, *Invocation) ([]byte, error) { return nil, errors.New("no") },
		"ok":    answer("fine"),
	}}
	m := box(t, e, MailboxOptions{})
	for i, c := range []struct {
		action string
		err    string
		made   int64
	}{
		{"ok", "", 1},
		{"fail", "no", 1}, // an error is not a death
		{"ok", "", 1},
		{"trap", "unreachable", 1},
		{"ok", "", 2},
		{"panic", "engine panicked: boom", 2},
		{"ok", "", 3},
		{"missing", ErrNoExport.Error(), 3},
	} {
		_, err := m.Do(t.Context(), call(c.action, "1"))
		if (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%d %s: %v", i, c.action, err)
		}
		if n := e.made.Load(); n != c.made {
			t.Errorf("%d %s: %d instances made, want %d", i, c.action, n, c.made)
		}
	}
}

func TestMailboxInstantiationFails(t *testing.T) {
	e := &script{
		handlers: map[string]handler{"x": answer("ok")},
		instantiate: func(_ context.Context, n int64) error {
			switch n {
			case 1:
				return errors.New("no memory")
			case 2:
				panic("broken")
			}
			return nil
		},
	}
	m := box(t, e, MailboxOptions{})
	for _, want := range []string{"no memory", "broken", ""} {
		out, err := m.Do(t.Context(), call("x", "1"))
		if want == "" && (err != nil || string(out) != "ok") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %s %v", want, out, err)
		}
	}
	if n := m.pool.live.Load(); n != 1 {
		t.Errorf("%d instances counted", n)
	}
}

func TestMailboxStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		e := &script{handlers: map[string]handler{"x": after(time.Second, j.note("x", ""))}}
		m := newMailbox(e, MailboxOptions{Owner: "demo"})
		m.start(context.Background())
		for range 3 {
			if err := post(m, call("x", "1")); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := j.String(); got != "x(1) x(1) x(1)" || e.live.Load() != 0 {
			t.Errorf("stop left work undone: %s", got)
		}
		_, err := m.Do(t.Context(), call("x", "1"))
		if !errors.Is(err, ErrStopped) || !errors.Is(err, abi.ErrClosed) || !strings.Contains(err.Error(), "demo") {
			t.Errorf("after stop: %v", err)
		}
	})
}

func TestMailboxStopCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &script{handlers: map[string]handler{"x": forever}}
		m := newMailbox(e, MailboxOptions{Owner: "demo"})
		m.start(context.Background())
		errs := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := m.Do(context.Background(), call("x", "1"))
				errs <- err
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := <-errs; !errors.Is(err, ErrInterrupted) || errors.Is(err, ErrStopped) || !errors.Is(err, abi.ErrCanceled) {
				t.Errorf("interrupted call: %v", err)
			}
		}
		if e.calls.Load() != 1 || e.live.Load() != 0 {
			t.Errorf("%d calls began, %d instances live", e.calls.Load(), e.live.Load())
		}
	})
}

func TestMailboxStopBeforeStart(t *testing.T) {
	m := newMailbox(&script{}, MailboxOptions{Owner: "demo"})
	errs := make(chan error, 1)
	if err := m.enqueue(t.Context(), call("x", "1"), true, &job{run: func(ctx context.Context, c callFunc) {
		_, err := c(ctx, call("x", "1"))
		errs <- err
	}}); err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-errs; !errors.Is(err, ErrInterrupted) {
		t.Error(err)
	}
}

func TestMailboxDeadlineReachesTheGuest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		e := &script{handlers: map[string]handler{"x": func(ctx context.Context, in *Invocation) ([]byte, error) {
			if _, ok := ctx.Deadline(); !ok || ctx.Value(key{}) != nil {
				t.Error("the caller's deadline must travel, its values must not")
			}
			return forever(ctx, in)
		}}}
		m := box(t, e, MailboxOptions{})
		why := errors.New("too slow")
		ctx, cancel := context.WithTimeoutCause(context.WithValue(t.Context(), key{}, 1), time.Second, why)
		defer cancel()
		if _, err := m.Do(ctx, call("x", "1")); !errors.Is(err, why) {
			t.Errorf("cause is lost: %v", err)
		}
		synctest.Wait()
		if e.busy.Load() != 0 || e.live.Load() != 0 {
			t.Error("the call goes on after its caller left")
		}
	})
}
