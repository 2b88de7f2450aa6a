package wasm

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/capsule"
)

// TestCPUIsNotWaiting: guests that wait for a processor are not charged for it. All together they cannot
// have used more than there is.
func TestCPUIsNotWaiting(t *testing.T) {
	const spin = 200 * time.Millisecond
	r, _ := newRuntime(t, Options{CallDeadline: spin})
	procs := runtime.GOMAXPROCS(0)
	var guests []*Instance
	for range 4 * procs {
		guests = append(guests, guest(t, r, one(nil, "", hosttest.Forever())))
	}
	began := time.Now()
	var wg sync.WaitGroup
	for _, i := range guests {
		wg.Go(func() {
			if _, err := i.Call(context.Background(), &capsule.Invocation{Action: "a"}); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	passed := time.Since(began)
	var used time.Duration
	for _, i := range guests {
		used += i.e.Usage().CPU()
	}
	if most := passed * time.Duration(procs); used > most*11/10 || used == 0 {
		t.Errorf("%d guests used %s in %s on %d processors", len(guests), used, passed, procs)
	}
}
