package ipc

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/unicity-astrid/astrid-go/abi"
)

// ErrClosed is returned by [Subscription.Recv] after the subscription was closed.
// ErrOverflow wraps it: the subscription was too slow.
var (
	ErrClosed   = errors.New("subscription is closed")
	ErrOverflow = fmt.Errorf("%w: its queue was full", ErrClosed)
)

// Overflow says what a full queue does with a new message.
type Overflow uint8

const (
	RejectNew  Overflow = iota // miss it; the publisher is told
	DropOldest                 // lose the oldest waiting one; counted in Lagged
	Close                      // end the subscription
)

// SubscribeOptions configures a [Subscription].
type SubscribeOptions struct {
	Owner    string              // named in errors of publishers
	Also     []string            // further patterns that share the queue, and so the order
	Capacity int                 // waiting messages; default abi.DefaultSubscription
	Room     *Room               // of their bytes; default one of abi.SubscriptionBytes for this subscription alone
	Accept   func(*Message) bool // nil: all. Called by publishers, concurrently; must not block
	Overflow Overflow
}

// Subscription is a bounded queue of messages. It is safe for concurrent use.
type Subscription struct {
	bus      *Bus
	owner    string
	patterns []string
	accept   func(*Message) bool
	overflow Overflow
	done     chan struct{}
	wake     chan struct{} // holds a token when a waiting receiver has something to do

	mu      sync.Mutex
	queue   queue
	waiting int // receivers that wait, or are about to
	lagged  uint64
	closed  error
}

func newSubscription(b *Bus, patterns []string, o SubscribeOptions) *Subscription {
	if o.Capacity <= 0 {
		o.Capacity = abi.DefaultSubscription
	}
	if o.Room == nil {
		o.Room = NewRoom(abi.SubscriptionBytes)
	}
	return &Subscription{
		bus: b, owner: o.Owner, patterns: patterns, accept: o.Accept, overflow: o.Overflow,
		done: make(chan struct{}), wake: make(chan struct{}, 1), queue: queue{limit: o.Capacity, room: o.Room},
	}
}

type outcome uint8

const (
	gone       outcome = iota // closed before
	taken                     // queued
	lagging                   // queued, and the oldest one lost; or lost itself, where others that share the room fill it
	refused                   // not queued
	overflowed                // not queued, and closed by this
)

func (s *Subscription) put(m *Message) outcome {
	s.mu.Lock()
	if s.closed != nil {
		s.mu.Unlock()
		return gone
	}
	res := taken
	for !s.queue.push(m) {
		switch s.overflow {
		case DropOldest:
			s.lagged++
			res = lagging
			if s.queue.n == 0 {
				s.mu.Unlock()
				return res
			}
			s.queue.pop()
		case Close:
			s.endLocked(ErrOverflow)
			s.mu.Unlock()
			return overflowed
		default:
			s.mu.Unlock()
			return refused
		}
	}
	wake := s.waiting > 0
	s.mu.Unlock()
	if wake {
		s.signal()
	}
	return res
}

// signal lets one waiting receiver look at the queue. A receiver that is busy draining
// needs no signal, so a burst costs one.
func (s *Subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Recv waits for the next message. A ctx that is done wins over a waiting message; its
// cause is returned. A closed subscription gives [ErrClosed] or [ErrOverflow] at once,
// whatever was queued.
func (s *Subscription) Recv(ctx context.Context) (*Message, error) {
	var m *Message
	err := s.await(ctx, func() { m = s.queue.pop() })
	return m, err
}

// Wait is [Subscription.Recv] that leaves the message where it is.
func (s *Subscription) Wait(ctx context.Context) error {
	return s.await(ctx, func() {})
}

// await calls take, locked, as soon as a message waits.
func (s *Subscription) await(ctx context.Context, take func()) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	for {
		if s.closed != nil {
			err := s.closed
			s.mu.Unlock()
			return err
		}
		if s.queue.n > 0 {
			take()
			// The token we may have taken could have stood for more than one message.
			wake := s.queue.n > 0 && s.waiting > 0
			s.mu.Unlock()
			if wake {
				s.signal()
			}
			return nil
		}
		s.waiting++
		s.mu.Unlock()
		var err error
		select {
		case <-s.wake:
		case <-s.done:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		s.mu.Lock()
		s.waiting--
		if err != nil {
			wake := s.queue.n > 0 && s.waiting > 0
			s.mu.Unlock()
			if wake {
				s.signal()
			}
			return err
		}
	}
}

// TryRecv takes the next message if there is one.
func (s *Subscription) TryRecv() (*Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil || s.queue.n == 0 {
		return nil, false
	}
	return s.queue.pop(), true
}

// Lagged returns how many messages were dropped to make room since the last call.
func (s *Subscription) Lagged() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.lagged
	s.lagged = 0
	return n
}

// Pending returns how many messages wait.
func (s *Subscription) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.n
}

// Done is closed when the subscription is.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Close ends the subscription and drops what waits. It may be called twice.
func (s *Subscription) Close() {
	s.bus.drop(s)
	s.end(ErrClosed)
}

func (s *Subscription) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(cause)
}

func (s *Subscription) endLocked(cause error) {
	if s.closed != nil {
		return
	}
	s.closed = cause
	s.queue.clear()
	close(s.done)
}
