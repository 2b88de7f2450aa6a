package ipc

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

const fanout = 16

// sends times n rounds of send while receivers drain.
func fanoutBus(n int) time.Duration {
	b := NewBus(BusOptions{})
	var all sync.WaitGroup
	for range fanout {
		s, err := b.Subscribe("bench.v1.topic", SubscribeOptions{Capacity: n})
		if err != nil {
			panic(err)
		}
		all.Go(func() {
			for range n {
				if _, err := s.Recv(context.Background()); err != nil {
					panic(err)
				}
			}
		})
	}
	start := time.Now()
	for range n {
		if err := b.Publish(context.Background(), &Message{Topic: "bench.v1.topic"}); err != nil {
			panic(err)
		}
	}
	all.Wait()
	return time.Since(start)
}

func fanoutChannels(n int) time.Duration {
	var all sync.WaitGroup
	var chans [fanout]chan *Message
	for i := range chans {
		chans[i] = make(chan *Message, n)
		all.Go(func() {
			for range n {
				<-chans[i]
			}
		})
	}
	start := time.Now()
	for range n {
		m := &Message{Topic: "bench.v1.topic"}
		for _, c := range chans {
			c <- m
		}
	}
	all.Wait()
	return time.Since(start)
}

// BenchmarkBusFanout16 compares a publish to 16 subscribers with 16 raw channel sends,
// receiving included on both sides. Rounds alternate, and the best of each counts.
func BenchmarkBusFanout16(b *testing.B) {
	const messages = 10_000
	best := [2]time.Duration{1<<63 - 1, 1<<63 - 1}
	for b.Loop() {
		best[0] = min(best[0], fanoutBus(messages))
		best[1] = min(best[1], fanoutChannels(messages))
	}
	bus, raw := float64(best[0].Nanoseconds())/messages, float64(best[1].Nanoseconds())/messages
	b.ReportMetric(bus, "ns/publish")
	b.ReportMetric(bus/raw, "x-channels")
	fmt.Printf("BENCH bus_fanout_16 %.0f ns/publish %.0f %.2f\n", bus, raw, bus/raw)
}

func BenchmarkClassify(b *testing.B) {
	in := []byte(`{"type":"llm_stream_event","request_id":"` + someID + `","event":{"TextDelta":"some words"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if p, err := ClassifyPayload(in); err != nil || p.Tag() != "llm_stream_event" {
			b.Fatal(p.Tag(), err)
		}
	}
}
