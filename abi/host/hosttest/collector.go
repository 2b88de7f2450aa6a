package hosttest

import (
	"math"
	"runtime"
	"runtime/metrics"
	"time"
)

// gcStops is the histogram of how long the collector took to stop all goroutines.
const gcStops = "/sched/pauses/stopping/gc:seconds"

// CollectorStop collects garbage all the time while work runs, once in each round, and returns the longest that the collector
// waited until everybody had stopped: the least of the rounds, because a busy machine also stops whom the collector waits
// for, but not in each of them.
func CollectorStop(rounds int, work func()) time.Duration {
	least := time.Duration(math.MaxInt64)
	for range rounds {
		done, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-done:
					return
				default:
					runtime.GC()
				}
			}
		}()
		before := stops()
		work()
		least = min(least, longest(before, stops()))
		close(done)
		<-ended
	}
	return least
}

func stops() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: gcStops}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	return &metrics.Float64Histogram{Counts: append([]uint64(nil), h.Counts...), Buckets: h.Buckets}
}

// longest is the upper bound of what was added last.
func longest(before, now *metrics.Float64Histogram) time.Duration {
	for i := len(now.Counts) - 1; i >= 0; i-- {
		if now.Counts[i] > before.Counts[i] {
			up := now.Buckets[i+1]
			if math.IsInf(up, 1) {
				up = now.Buckets[i]
			}
			return time.Duration(up * 1e9)
		}
	}
	return 0
}
