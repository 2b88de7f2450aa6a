package capsule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// MaxHops bounds a chain of cause and effect: a message published while a message was
// handled, and so on. A turn of an agent takes about eight hops for each model call, so
// this allows more than a thousand calls; two capsules that answer each other are stopped after seconds.
// Run loops start chains anew: their publish rate is bounded instead (ipc.RateLimiter).
const MaxHops = 10_000

// DefaultGuardTimeout is how long a guard may take, the wait for its turn included.
const DefaultGuardTimeout = 30 * time.Second

// ResultSuffix is appended to the topic of a message to name where a guard's final answer goes.
const ResultSuffix = ".result"

// DispatcherOptions configures a [Dispatcher]; zero fields have the stated defaults.
type DispatcherOptions struct {
	GuardTimeout time.Duration    // DefaultGuardTimeout
	Now          func() time.Time // time.Now
	Log          *slog.Logger     // slog.Default
	// OnFailure is told of a handler that failed, trapped, or could not be reached when
	// its publisher was not waiting any more, so that somebody can answer in its place.
	// It runs in a worker of a capsule and must not call capsules synchronously.
	OnFailure func(ctx context.Context, c *Capsule, in *Invocation, err error)
}

// Dispatcher brings messages to guards, subscribers and handlers, in this order.
//
// Guards are interceptors with a priority below 100. They run one after the other while the
// publisher waits. Continue with a payload rewrites the message for everybody after; Deny
// stops it, Publish returns a [*DeniedError]; Final stops it and is published as the
// answer on topic + ".result" in the name of the guard; a guard that fails, traps,
// takes too long or is not running stops it, Publish returns a [*GuardError]. A capsule does not
// guard its own messages. On reserved topics there are no guards: what the kernel tells
// people, an approval to give for example, must not be rewritten by a capsule; interceptors of any priority
// are handlers there.
//
// Subscribers of the bus get the message next, then handlers. With several handlers each is queued when the
// one before has ended, so a long one delays nobody's view but the later handlers'. Two messages on one
// topic that were published in order reach each handler in order, as far as the mailboxes of
// the handlers before it keep order. Continue with a payload changes it for the
// handlers that follow, Final and Deny end the chain, an error does not.
//
// Synchronous calls (guards, hooks, Invoke) carry the chain of capsules that wait, and one
// to a member of the chain is refused with a [*CycleError]; so is one that closes a circle of
// capsules with no worker left, though their calls began apart. A published message starts
// an empty chain for its handlers, since nobody waits for them; it counts hops instead, up to [MaxHops].
//
// Every failure is told once: to the publisher as long as it waits, to OnFailure afterwards.
type Dispatcher struct {
	registry *Registry
	bus      *ipc.Bus
	opts     DispatcherOptions
	waits    *waits
}

