package capsule

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// MailboxOptions configures a [Mailbox]; zero fields have the stated defaults.
type MailboxOptions struct {
	Owner    string        // capsule id, named in errors
	Capacity int           // waiting calls; abi.DefaultMailbox
	Workers  int           // calls at once, each on an instance of its own; 1
	OrderBy  string        // payload field that keeps calls in order when Workers > 1; ""
	Wait     time.Duration // how long a sender waits for room; 5 s
	Idle     time.Duration // how long an instance beyond the first, or a large one, stays unused; 30 s
}

// Mailbox is the bounded queue of one capsule and the instances that work it off.
//
// With one worker, calls run in the order they were accepted. With more, calls with one
// key (the OrderBy field, else the session, always within one principal) run in order and
// one at a time, and calls with different keys side by side; without OrderBy all calls do. Then there is one worker more for
// calls that somebody waits for (hooks, guards): what all sessions need to know of a capsule must not wait until the long
// calls of some have ended.
//
// A sender waits a bounded time for room and then gets an *ipc.QueueFullError that names
// the owner. Every accepted call is run, or fails with [ErrInterrupted].
type Mailbox struct {
	opts     MailboxOptions
	slots    chan struct{} // one token for each waiting job
	stopping chan struct{} // closed: nothing is accepted any more
	drained  chan struct{} // closed: and nothing is left
	base     context.Context
	cancel   context.CancelCauseFunc
	pool     pool

	rejected atomic.Uint64

	mu       sync.Mutex
	started  bool
	stopped  bool
	release  func() // lets go of start's context
	ready    fifo[*job]
	asked    fifo[*job]             // of those that somebody waits for, while Workers > 1
	held     map[string]*fifo[*job] // keys that run or wait to: what waits behind them
	running  int
	spare    bool // the worker for what is asked runs, too
	waitings int  // jobs in ready, asked and held
}

// job is one turn of a worker. run is always called, in a worker; its calls fail once the mailbox
// was cancelled.
type job struct {
	key  string
	asks bool // somebody waits for it
	run  func(ctx context.Context, call callFunc)
	then func() // called when the instance is free for the next call; may be nil
}

// callFunc runs a call on the worker's instance, replacing one that is dead.
type callFunc func(ctx context.Context, in *Invocation) ([]byte, error)

// newMailbox returns a mailbox that accepts calls but runs them only after start.
func newMailbox(e Engine, o MailboxOptions) *Mailbox {
	if o.Capacity <= 0 {
		o.Capacity = abi.DefaultMailbox
	}
	if o.Workers <= 0 {
		o.Workers = 1
	}
	if o.Wait <= 0 {
		o.Wait = 5 * time.Second
	}
	if o.Idle <= 0 {
		o.Idle = 30 * time.Second
	}
	m := &Mailbox{
		opts:     o,
		slots:    make(chan struct{}, o.Capacity),
		stopping: make(chan struct{}),
		drained:  make(chan struct{}),
		held:     make(map[string]*fifo[*job]),
		release:  func() {},
	}
	m.base, m.cancel = context.WithCancelCause(context.Background())
	m.pool = pool{engine: e, idle: o.Idle, spare: o.Workers > 1}
	return m
}

// start begins to run calls. They are cancelled when ctx is.
func (m *Mailbox) start(ctx context.Context) {
	release := context.AfterFunc(ctx, func() { m.cancel(context.Cause(ctx)) })
	m.mu.Lock()
	defer m.mu.Unlock()
	m.started = true
	m.release = func() { release() }
	m.wakeLocked()
}

// Do runs one call and waits for its output, the wait for its turn included. When ctx is
// done first, its cause is returned and the call is cancelled, or never begun.
func (m *Mailbox) Do(ctx context.Context, in *Invocation) ([]byte, error) {
	type result struct {
		out []byte
		err error
	}
	done := make(chan result, 1)
	var res result
	err := m.enqueue(ctx, in, true, &job{
		asks: true,
		run: func(base context.Context, call callFunc) {
			joined, release := join(base, ctx)
			defer release()
			res.out, res.err = call(joined, in)
		},
		then: func() { done <- res },
	})
	if err != nil {
		return nil, err
	}
	select {
	case r := <-done:
		return r.out, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// enqueue waits for room if wait is set, and queues j. in decides its key. A
// mailbox that is stopped gives [ErrStopped]: the job was not taken and never runs.
func (m *Mailbox) enqueue(ctx context.Context, in *Invocation, wait bool, j *job) error {
	if err := m.room(ctx, wait, in); err != nil {
		return err
	}
	j.key = m.key(in)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped {
		<-m.slots
		return m.stoppedError()
	}
	m.waitings++
	if m.keyed() {
		if behind := m.held[j.key]; behind != nil {
			behind.push(j)
			return nil
		}
		m.held[j.key] = &fifo[*job]{}
	}
	m.readyLocked(j)
	m.wakeLocked()
	return nil
}

// room takes a slot.
func (m *Mailbox) room(ctx context.Context, wait bool, in *Invocation) error {
	select {
	case <-m.stopping:
		return m.stoppedError()
	default:
	}
	select {
	case m.slots <- struct{}{}:
		return nil
	default:
	}
	if wait {
		t := time.NewTimer(m.opts.Wait)
		defer t.Stop()
		select {
		case m.slots <- struct{}{}:
			return nil
		case <-m.stopping:
			return m.stoppedError()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
	}
	m.rejected.Add(1)
	return &ipc.QueueFullError{Topic: subject(in), Owners: []string{m.opts.Owner}}
}

func (m *Mailbox) stoppedError() error {
	return coded(abi.CodeClosed, fmt.Errorf("capsule %s: %w", m.opts.Owner, ErrStopped))
}

// subject names what an invocation is about, for errors.
func subject(in *Invocation) string {
	switch {
	case in.Message != nil:
		return in.Message.Topic
	case in.Action != "":
		return in.Action
	}
	return in.Export
}

// Pending returns how many calls wait for a worker.
func (m *Mailbox) Pending() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.waitings
}
