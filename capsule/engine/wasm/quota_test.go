package wasm

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/capsule"
)

// TestAccount: a bucket fills with the share and never beyond the burst.
func TestAccount(t *testing.T) {
	at := time.Unix(1000, 0)
	after := func(d time.Duration) time.Time { at = at.Add(d); return at }
	const burst = 10 * time.Second
	var a account
	for i, c := range []struct {
		pause, spend, wait time.Duration
	}{
		{0, 4 * time.Second, 0},
		{0, 6 * time.Second, 0},               // the burst is used up
		{0, time.Second, 4 * time.Second},     // at a quarter, one second takes four
		{2 * time.Second, 0, 2 * time.Second}, // half of that is over
		{2 * time.Second, 0, 0},               // and all of it
		{time.Hour, 10 * time.Second, 0},      // a long pause fills the burst, no more
		{0, time.Millisecond, 4 * time.Millisecond},
		{-time.Hour, 0, 4 * time.Millisecond}, // a clock that goes back gives nothing
	} {
		if got := a.spend(c.spend, 25, burst, after(c.pause)); got != c.wait {
			t.Errorf("step %d: wait %s, want %s", i, got, c.wait)
		}
	}
	var free account
	if got := free.spend(time.Hour, 0, burst, at); got != 0 || free.cpu.Load() != int64(time.Hour) {
		t.Errorf("without a limit: wait %s, %d", got, free.cpu.Load())
	}
}

// TestQuota: a guest that spins is slowed down to its share, and still ends with its call.
func TestQuota(t *testing.T) {
	r, _ := newRuntime(t, Options{CPUPercent: 5, CPUBurst: 20 * time.Millisecond, CallDeadline: 400 * time.Millisecond})
	i := guest(t, r, one(nil, "", hosttest.Forever()))
	start := time.Now()
	_, err := i.Call(context.Background(), &capsule.Invocation{Action: "a", Principal: "alice"})
	took := time.Since(start)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	shares := i.e.Usage().Shares()
	if len(shares) == 0 || shares[0].Principal != "alice" {
		t.Fatalf("accounted to %+v", shares)
	}
	if s := shares[0]; s.Throttled == 0 || s.CPU > took/2 {
		t.Errorf("of %s it ran %s and was held back for %s", took, s.CPU, s.Throttled)
	}
}

// TestHostCalls: they are counted for the capsule.
func TestHostCalls(t *testing.T) {
	r, _ := newRuntime(t, Options{})
	i := guest(t, r, one([]hosttest.Import{hosttest.Native(abi.ClockMs, 0)}, "", hosttest.Call(0), hosttest.Drop, hosttest.Call(0), hosttest.Drop, output(0, 0)))
	for range 3 {
		if _, err := invoke(i, context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if n := i.e.Usage().HostCalls(); n != 6 {
		t.Errorf("%d host calls, want 6", n)
	}
}
