package capsule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
)

// State is where a capsule is in its life.
type State uint8

const (
	Loading State = iota // made, or a run loop between two attempts
	Ready                // takes work
	Failed               // a run loop that ended too often; it is not tried again
	Stopped              // unloaded, or a run loop that ended by itself
)

func (s State) String() string {
	switch s {
	case Loading:
		return "loading"
	case Ready:
		return "ready"
	case Failed:
		return "failed"
	case Stopped:
		return "stopped"
	}
	return fmt.Sprintf("state_%d", uint8(s))
}

// Options configures a [Capsule]; zero fields have the stated defaults.
type Options struct {
	SourceID  string         // UUID of this load; a new one
	Principal string         // the principal it is loaded for; "default"
	Mailbox   MailboxOptions // Owner, Workers and OrderBy come from the manifest
	Now       func() time.Time
	// OnState is told of each change, from the goroutine that caused it; nil: nobody is.
	OnState func(c *Capsule, s State, reason string)
}

// Capsule is one loaded capsule: an actor with a bounded mailbox, or a run loop.
type Capsule struct {
	manifest *Manifest
	engine   Engine
	opts     Options
	mailbox  *Mailbox

	handled, failed atomic.Uint64

	mu       sync.Mutex
	state    State
	reason   string
	stopLoop context.CancelFunc // nil: not started
	loopDone chan struct{}      // closed when no run loop runs any more
	closing  bool
	closed   chan struct{} // closed when Stop has ended
	closeErr error
}

// Engine is what it was made with.
func (c *Capsule) Engine() Engine { return c.engine }

// New makes a capsule that accepts work and begins to do it at Start. It owns e.
func New(m *Manifest, e Engine, o Options) *Capsule {
	if o.SourceID == "" {
		o.SourceID = uuid.NewString()
	}
	if o.Principal == "" {
		o.Principal = "default"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	box := o.Mailbox
	box.Owner, box.Workers, box.OrderBy = m.ID(), 1, ""
	if main := m.Main(); main != nil {
		box.Workers, box.OrderBy = main.Instances, main.OrderBy
	}
	return &Capsule{manifest: m, engine: e, opts: o, mailbox: newMailbox(e, box), closed: make(chan struct{})}
}

// ID is the capsule id, SourceID the UUID of this load.
func (c *Capsule) ID() string          { return c.manifest.ID() }
func (c *Capsule) SourceID() string    { return c.opts.SourceID }
func (c *Capsule) Principal() string   { return c.opts.Principal }
func (c *Capsule) Manifest() *Manifest { return c.manifest }

// State returns the state, and why it is not Ready.
func (c *Capsule) State() (State, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.reason
}

// setState changes the state unless the capsule was stopped, which is final.
func (c *Capsule) setState(s State, reason string) {
	c.mu.Lock()
	if c.state == Stopped || (c.state == s && c.reason == reason) {
		c.mu.Unlock()
		return
	}
	c.state, c.reason = s, reason
	c.mu.Unlock()
	if c.opts.OnState != nil {
		c.opts.OnState(c, s, reason)
	}
}

// ErrStarted is returned by a second Start.
var ErrStarted = errors.New("capsule was started before")

// Start begins to work. ctx is the life of the daemon: when it is done, calls and the run
// loop are cancelled. A run loop has its subscriptions when Start returns; if its
// first instance cannot be made, Start fails and so has the capsule.
func (c *Capsule) Start(ctx context.Context) error {
	c.mu.Lock()
	if c.state != Loading || c.loopDone != nil || c.closing {
		c.mu.Unlock()
		return fmt.Errorf("capsule %s: %w", c.ID(), ErrStarted)
	}
	lctx, cancel := context.WithCancel(ctx)
	c.stopLoop, c.loopDone = cancel, make(chan struct{})
	c.mu.Unlock()
	if !c.engine.HasRun() {
		close(c.loopDone)
		c.mailbox.start(ctx)
		c.setState(Ready, "")
		return nil
	}
	inst, err := instantiate(lctx, c.engine)
	if err == nil && lctx.Err() != nil { // stopped meanwhile
		_ = inst.Close(context.WithoutCancel(ctx)) // it never ran
		err = ErrStopped
	}
	if err != nil {
		cancel()
		c.failed.Add(1)
		c.setState(Failed, err.Error())
		close(c.loopDone)
		return fmt.Errorf("capsule %s: %w", c.ID(), err)
	}
	c.setState(Ready, "")
	go func() {
		defer close(c.loopDone)
		c.runLoop(lctx, inst)
	}()
	return nil
}

// Stop ends the capsule: what it accepted is finished until ctx is done and cancelled
// then, the run loop is cancelled, instances and engine are closed. Further calls wait for
// the first to end and return what it returned.
func (c *Capsule) Stop(ctx context.Context) error {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		<-c.closed
		return c.closeErr
	}
	c.closing = true
	stopLoop, loopDone := c.stopLoop, c.loopDone
	c.mu.Unlock()
	defer close(c.closed)

	err := c.mailbox.Stop(ctx)
	if stopLoop != nil {
		stopLoop()
		t := time.NewTimer(stopGrace)
		defer t.Stop()
		select {
		case <-loopDone:
		case <-t.C:
			err = errors.Join(err, fmt.Errorf("capsule %s: run loop did not end within %s of being cancelled", c.ID(), stopGrace))
		}
	}
	c.setState(Stopped, "unloaded")
	c.closeErr = errors.Join(err, c.engine.Close(context.WithoutCancel(ctx)))
	return c.closeErr
}

// Status returns the figures that the capsule itself keeps: memory and CPU are the engine's.
func (c *Capsule) Status() abi.CapsuleStatus {
	state, reason := c.State()
	return abi.CapsuleStatus{
		Name:      c.ID(),
		Version:   c.manifest.Package.Version.String(),
		State:     state.String(),
		Reason:    reason,
		Dir:       c.manifest.Dir,
		Queued:    c.mailbox.Pending(),
		Handled:   c.handled.Load(),
		Failed:    c.failed.Load(),
		Rejected:  c.mailbox.rejected.Load(),
		Instances: int(c.mailbox.pool.live.Load()),
		Restarts:  c.mailbox.pool.lost.Load(),
	}
}
