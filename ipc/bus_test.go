package ipc

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

func subscribe(t testing.TB, b *Bus, pattern string, o SubscribeOptions) *Subscription {
	t.Helper()
	s, err := b.Subscribe(pattern, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func publish(t testing.TB, b *Bus, topic string) *Message {
	t.Helper()
	m := &Message{Topic: topic}
	if err := b.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// drain takes the topics that wait.
func drain(s *Subscription) []string {
	var topics []string
	for m, ok := s.TryRecv(); ok; m, ok = s.TryRecv() {
		topics = append(topics, m.Topic)
	}
	return topics
}

func TestPublishStampsAndShares(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 3600))
	b := NewBus(BusOptions{Now: func() time.Time { return at }})
	one, two := subscribe(t, b, "a.b", SubscribeOptions{}), subscribe(t, b, "a.*", SubscribeOptions{})
	m := publish(t, b, "a.b")
	if m.Seq != 1 || !m.Timestamp.Equal(at) || m.Timestamp.Location() != time.UTC {
		t.Errorf("stamped %d %v", m.Seq, m.Timestamp)
	}
	for _, s := range []*Subscription{one, two} {
		if got, ok := s.TryRecv(); !ok || got != m {
			t.Errorf("got %v, want the very message", got)
		}
	}
	if m := publish(t, b, "x"); m.Seq != 2 {
		t.Errorf("seq %d", m.Seq)
	}
	if got, want := b.Stats(), (Stats{Published: 2, Delivered: 2, Subscriptions: 2}); got != want {
		t.Errorf("stats %+v", got)
	}
}

func TestSubscriptionWithSeveralPatterns(t *testing.T) {
	b := NewBus(BusOptions{})
	s := subscribe(t, b, "a.*", SubscribeOptions{Also: []string{"a.b", "*.b", "c", "a.b"}})
	for _, topic := range []string{"a.b", "c", "a.x.y", "x.b", "nobody"} {
		publish(t, b, topic)
	}
	if got := drain(s); !reflect.DeepEqual(got, []string{"a.b", "c", "a.x.y", "x.b"}) {
		t.Errorf("got %q: each once and in order", got)
	}
	s.Close()
	if b.Stats().Subscriptions != 0 || len(b.index.exact) != 0 || !b.index.tree.empty() {
		t.Error("a closed subscription stays in the index")
	}
}

func TestOverflow(t *testing.T) {
	b := NewBus(BusOptions{})
	o := SubscribeOptions{Capacity: 2}
	o.Owner, o.Overflow = "rejects", RejectNew
	rejects := subscribe(t, b, "a.*", o)
	o.Owner, o.Overflow = "also", RejectNew
	subscribe(t, b, "a.*", o)
	o.Owner, o.Overflow = "drops", DropOldest
	drops := subscribe(t, b, "a.*", o)
	o.Owner, o.Overflow = "closes", Close
	closes := subscribe(t, b, "a.*", o)
	roomy := subscribe(t, b, "a.*", SubscribeOptions{})

	publish(t, b, "a.1")
	publish(t, b, "a.2")
	for range 100 {
		publish(t, b, "unrelated.traffic")
	}
	err := b.Publish(t.Context(), &Message{Topic: "a.3"})
	var full *QueueFullError
	if !errors.As(err, &full) || !errors.Is(err, abi.ErrQueueFull) || !reflect.DeepEqual(full.Owners, []string{"also", "rejects"}) {
		t.Fatalf("publish: %v", err)
	}
	if got := drain(rejects); !reflect.DeepEqual(got, []string{"a.1", "a.2"}) {
		t.Errorf("RejectNew has %q", got)
	}
	if got := drain(drops); !reflect.DeepEqual(got, []string{"a.2", "a.3"}) {
		t.Errorf("DropOldest has %q", got)
	}
	if n, m := drops.Lagged(), drops.Lagged(); n != 1 || m != 0 {
		t.Errorf("lagged %d, then %d", n, m)
	}
	if got := drain(roomy); len(got) != 3 {
		t.Errorf("a subscription with room has %q", got)
	}
	if _, err := closes.Recv(t.Context()); !errors.Is(err, ErrOverflow) || !errors.Is(err, ErrClosed) {
		t.Errorf("Close: %v", err)
	}
	select {
	case <-closes.Done():
	default:
		t.Error("Close: not done")
	}
	st := b.Stats()
	if st.QueueFull != 2 || st.Lagged != 1 || st.Overflowed != 1 || st.Subscriptions != 4 {
		t.Errorf("stats %+v", st)
	}
}

func TestAcceptSeesStampedMessages(t *testing.T) {
	b := NewBus(BusOptions{})
	s := subscribe(t, b, "a", SubscribeOptions{Capacity: 1, Accept: func(m *Message) bool { return m.Seq%2 == 0 }})
	publish(t, b, "a")
	publish(t, b, "a")
	if m, ok := s.TryRecv(); !ok || m.Seq != 2 || s.Pending() != 0 {
		t.Errorf("got %v", m)
	}
}

func TestRecv(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBus(BusOptions{})
		s := subscribe(t, b, "a", SubscribeOptions{})

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Recv(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("timeout: %v", err)
		}
		publish(t, b, "a")
		if _, err := s.Recv(ctx); !errors.Is(err, context.DeadlineExceeded) || s.Pending() != 1 {
			t.Errorf("a context that is done must win: %v", err)
		}
		if m, err := s.Recv(t.Context()); err != nil || m.Seq != 1 {
			t.Errorf("%v %v", m, err)
		}
		ended := make(chan error)
		go func() {
			_, err := s.Recv(context.Background())
			ended <- err
		}()
		synctest.Wait()
		s.Close()
		s.Close()
		if err := <-ended; !errors.Is(err, ErrClosed) || errors.Is(err, ErrOverflow) {
			t.Errorf("close: %v", err)
		}
		publish(t, b, "a")
		if s.Pending() != 0 {
			t.Error("a closed subscription takes messages")
		}
	})
}

