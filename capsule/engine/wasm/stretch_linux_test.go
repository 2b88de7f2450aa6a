package wasm

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/unicity-astrid/astrid-go/approval"
)

// threadTime is what the current thread has used of a processor.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// BenchmarkHostileStretch measures the longest stretch of guest code between two yields, in processor time, which
// does not depend on what else the machine does: BENCH guest_stretch_<guest> <ns> ns 5000000 <ratio>.
func BenchmarkHostileStretch(b *testing.B) {
	for _, name := range []string{"fill", "grow", "grow-once", "recursion", "functions", "run-loop", "init-loop", "extism-churn", "extism-blocks", "extism-grow"} {
		runtime.LockOSThread()
		var last, longest time.Duration
		yields := 0
		r, _ := newRuntimeWith(b, Options{CallDeadline: time.Second, yield: func(ctx context.Context) {
			if yields++; yields > 1 {
				longest = max(longest, threadTime()-last)
			}
			yield(ctx)
			last = threadTime()
		}}, approval.Rules{Mode: approval.Autonomous})
		e, err := r.Load(context.Background(), hostileCapsule(), hostileGuest(b, name))
		must(b, err)
		if err := attack(e, time.Second); err == nil {
			b.Errorf("%s: it ended by itself", name)
		}
		runtime.UnlockOSThread()
		b.Logf("%s: %d yields", name, yields)
		fmt.Printf("BENCH guest_stretch_%s %d ns %d %.3f\n", name, longest.Nanoseconds(), 5_000_000, float64(longest)/5e6)
		must(b, e.Close(context.Background()))
	}
}
