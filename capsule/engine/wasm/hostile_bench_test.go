package wasm

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/approval"
)

// BenchmarkHostileGC collects garbage all the time while instances of a hostile guest run one after the other, and
// shows the longest that the collector waited: BENCH gc_stop_<guest> <ns> ns 5000000 <ratio>. The first line,
// gc_stop_none, is what it waits without a guest.
func BenchmarkHostileGC(b *testing.B) {
	const allowed, rounds, instances = 100 * time.Millisecond, 4, 5
	bigData := hosttest.Module{Pages: abi.MaxMemoryPages, Data: bytes.Repeat([]byte{1}, 32<<20), Funcs: []hosttest.Func{entry(abi.ExportHookTrigger, hosttest.Forever())}}
	for _, name := range []string{"none", "fill", "grow", "grow-once", "recursion", "functions", "run-loop", "publish-big", "extism-churn", "extism-blocks", "logs", "values", "data"} {
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
		longest := hosttest.CollectorStop(rounds, func() {
			for range instances {
				once()
			}
		})
		fmt.Printf("BENCH gc_stop_%s %d ns %d %.3f\n", name, longest.Nanoseconds(), 5_000_000, float64(longest)/5e6)
	}
}
