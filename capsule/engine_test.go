package capsule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/ipc"
)

// handler is one action of a scripted capsule.
type handler func(ctx context.Context, in *Invocation) ([]byte, error)

// script is an Engine whose guests are Go functions. It checks the contract of its user: calls of an
// instance never overlap, nor with Close, and everything is closed in the end.
type script struct {
	handlers    map[string]handler
	run         func(ctx context.Context) error
	instantiate func(ctx context.Context, n int64) error // n counts from 1

	size int64 // of each instance

	made, live, calls atomic.Int64
	busy, maxBusy     atomic.Int64
	closed            atomic.Bool
	broken            atomic.Pointer[string] // first breach of the contract
}

func (s *script) breach(what string) { s.broken.CompareAndSwap(nil, &what) }

func (s *script) HasRun() bool { return s.run != nil }

func (s *script) Close(context.Context) error {
	if s.closed.Swap(true) {
		s.breach("engine closed twice")
	}
	if s.live.Load() != 0 {
		s.breach("engine closed before its instances")
	}
	return nil
}

func (s *script) Instantiate(ctx context.Context) (Instance, error) {
	if s.closed.Load() {
		s.breach("instance made after close")
	}
	n := s.made.Add(1)
	if s.instantiate != nil {
		if err := s.instantiate(ctx, n); err != nil {
			return nil, err
		}
	}
	s.live.Add(1)
	return &scriptInstance{s: s, size: s.size}, nil
}

type scriptInstance struct {
	s    *script
	size int64
	mu   sync.Mutex
	dead bool
}

func (i *scriptInstance) enter() func() {
	if !i.mu.TryLock() {
		i.s.breach("calls overlap")
		i.mu.Lock()
	}
	if i.dead {
		i.s.breach("instance used after its death")
	}
	return i.mu.Unlock
}

func (i *scriptInstance) Call(ctx context.Context, in *Invocation) ([]byte, error) {
	defer i.enter()()
	i.s.calls.Add(1)
	n := i.s.busy.Add(1)
	defer i.s.busy.Add(-1)
	for m := i.s.maxBusy.Load(); n > m && !i.s.maxBusy.CompareAndSwap(m, n); m = i.s.maxBusy.Load() {
	}
	h := i.s.handlers[in.Action]
	if h == nil {
		return nil, fmt.Errorf("action %q: %w", in.Action, ErrNoExport)
	}
	out, err := h(ctx, in)
	if errors.Is(err, ErrInstanceDead) {
		i.dead = true
	}
	return out, err
}

func (i *scriptInstance) Size() int64 { return i.size }

func (i *scriptInstance) Run(ctx context.Context) error {
	defer i.enter()()
	return i.s.run(ctx)
}

func (i *scriptInstance) Close(context.Context) error {
	i.dead = false // closing a dead one is what must happen
	defer i.enter()()
	i.dead = true
	i.s.live.Add(-1)
	return nil
}

// manifest makes a Manifest: id, then interceptors as "pattern action [priority]".
func manifest(id string, interceptors ...string) *Manifest {
	m := &Manifest{Package: Package{Name: id}, Components: []Component{{ID: "main", Instances: 1}}}
	for _, line := range interceptors {
		ic := Interceptor{Priority: DefaultPriority}
		if _, err := fmt.Sscan(line+" 100", &ic.Event, &ic.Action, &ic.Priority); err != nil {
			panic(err)
		}
		m.Interceptors = append(m.Interceptors, ic)
	}
	return m
}

// world is a registry, a bus and a dispatcher.
type world struct {
	t        testing.TB
	registry *Registry
	bus      *ipc.Bus
	*Dispatcher

	mu       sync.Mutex
	failures []string
	engines  []*script
	capsules []*Capsule
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, registry: NewRegistry(), bus: ipc.NewBus(ipc.BusOptions{})}
	w.Dispatcher = NewDispatcher(w.registry, w.bus, DispatcherOptions{
		OnFailure: func(ctx context.Context, c *Capsule, in *Invocation, err error) {
			if ctx.Err() != nil {
				t.Error("a failure cannot be answered with a context that is done")
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.failures = append(w.failures, fmt.Sprintf("%s %s %s: %v", c.ID(), in.Action, in.Message.Topic, err))
		},
	})
	return w
}

// close stops everything and checks that the engines were used as they must be.
func (w *world) close() {
	w.t.Helper()
	for _, c := range w.capsules {
		if err := c.Stop(w.t.Context()); err != nil {
			w.t.Error(err)
		}
	}
	for i, e := range w.engines {
		if b := e.broken.Load(); b != nil {
			w.t.Errorf("%s: %s", w.capsules[i].ID(), *b)
		}
		if n := e.live.Load(); n != 0 || !e.closed.Load() {
			w.t.Errorf("%s: %d instances live after stop", w.capsules[i].ID(), n)
		}
	}
	w.bus.Close()
}

// make makes a capsule that close will check.
func (w *world) make(m *Manifest, e *script, o Options) *Capsule {
	c := New(m, e, o)
	w.engines, w.capsules = append(w.engines, e), append(w.capsules, c)
	return c
}

// load adds and starts a capsule with these handlers.
func (w *world) load(m *Manifest, handlers map[string]handler) (*Capsule, *script) {
	w.t.Helper()
	e := &script{handlers: handlers}
	c := w.make(m, e, Options{})
	if err := w.registry.Add(c); err != nil {
		w.t.Fatal(err)
	}
	if err := c.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	return c, e
}

func (w *world) failed() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.failures...)
}

// message makes a custom message of a JSON text.
func message(topic, payload string) *ipc.Message {
	p, err := ipc.ClassifyPayload([]byte(payload))
	if err != nil {
		panic(err)
	}
	return &ipc.Message{Topic: topic, Payload: p, Source: ipc.SourceClient, Principal: "alice", Session: "s1"}
}

// answer makes handlers with a fixed output.
func answer(out string) handler {
	return func(context.Context, *Invocation) ([]byte, error) { return []byte(out), nil }
}

// journal collects lines from many goroutines.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, " ")
}

// note makes handlers that write down their name and input.
func (j *journal) note(name, out string) handler {
	return func(_ context.Context, in *Invocation) ([]byte, error) {
		j.add("%s(%s)", name, in.Payload)
		return []byte(out), nil
	}
}

// forever is a handler that ends with its context.
func forever(ctx context.Context, _ *Invocation) ([]byte, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("%w: %w", ErrInstanceDead, context.Cause(ctx))
}

// after is a handler that takes some (fake) time.
func after(d time.Duration, h handler) handler {
	return func(ctx context.Context, in *Invocation) ([]byte, error) {
		select {
		case <-time.After(d):
			return h(ctx, in)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