// NewDispatcher returns a dispatcher over the capsules of r and the subscribers of b.
func NewDispatcher(r *Registry, b *ipc.Bus, o DispatcherOptions) *Dispatcher {
	if o.GuardTimeout <= 0 {
		o.GuardTimeout = DefaultGuardTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.OnFailure == nil {
		o.OnFailure = func(context.Context, *Capsule, *Invocation, error) {}
	}
	d := &Dispatcher{registry: r, bus: b, opts: o}
	d.waits = newWaits(func(id string) int {
		if c := r.Get(id); c != nil {
			return c.mailbox.opts.Workers
		}
		return 1
	})
	return d
}

// Publish delivers a message. It returns when guards have ended, subscribers have the message
// and the first handler has accepted it. m is not changed. An *ipc.QueueFullError names
// all who missed the message; everybody else has it.
func (d *Dispatcher) Publish(ctx context.Context, m *ipc.Message) error {
	if err := ipc.ValidTopic(m.Topic); err != nil {
		return coded(abi.CodeInvalid, err)
	}
	if m.Hops >= MaxHops {
		return coded(abi.CodeLimit, &HopsError{Topic: m.Topic})
	}
	waiting := extend(m.Chain, m.Source)
	msg := *m
	msg.Chain = nil
	msg.Hops++

	handlers := d.registry.match(m.Topic)
	if !ipc.Reserved(m.Topic) {
		n := slices.IndexFunc(handlers, func(b binding) bool { return !b.ic.Guard() })
		if n < 0 {
			n = len(handlers)
		}
		var guards []binding
		guards, handlers = handlers[:n], handlers[n:]
		if stop, err := d.guard(ctx, &msg, guards, waiting); stop || err != nil {
			return err
		}
	}
	missed := &missed{topic: m.Topic}
	err := d.bus.Publish(ctx, &msg)
	var full *ipc.QueueFullError
	if err != nil && !errors.As(err, &full) {
		return err // nobody got it
	}
	missed.add(err)
	if len(handlers) > 0 {
		v := &delivery{d: d, msg: &msg, steps: handlers}
		v.advance(ctx, func(_ *Capsule, _ *Invocation, err error) { missed.add(err) })
	}
	return missed.err()
}

// missed joins what went wrong for several receivers of one message.
type missed struct {
	topic  string
	owners []string
	errs   []error
}

func (m *missed) add(err error) {
	var full *ipc.QueueFullError
	switch {
	case err == nil:
	case errors.As(err, &full):
		m.owners = append(m.owners, full.Owners...)
	default:
		m.errs = append(m.errs, err)
	}
}

func (m *missed) err() error {
	if len(m.owners) > 0 {
		slices.Sort(m.owners)
		m.errs = append(m.errs, &ipc.QueueFullError{Topic: m.topic, Owners: slices.Compact(m.owners)})
	}
	if len(m.errs) == 1 {
		return m.errs[0]
	}
	return errors.Join(m.errs...)
}

// Invoke calls one capsule through its mailbox and waits for the result. in.Chain must
// hold the capsules that wait for it.
func (d *Dispatcher) Invoke(ctx context.Context, capsuleID string, in *Invocation) (Result, error) {
	c := d.registry.Get(capsuleID)
	if c == nil {
		return Result{}, coded(abi.CodeNotFound, fmt.Errorf("capsule %s: %w", capsuleID, ErrNotLoaded))
	}
	return d.callAlone(ctx, c, in)
}

// callAlone is a call that its caller waits for and for nothing else.
func (d *Dispatcher) callAlone(ctx context.Context, c *Capsule, in *Invocation) (Result, error) {
	done, err := d.await(subject(in), in.Chain, c.ID())
	if err != nil {
		return Result{}, err
	}
	defer done()
	return d.call(ctx, c, in)
}

// ErrRunLoop refuses a call of a run loop: its one instance never becomes free.
var ErrRunLoop = errors.New("capsule is a run loop and takes no calls")

// await notes that the last member of chain waits for the capsules called, until done is
// called. It refuses what would never end.
func (d *Dispatcher) await(what string, chain []string, called ...string) (done func(), err error) {
	for _, id := range called {
		if i := slices.Index(chain, id); i >= 0 {
			return nil, coded(abi.CodeDenied, &CycleError{Subject: what, Path: append(slices.Clone(chain[i:]), id)})
		}
	}
	done, cycle := d.waits.begin(chain, called...)
	if cycle != nil {
		return nil, coded(abi.CodeDenied, &CycleError{Subject: what, Path: cycle})
	}
	return done, nil
}

// call runs one call that was awaited. A capsule that was replaced a moment ago has its
// successor called; a call that began is never repeated.
func (d *Dispatcher) call(ctx context.Context, c *Capsule, in *Invocation) (Result, error) {
	id := c.ID()
	for {
		if c.engine.HasRun() {
			return Result{}, coded(abi.CodeUnsupported, fmt.Errorf("capsule %s: %w", id, ErrRunLoop))
		}
		out, err := c.mailbox.Do(ctx, in)
		if errors.Is(err, ErrStopped) {
			if next := d.registry.Get(id); next != nil && next != c {
				c = next
				continue
			}
		}
		return c.settle(out, err)
	}
}

// settle counts a call and decodes its output.
func (c *Capsule) settle(out []byte, err error) (Result, error) {
	if err != nil {
		c.failed.Add(1)
		return Result{}, err
	}
	c.handled.Add(1)
	return DecodeResult(out), nil
}
