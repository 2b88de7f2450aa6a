package ipc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func sized(t *testing.T, topic string, n int) *Message {
	t.Helper()
	p, err := ClassifyPayload([]byte(`"` + strings.Repeat("x", n) + `"`))
	if err != nil {
		t.Fatal(err)
	}
	return &Message{Topic: topic, Payload: p}
}

// TestRoom: what waits is bounded in bytes too, each subscription does with too much what it does with too many, and
// what is taken or dropped makes room.
func TestRoom(t *testing.T) {
	b := NewBus(BusOptions{})
	const big, n = 100_000, 10
	open := func(o SubscribeOptions) *Subscription {
		t.Helper()
		if o.Room == nil {
			o.Room = NewRoom(n * (big + 2000))
		}
		s, err := b.Subscribe("a.b", o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	publish := func(topic string, size int) error { return b.Publish(context.Background(), sized(t, topic, size)) }
	rejects, drops, closes := open(SubscribeOptions{Owner: "r"}), open(SubscribeOptions{Overflow: DropOldest}), open(SubscribeOptions{Overflow: Close})
	var full *QueueFullError
	for i := range n + 3 {
		if err := publish("a.b", big); (i >= n) != errors.As(err, &full) {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if rejects.Pending() != n || drops.Pending() != n || drops.Lagged() != 3 {
		t.Errorf("%d and %d wait", rejects.Pending(), drops.Pending())
	}
	if _, err := closes.Recv(t.Context()); !errors.Is(err, ErrOverflow) {
		t.Error(err)
	}
	if _, ok := rejects.TryRecv(); !ok || publish("a.b", big) != nil {
		t.Error("what was taken made no room")
	}
	if publish("a.b", 5*big); drops.Pending() != 6 || drops.Lagged() != 6 {
		t.Errorf("beside a large one %d wait", drops.Pending())
	}
	rejects.Close()
	// Two share one room: what one has, the other has not, until it is closed.
	room := NewRoom(n * (big + 2000))
	one := open(SubscribeOptions{Overflow: DropOldest, Room: room})
	for range n {
		_ = publish("a.b", big)
	}
	two, err := b.Subscribe("c.d", SubscribeOptions{Overflow: DropOldest, Room: room})
	if err != nil {
		t.Fatal(err)
	}
	if err := publish("c.d", big); err != nil || two.Pending() != 0 || two.Lagged() != 1 || one.Pending() != n {
		t.Errorf("%v: %d and %d wait", err, one.Pending(), two.Pending())
	}
	one.Close()
	if err := publish("c.d", big); err != nil || two.Pending() != 1 {
		t.Errorf("%v: after the other was closed %d wait", err, two.Pending())
	}
	two.Close()
	if left := room.left.Load(); left != n*(big+2000) {
		t.Errorf("%d bytes are left", left)
	}
}

// TestRoomHammer: whatever happens at once, at the end all of the room is there again.
func TestRoomHammer(t *testing.T) {
	b := NewBus(BusOptions{})
	room := NewRoom(100_000)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 200 {
				s, err := b.Subscribe(fmt.Sprintf("a.%d", i%2), SubscribeOptions{Overflow: Overflow(i % 3), Room: room})
				if err != nil {
					t.Error(err)
					return
				}
				for range i {
					_ = b.Publish(context.Background(), sized(t, fmt.Sprintf("a.%d", i%2), 9000))
					s.TryRecv()
				}
				s.Close()
			}
		})
	}
	wg.Wait()
	if left := room.left.Load(); left != 100_000 {
		t.Errorf("%d bytes are left", left)
	}
}
