package ipc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// ErrBusClosed is returned by a bus after [Bus.Close].
var ErrBusClosed = errors.New("bus is closed")

// QueueFullError says who missed a message because a bounded queue was full. Everybody
// else got it.
type QueueFullError struct {
	Topic  string
	Owners []string // sorted, each once
}

func (e *QueueFullError) Error() string {
	return fmt.Sprintf("%s: queue of %s is full, the message was not taken: slow down and try again",
		e.Topic, strings.Join(e.Owners, ", "))
}

// Is makes errors.Is(err, abi.ErrQueueFull) true.
func (e *QueueFullError) Is(target error) bool { return target == abi.ErrQueueFull }

// BusOptions configures a [Bus].
type BusOptions struct {
	Now func() time.Time // default time.Now
}

// Bus delivers messages to subscriptions. See the package comment for its contract.
type Bus struct {
	now func() time.Time
	seq atomic.Uint64

	mu     sync.RWMutex
	closed bool
	index  index
	subs   map[*Subscription]struct{}

	delivered, queueFull, lagged, overflowed atomic.Uint64
}

// Stats counts a bus's traffic since it was made.
type Stats struct {
	Published     uint64 // messages
	Delivered     uint64 // messages put into a queue, once for each queue
	QueueFull     uint64 // messages refused by a full queue, once for each queue
	Lagged        uint64 // messages dropped to make room, once for each queue
	Overflowed    uint64 // subscriptions closed because their queue was full
	Subscriptions int    // open now
}

// NewBus returns an open bus.
func NewBus(o BusOptions) *Bus {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Bus{now: o.Now, subs: make(map[*Subscription]struct{})}
}

// Publish stamps m with sequence and time and queues it for each subscription that wants
// it. It never waits. The error is a [*QueueFullError] if queues were full, a wrapped
// [ErrTopic], [ErrBusClosed], or the cause of a ctx that was done before anything was sent.
// The bus owns m from here on.
func (b *Bus) Publish(ctx context.Context, m *Message) error {
	if err := ValidTopic(m.Topic); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var room [32]*Subscription // keeps the usual fan-out off the heap
	b.mu.RLock()
	if b.closed {
		b.mu.RUnlock()
		return ErrBusClosed
	}
	matched := b.index.match(m.Topic, room[:0])
	b.mu.RUnlock()

	m.Seq = b.seq.Add(1)
	m.Timestamp = b.now().UTC()
	var missed []string
	delivered := uint64(0)
	for _, s := range matched {
		if s.accept != nil && !s.accept(m) {
			continue
		}
		switch s.put(m) {
		case taken:
			delivered++
		case lagging:
			delivered++
			b.lagged.Add(1)
		case refused:
			missed = append(missed, s.owner)
		case overflowed:
			b.overflowed.Add(1)
			b.drop(s)
		}
	}
	if delivered > 0 {
		b.delivered.Add(delivered)
	}
	if len(missed) > 0 {
		b.queueFull.Add(uint64(len(missed)))
		slices.Sort(missed)
		return &QueueFullError{Topic: m.Topic, Owners: slices.Compact(missed)}
	}
	return nil
}

// Subscribe opens a subscription to pattern and to o.Also.
func (b *Bus) Subscribe(pattern string, o SubscribeOptions) (*Subscription, error) {
	patterns := append([]string{pattern}, o.Also...)
	for _, p := range patterns {
		if err := ValidPattern(p); err != nil {
			return nil, err
		}
	}
	slices.Sort(patterns)
	s := newSubscription(b, slices.Compact(patterns), o)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrBusClosed
	}
	for _, p := range s.patterns {
		b.index.add(p, s)
	}
	b.subs[s] = struct{}{}
	return s, nil
}

// drop forgets a subscription.
func (b *Bus) drop(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.subs[s]; !ok {
		return
	}
	delete(b.subs, s)
	for _, p := range s.patterns {
		b.index.remove(p, s)
	}
}

// Close ends all subscriptions and refuses further messages. It may be called twice.
func (b *Bus) Close() {
	b.mu.Lock()
	subs := b.subs
	b.closed, b.subs, b.index = true, nil, index{}
	b.mu.Unlock()
	for s := range subs {
		s.end(ErrClosed)
	}
}

// Stats returns the counters. They are read one by one, not at one instant.
func (b *Bus) Stats() Stats {
	b.mu.RLock()
	n := len(b.subs)
	b.mu.RUnlock()
	return Stats{
		Published: b.seq.Load(), Delivered: b.delivered.Load(), QueueFull: b.queueFull.Load(),
		Lagged: b.lagged.Load(), Overflowed: b.overflowed.Load(), Subscriptions: n,
	}
}
