package wasm

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/approval"
)

// gcStops is the histogram of how long the collector took to stop all goroutines.
const gcStops = "/sched/pauses/stopping/gc:seconds"

// BenchmarkHostileGC collects garbage all the time while instances of a hostile guest run one after the other, and
// shows the longest that the collector waited: BENCH gc_stop_<guest> <ns> ns 5000000 <ratio>. That is the least of
// several rounds, because a busy machine also stops whom the collector waits for, but not in each of them. The first
// line, gc_stop_none, is what it waits without a guest.
func BenchmarkHostileGC(b *testing.B) {
	const allowed, rounds, instances = 100 * time.Millisecond, 4, 5
	bigData := hosttest.Module{Pages: abi.MaxMemoryPages, Data: bytes.Repeat([]byte{1}, 32<<20), Funcs: []hosttest.Func{entry(abi.ExportHookTrigger, hosttest.Forever())}}
	for _, name := range []string{"none", "fill", "grow", "grow-once", "recursion", "functions", "run-loop", "publish-big", "extism-churn", "extism-blocks", "logs", "data"} {
		r, _ := newRuntimeWith(b, Options{CallDeadline: allowed}, approval.Rules{Mode: approval.Autonomous})
		once := func() { time.Sleep(allowed) }
		if name != "none" {
			bin := bigData.Bytes()
			if name != "data" {
				bin = hostileGuest(b, name)
			}
			e, err := r.Load(context.Background(), hostileCapsule(), bin)
			must(b, err)
			defer e.Close(context.Background())
			once = func() {
				if err := attack(e, allowed); err == nil {
					b.Errorf("%s: it ended by itself", name)
				}
			}
		}
		least, collections := time.Hour, 0
		for range rounds {
			stop := collect()
			before := stops()
			for range instances {
				once()
			}
			least = min(least, before.longest(stops()))
			collections += stop()
		}
		b.Logf("%s: %d collections", name, collections)
		fmt.Printf("BENCH gc_stop_%s %d ns %d %.3f\n", name, least.Nanoseconds(), 5_000_000, float64(least)/5e6)
	}
}

// collect runs the collector until the returned function is called, which tells how often it ran.
func collect() func() int {
	done, collected := make(chan struct{}), make(chan int)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				collected <- n
				return
			default:
				runtime.GC()
			}
		}
	}()
	return func() int {
		close(done)
		return <-collected
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
