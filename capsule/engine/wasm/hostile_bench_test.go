package wasm

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/approval"
)

// gcStops is the histogram of how long the collector took to stop all goroutines.
const gcStops = "/sched/pauses/stopping/gc:seconds"

// BenchmarkHostileGC collects garbage all the time while a hostile guest runs, and shows the longest that
// the collector waited for it: BENCH gc_stop_<guest> <ns> ns 5000000 <ratio>.
func BenchmarkHostileGC(b *testing.B) {
	for _, name := range []string{"fill", "grow", "recursion", "functions", "run-loop", "publish-big", "extism-churn", "extism-blocks", "logs"} {
		const allowed = 2 * time.Second
		r, _ := newRuntimeWith(b, Options{CallDeadline: allowed}, approval.Rules{Mode: approval.Autonomous})
		e, err := r.Load(context.Background(), hostileCapsule(), hostileGuest(b, name))
		must(b, err)
		done := make(chan struct{})
		collected := make(chan int)
		before := stops()
		go func() {
			n := 0
			for {
				select {
				case <-done:
					collected <- n
					return
				default:
					runtime.GC()
					n++
				}
			}
		}()
		if err := attack(e, allowed); err == nil {
			b.Errorf("%s: it ended by itself", name)
		}
		close(done)
		n := <-collected
		longest := before.longest(stops())
		b.Logf("%s: %d collections", name, n)
		fmt.Printf("BENCH gc_stop_%s %d ns %d %.3f\n", name, longest.Nanoseconds(), 5_000_000, float64(longest)/5e6)
		must(b, e.Close(context.Background()))
	}
}

type histogram metrics.Float64Histogram

func stops() histogram {
	s := []metrics.Sample{{Name: gcStops}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	return histogram{Counts: append([]uint64(nil), h.Counts...), Buckets: h.Buckets}
}

// longest is the upper bound of what was added to h last.
func (h histogram) longest(now histogram) time.Duration {
	for i := len(now.Counts) - 1; i >= 0; i-- {
		if now.Counts[i] > h.Counts[i] {
			up := now.Buckets[i+1]
			if math.IsInf(up, 1) {
				up = now.Buckets[i]
			}
			return time.Duration(up * 1e9)
		}
	}
	return 0
}
