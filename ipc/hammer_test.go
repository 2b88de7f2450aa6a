package ipc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Publishers, receivers and subscriptions that come and go: each lasting subscription gets
// every message, those of one publisher in order.
func TestHammerBus(t *testing.T) {
	const publishers, each, lasting = 4, 2000, 4
	b := NewBus(BusOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var receivers, churn, senders sync.WaitGroup
	for i := range lasting {
		pattern := []string{"p.*", "p.*.x", "p.1.x", "*.*.x"}[i]
		s := subscribe(t, b, pattern, SubscribeOptions{Capacity: publishers * each})
		want := publishers * each
		if pattern == "p.1.x" {
			want = each
		}
		receivers.Go(func() {
			last := make(map[string]int)
			for n := range want {
				m, err := s.Recv(ctx)
				if err != nil {
					t.Errorf("%s after %d: %v", pattern, n, err)
					return
				}
				if m.Hops != last[m.Source]+1 {
					t.Errorf("%s: message %d of %s after %d", pattern, m.Hops, m.Source, last[m.Source])
					return
				}
				last[m.Source] = m.Hops
			}
		})
	}
	stop := make(chan struct{})
	for i := range 2 {
		churn.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				s := subscribe(t, b, "p.*", SubscribeOptions{Capacity: 4, Overflow: Overflow(n % 3), Also: []string{fmt.Sprintf("p.%d.x", i)}})
				if n%2 == 0 {
					_, _ = s.TryRecv()
					s.Lagged()
				}
				s.Close()
			}
		})
	}
	for i := range publishers {
		senders.Go(func() {
			for n := range each {
				m := &Message{Topic: fmt.Sprintf("p.%d.x", i), Source: fmt.Sprint(i), Hops: n + 1}
				var full *QueueFullError
				if err := b.Publish(ctx, m); err != nil && !errors.As(err, &full) {
					t.Error(err)
				}
			}
		})
	}
	senders.Wait()
	receivers.Wait()
	close(stop)
	churn.Wait()
	if st := b.Stats(); st.Published != publishers*each || st.Subscriptions != lasting {
		t.Errorf("stats %+v", st)
	}
}

// Many receivers of one subscription, closed under them: every message is received once
// or dropped by the close, and everybody wakes up.
func TestHammerReceivers(t *testing.T) {
	for range 50 {
		b := NewBus(BusOptions{})
		s := subscribe(t, b, "a", SubscribeOptions{Capacity: 64, Overflow: DropOldest})
		var got atomic.Int64
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for {
					if _, err := s.Recv(t.Context()); err != nil {
						return
					}
					got.Add(1)
				}
			})
		}
		for range 200 {
			publish(t, b, "a")
		}
		s.Close()
		all.Wait()
		if n := got.Load() + int64(b.Stats().Lagged); n > 200 {
			t.Fatalf("%d of 200 messages received or dropped", n)
		}
	}
}