// Two receivers, two messages, but the wake token can stand for both: none may be left waiting.
func TestNoLostWakeup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBus(BusOptions{})
		s := subscribe(t, b, "a", SubscribeOptions{})
		var all sync.WaitGroup
		gone, cancel := context.WithCancel(t.Context())
		go func() { _, _ = s.Recv(gone) }() // it may take the token and leave
		for range 8 {
			all.Go(func() {
				if _, err := s.Recv(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel()
		for range 9 {
			publish(t, b, "a")
		}
		all.Wait() // a deadlock fails the test
	})
}

func TestClosedBus(t *testing.T) {
	b := NewBus(BusOptions{})
	s := subscribe(t, b, "a", SubscribeOptions{})
	b.Close()
	b.Close()
	if _, err := s.Recv(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("recv: %v", err)
	}
	s.Close()
	if err := b.Publish(t.Context(), &Message{Topic: "a"}); !errors.Is(err, ErrBusClosed) {
		t.Errorf("publish: %v", err)
	}
	if _, err := b.Subscribe("a", SubscribeOptions{}); !errors.Is(err, ErrBusClosed) {
		t.Errorf("subscribe: %v", err)
	}
}

func TestBusRefuses(t *testing.T) {
	b := NewBus(BusOptions{})
	if err := b.Publish(t.Context(), &Message{Topic: "a..b"}); !errors.Is(err, ErrTopic) {
		t.Errorf("publish: %v", err)
	}
	if _, err := b.Subscribe("a", SubscribeOptions{Also: []string{""}}); !errors.Is(err, ErrTopic) {
		t.Errorf("subscribe: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Publish(gone, &Message{Topic: "a"}); !errors.Is(err, context.Canceled) || b.Stats().Published != 0 {
		t.Errorf("publish with a context that is done: %v", err)
	}
}

func TestWireHidesWhatIsInternal(t *testing.T) {
	p, _ := Custom(1)
	m := &Message{Topic: "a", Payload: p, SourceID: "u", Seq: 3, Principal: "p", Session: "s", Source: "kernel", Chain: []string{"x"}, Hops: 4}
	want := abi.Message{Topic: "a", Payload: p.Tagged(), SourceID: "u", Seq: 3, Principal: "p", Session: "s"}
	if got := m.Wire(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// TestWait: it returns with the first message and leaves it there.
func TestWait(t *testing.T) {
	b := NewBus(BusOptions{})
	s, err := b.Subscribe("a.b", SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Wait(t.Context()) }()
	if err := b.Publish(t.Context(), &Message{Topic: "a.b"}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || s.Pending() != 1 {
		t.Errorf("%v, %d wait", err, s.Pending())
	}
	if err := s.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	s.Close()
	if err := s.Wait(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}
