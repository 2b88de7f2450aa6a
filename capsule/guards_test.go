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

// guardedWorld loads a guard with one handler, a handler capsule, and a subscriber.
func guardedWorld(t *testing.T, guard handler, topic string) (*world, *journal, *ipc.Subscription) {
	w := newWorld(t)
	j := &journal{}
	w.load(manifest("warden", topic+" look 50"), map[string]handler{"look": guard})
	w.load(manifest("worker", topic+" work"), map[string]handler{"work": j.note("work", "")})
	sub, err := w.bus.Subscribe(topic, ipc.SubscribeOptions{Also: []string{topic + ".result"}})
	if err != nil {
		t.Fatal(err)
	}
	return w, j, sub
}

func TestGuardRewrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, j, sub := guardedWorld(t, answer("\x00{\"type\":\"user_input\",\"text\":\"clean\"}"), "a.b")
		defer w.close()
		w.load(manifest("warden2", "a.b look 60"), map[string]handler{"look": j.note("guard2", "")})
		if err := w.settled(message("a.b", `{"type":"user_input","text":"dirty"}`)); err != nil {
			t.Fatal(err)
		}
		const clean = `{"type":"user_input","text":"clean","session_id":"default"}`
		if got := j.String(); got != "guard2("+clean+") work("+clean+")" {
			t.Error(got)
		}
		if m, ok := sub.TryRecv(); !ok || m.Payload.Tag() != abi.TagUserInput || string(m.Payload.Tagged()) != clean {
			t.Errorf("subscriber got %v", m)
		}
	})
}

func TestGuardDenies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, j, sub := guardedWorld(t, answer("\x02not today"), "a.b")
		defer w.close()
		err := w.settled(message("a.b", "1"))
		var denied *DeniedError
		if !errors.As(err, &denied) || *denied != (DeniedError{"a.b", "warden", "not today"}) || !errors.Is(err, abi.ErrDenied) {
			t.Errorf("publish: %v", err)
		}
		var shown *abi.Error
		if !errors.As(err, &shown) || !strings.Contains(shown.Message, "not today") {
			t.Errorf("a guest sees %v", shown)
		}
		if j.String() != "" || sub.Pending() != 0 {
			t.Errorf("a denied message got through: %s, %d", j.String(), sub.Pending())
		}
	})
}

func TestGuardAnswersInTheHandlersPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, j, sub := guardedWorld(t, answer("\x01{\"cached\":true}"), "tool.v1.execute.x")
		defer w.close()
		if err := w.settled(message("tool.v1.execute.x", "1")); err != nil {
			t.Fatal(err)
		}
		m, ok := sub.TryRecv()
		if !ok || m.Topic != "tool.v1.execute.x.result" || string(m.Payload.Guest()) != `{"cached":true}` ||
			m.Source != "warden" || m.Principal != "alice" || m.Session != "s1" || m.SourceID != w.registry.Get("warden").SourceID() {
			t.Errorf("answer %+v", m)
		}
		if j.String() != "" || sub.Pending() != 0 {
			t.Errorf("the original got through: %s", j.String())
		}
	})
}

func TestGuardFailsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		guard handler
		want  string
	}{
		"error":             {func(context.Context, *Invocation) ([]byte, error) { return nil, errors.New("oops") }, "oops"},
		"trap":              {func(context.Context, *Invocation) ([]byte, error) { return nil, ErrInstanceDead }, "dead"},
		"panic":             {func(context.Context, *Invocation) ([]byte, error) { panic("bug") }, "bug"},
		"timeout":           {forever, "longer than 30s"},
		"rubbish":           {answer("\x00rubbish"), "not valid JSON"},
		"rubbish as answer": {answer("\x01rubbish"), "not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, j, sub := guardedWorld(t, c.guard, "a.b")
				defer w.close()
				start := time.Now()
				err := w.settled(message("a.b", "1"))
				var ge *GuardError
				if !errors.As(err, &ge) || ge.Capsule != "warden" || !strings.Contains(err.Error(), c.want) || !errors.Is(err, abi.ErrDenied) {
					t.Errorf("publish: %v", err)
				}
				if d := time.Since(start); d > 30*time.Second {
					t.Errorf("took %v", d)
				}
				if j.String() != "" || sub.Pending() != 0 {
					t.Error("the message got through")
				}
				if n := w.registry.Get("warden").Status().Failed; n != 1 {
					t.Errorf("%d failures counted", n)
				}
			})
		})
	}
}

func TestGuardThatIsNotRunningFailsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, j, _ := guardedWorld(t, answer(""), "a.b")
		defer w.close()
		if err := w.registry.Get("warden").Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.settled(message("a.b", "1")); !errors.Is(err, ErrStopped) || j.String() != "" {
			t.Errorf("a stopped guard: %v", err)
		}
		w.registry.Remove("warden")
		// One that is being loaded is waited for.
		c := w.make(manifest("warden", "a.b look 1"), &script{handlers: map[string]handler{"look": answer("")}}, Options{})
		if err := w.registry.Add(c); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { _ = c.Start(context.Background()) })
		if err := w.settled(message("a.b", "2")); err != nil || j.String() != "work(2)" {
			t.Errorf("a loading guard: %v, %s", err, j.String())
		}
	})
}

func TestReservedTopicsHaveNoGuards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, j, sub := guardedWorld(t, answer("\x00{\"resource\":\"harmless\"}"), "astrid.v1.approval")
		defer w.close()
		if err := w.settled(message("astrid.v1.approval", `{"resource":"rm"}`)); err != nil {
			t.Fatal(err)
		}
		if m, ok := sub.TryRecv(); !ok || string(m.Payload.Guest()) != `{"resource":"rm"}` {
			t.Errorf("a capsule rewrote what the kernel says: %v", m)
		}
		if j.String() == "" {
			t.Error("handlers must get it")
		}
	})
}

func TestGuardSkipsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, j, _ := guardedWorld(t, answer("\x02no"), "a.b")
		defer w.close()
		m := message("a.b", "1")
		m.Source = "warden"
		if err := w.settled(m); err != nil || j.String() != "work(1)" {
			t.Errorf("%v %s", err, j.String())
		}
	})
}

// A publishes x, guarded by B, which publishes y, guarded by A: A waits for B, which
// would wait for A.
func TestGuardCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		publish := func(id, topic string, errp *error) handler {
			return func(ctx context.Context, in *Invocation) ([]byte, error) {
				m := message(topic, "1")
				m.Source, m.Chain = id, in.Chain
				err := w.Publish(ctx, m)
				*errp = err
				return nil, err
			}
		}
		var outer, inner error
		w.load(manifest("a", "start.a go", "topic.y look 10"), map[string]handler{"go": publish("a", "topic.x", &outer), "look": answer("")})
		w.load(manifest("b", "topic.x look 10"), map[string]handler{"look": publish("b", "topic.y", &inner)})
		start := time.Now()
		if err := w.settled(message("start.a", "1")); err != nil {
			t.Fatal(err)
		}
		var cycle *CycleError
		if !errors.As(inner, &cycle) || !slices.Equal(cycle.Path, []string{"a", "b", "a"}) || cycle.Subject != "topic.y" {
			t.Errorf("inner: %v", inner)
		}
		if !errors.As(outer, &cycle) || !strings.Contains(fmt.Sprint(outer), "a -> b -> a") {
			t.Errorf("outer: %v", outer)
		}
		if time.Since(start) != 0 {
			t.Errorf("it took %v to notice", time.Since(start))
		}
	})
}
