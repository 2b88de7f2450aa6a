package capsule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// settled publishes and waits until all capsules are idle.
func (w *world) settled(m *ipc.Message) error {
	err := w.Publish(w.t.Context(), m)
	synctest.Wait()
	return err
}

func TestHandlersRunInChainOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		var j journal
		w.load(manifest("zeta", "a.* first 100"), map[string]handler{"first": j.note("zeta", "")})
		w.load(manifest("beta", "a.b two 101", "a.b one 101", "*.b late 300"), map[string]handler{
			"two": j.note("two", "\x00{\"n\":2}"), "one": j.note("one", "\x00{\"n\":1}"), "late": j.note("late", "")})
		w.load(manifest("alpha", "a.b x 101", "a.b.c never", "other never"), map[string]handler{"x": j.note("alpha", "")})
		sub, err := w.bus.Subscribe("a.b", ipc.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.settled(message("a.b", `{"n":0}`)); err != nil {
			t.Fatal(err)
		}
		// Priority, then capsule, then manifest order; a payload changes for those that follow.
		if got, want := j.String(), `zeta({"n":0}) alpha({"n":0}) two({"n":0}) one({"n":2}) late({"n":1})`; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if m, ok := sub.TryRecv(); !ok || string(m.Payload.Guest()) != `{"n":0}` {
			t.Errorf("subscriber got %v", m)
		}
	})
}

func TestChainEndsAndFailures(t *testing.T) {
	for _, c := range []struct{ out, want string }{
		{"", "one two"},
		{"\x01{}", "one"},
		{"\x02no", "one"},
		{"not JSON", "one two"}, // dropped
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.close()
			var j journal
			one, _ := w.load(manifest("one", "a.b x"), map[string]handler{"x": func(context.Context, *Invocation) ([]byte, error) {
				j.add("one")
				return []byte(c.out), nil
			}})
			w.load(manifest("two", "a.b x"), map[string]handler{"x": func(_ context.Context, in *Invocation) ([]byte, error) {
				if j.add("two"); string(in.Payload) != "1" {
					t.Errorf("payload %s", in.Payload)
				}
				return nil, nil
			}})
			if err := w.settled(message("a.b", "1")); err != nil {
				t.Fatal(err)
			}
			if got := j.String(); got != c.want {
				t.Errorf("%q: ran %s", c.out, got)
			}
			if bad := one.Status().Failed; (bad == 1) != (c.out == "not JSON") {
				t.Errorf("%q: %d failures counted", c.out, bad)
			}
		})
	}
}

func TestFailingHandlerIsReportedAndChainGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		var j journal
		one, _ := w.load(manifest("one", "tool.v1.execute.x run"), map[string]handler{
			"run": func(context.Context, *Invocation) ([]byte, error) {
				return nil, fmt.Errorf("%w: trap", ErrInstanceDead)
			}})
		w.load(manifest("two", "tool.v1.execute.x run"), map[string]handler{"run": j.note("two", "")})
		if err := w.settled(message("tool.v1.execute.x", "1")); err != nil {
			t.Fatal(err)
		}
		if got := w.failed(); len(got) != 1 || !strings.HasPrefix(got[0], "one run tool.v1.execute.x: ") || j.String() != "two(1)" {
			t.Errorf("failures %q, then %s", got, j.String())
		}
		if s := one.Status(); s.Failed != 1 || s.Handled != 0 || s.State != "ready" {
			t.Errorf("status %+v", s)
		}
	})
}

// A long handler must not change the order in which a later one sees messages, nor delay subscribers.
func TestChainKeepsTheOrderOfMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		var j journal
		slow := func(ctx context.Context, in *Invocation) ([]byte, error) {
			time.Sleep(time.Duration(10-len(in.Payload)) * time.Second)
			return nil, nil
		}
		w.load(manifest("one", "a.b x"), map[string]handler{"x": slow})
		w.load(manifest("two", "a.b x"), map[string]handler{"x": j.note("", "")})
		sub, err := w.bus.Subscribe("a.b", ipc.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for _, p := range []string{"1", "22", "333"} {
			if err := w.Publish(t.Context(), message("a.b", p)); err != nil {
				t.Fatal(err)
			}
		}
		if sub.Pending() != 3 || time.Since(start) != 0 {
			t.Errorf("subscriber has %d messages after %v", sub.Pending(), time.Since(start))
		}
		time.Sleep(time.Minute)
		if got := j.String(); got != "(1) (22) (333)" {
			t.Error(got)
		}
	})
}

func TestInvocationCarriesTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		var seen *Invocation
		w.load(manifest("one", "a.b act"), map[string]handler{"act": func(_ context.Context, in *Invocation) ([]byte, error) {
			seen = in
			return nil, nil
		}})
		m := message("a.b", `{"x":1}`)
		m.Chain, m.Hops, m.SourceID = []string{"someone"}, 7, "uuid"
		if err := w.settled(m); err != nil {
			t.Fatal(err)
		}
		if seen.Action != "act" || seen.Principal != "alice" || seen.Session != "s1" || string(seen.Payload) != `{"x":1}` || seen.Export != "" {
			t.Errorf("invocation %+v", seen)
		}
		if len(seen.Chain) != 0 || seen.Message.Hops != 8 || seen.Message.Seq != 1 || seen.Message.SourceID != "uuid" {
			t.Errorf("chain %q, message %+v", seen.Chain, seen.Message)
		}
		if m.Hops != 7 || m.Seq != 0 || len(m.Chain) != 1 {
			t.Error("the publisher's message was changed")
		}
	})
}

// Two capsules that answer each other for ever are stopped.
func TestHops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		var last error
		pass := func(to, id string) handler {
			return func(ctx context.Context, in *Invocation) ([]byte, error) {
				m := message(to, "1")
				m.Source, m.Hops = id, in.Message.Hops
				if err := w.Publish(ctx, m); err != nil {
					last = err
				}
				return nil, nil
			}
		}
		_, ping := w.load(manifest("ping", "to.ping x"), map[string]handler{"x": pass("to.pong", "ping")})
		w.load(manifest("pong", "to.pong x"), map[string]handler{"x": pass("to.ping", "pong")})
		if err := w.settled(message("to.ping", "1")); err != nil {
			t.Fatal(err)
		}
		var hops *HopsError
		if !errors.As(last, &hops) || !errors.Is(last, abi.ErrLimit) {
			t.Errorf("ended with %v", last)
		}
		if n := ping.calls.Load(); n != MaxHops/2 {
			t.Errorf("%d rounds", n)
		}
	})
}

func TestFullMailboxIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		e := &script{handlers: map[string]handler{"x": after(time.Hour, answer(""))}}
		c := w.make(manifest("slow", "a.b x"), e, Options{Mailbox: MailboxOptions{Capacity: 1}})
		if err := errors.Join(w.registry.Add(c), c.Start(context.Background())); err != nil {
			t.Fatal(err)
		}
		var j journal
		w.load(manifest("then", "a.b x 200"), map[string]handler{"x": j.note("then", "")})
		if _, err := w.bus.Subscribe("a.b", ipc.SubscribeOptions{Owner: "sub", Capacity: 1}); err != nil {
			t.Fatal(err)
		}
		full, err := w.bus.Subscribe("a.b", ipc.SubscribeOptions{Owner: "roomy"})
		if err != nil {
			t.Fatal(err)
		}
		_ = w.settled(message("a.b", "1"))
		_ = w.settled(message("a.b", "2"))
		err = w.settled(message("a.b", "3"))
		var q *ipc.QueueFullError
		if !errors.As(err, &q) || !slices.Equal(q.Owners, []string{"slow", "sub"}) || q.Topic != "a.b" {
			t.Fatalf("publish: %v", err)
		}
		if full.Pending() != 3 || j.String() != "then(3)" {
			t.Errorf("%d messages reached a subscriber, then %s", full.Pending(), j.String())
		}
		if len(w.failed()) != 0 {
			t.Errorf("told twice: %q", w.failed())
		}
		if c.Status().Rejected != 1 || c.Status().Queued != 1 {
			t.Errorf("status %+v", c.Status())
		}
		// A capsule that fills its own mailbox is not made to wait for itself.
		m := message("a.b", "4")
		m.Source = "slow"
		start := time.Now()
		if err := w.Publish(t.Context(), m); !errors.As(err, &q) || time.Since(start) != 0 {
			t.Errorf("publish to oneself: %v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = c.Stop(ctx)
		synctest.Wait()
		if got := w.failed(); len(got) != 2 { // the running and the waiting one
			t.Errorf("interrupted messages: %q", got)
		}
	})
}

// A capsule of which no instance can be made: each message is counted and answered for once.
func TestInstantiationFailureIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		e := &script{instantiate: func(context.Context, int64) error { return errors.New("no memory") }}
		c := w.make(manifest("one", "a.b x"), e, Options{})
		if err := errors.Join(w.registry.Add(c), c.Start(context.Background())); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := w.settled(message("a.b", "1")); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.failed(); len(got) != 3 || got[0] != "one x a.b: make an instance: no memory" || c.Status().Failed != 3 || e.made.Load() != 3 {
			t.Errorf("failures %q, status %+v", got, c.Status())
		}
	})
}

func TestInvoke(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	w.load(manifest("one"), map[string]handler{"x": answer("\x01done")})
	res, err := w.Invoke(t.Context(), "one", &Invocation{Action: "x"})
	if err != nil || res.Verdict != Final || string(res.Payload) != "done" {
		t.Errorf("%+v %v", res, err)
	}
	if _, err := w.Invoke(t.Context(), "two", &Invocation{}); !errors.Is(err, ErrNotLoaded) || !errors.Is(err, abi.ErrNotFound) {
		t.Errorf("unknown capsule: %v", err)
	}
	_, err = w.Invoke(t.Context(), "one", &Invocation{Action: "x", Chain: []string{"zero", "one", "two"}})
	var cycle *CycleError
	if !errors.As(err, &cycle) || !slices.Equal(cycle.Path, []string{"one", "two", "one"}) {
		t.Errorf("cycle: %v", err)
	}
	if _, err := w.Invoke(t.Context(), "one", &Invocation{Action: "nope"}); !errors.Is(err, ErrNoExport) {
		t.Errorf("unknown action: %v", err)
	}
	if err := w.Publish(t.Context(), &ipc.Message{Topic: "a..b"}); !errors.Is(err, ipc.ErrTopic) || !errors.Is(err, abi.ErrInvalid) {
		t.Errorf("invalid topic: %v", err)
	}
}
