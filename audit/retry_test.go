package audit

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestFailedChainIsOpenedAgain: what failed is tried again after a while, by itself, and finds an intact chain; but not
// where an fsync failed.
func TestFailedChainIsOpenedAgain(t *testing.T) {
	for _, step := range []string{"open", "write", "write short", "sync", "anchor", "sign"} {
		t.Run(step, func(t *testing.T) {
			signer := &faultySigner{testSigner: newSigner("runtime")}
			var now atomic.Int64
			l, f := openFaulty(t, Options{SegmentSize: 1, Signer: signer, RetryAfter: time.Minute, Now: func() time.Time { return time.Unix(1_700_000_000+now.Load(), 0) }})
			ctx := context.Background()
			first := mustAppend(t, l, "alice", decision(1))
			mend := failAt(step, f, signer)
			for _, after := range []int64{0, 59, 60, 61, 119, 180} { // it is opened again at 60 s, fails, and at 180 s
				now.Store(after)
				if _, err := l.Append(ctx, "alice", decision(2)); !errors.Is(err, ErrFailed) {
					t.Fatalf("after %d s: %v", after, err)
				}
			}
			mend()
			now.Store(239)
			if _, err := l.Append(ctx, "alice", decision(3)); !errors.Is(err, ErrFailed) {
				t.Fatalf("too early: %v", err)
			}
			now.Store(300)
			if step == "sync" {
				if _, err := l.Append(ctx, "alice", decision(3)); !errors.Is(err, ErrFailed) {
					t.Fatalf("after a failed fsync: %v", err)
				}
				if err := l.Reopen(ctx, "alice"); err != nil {
					t.Fatal(err)
				}
			}
			wantWhole(t, l, first)
		})
	}
}

// TestHammerFailures: many append while the store fails and recovers all the time. Whoever was answered finds its entry in an
// intact chain.
func TestHammerFailures(t *testing.T) {
	l, f := openFaulty(t, Options{RetryAfter: time.Nanosecond, SegmentSize: 4 << 10})
	f.short = true
	ctx := context.Background()
	mustAppend(t, l, "alice", decision(0))
	stop := make(chan struct{})
	var failing sync.WaitGroup
	failing.Go(func() {
		for i := 0; ; i++ {
			f.setFail([]string{"", "write", "", "open", "", "anchor"}[i%6])
			select {
			case <-stop:
				f.setFail("")
				return
			default:
			}
		}
	})
	var mu sync.Mutex
	var answered []ID
	failed := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				e, err := l.Append(ctx, "alice", decision(i))
				mu.Lock()
				if err == nil {
					answered = append(answered, e.ID)
				} else if failed++; !errors.Is(err, ErrFailed) {
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	close(stop)
	failing.Wait()
	mustAppend(t, l, "alice", decision(1))
	if r, err := l.Verify(ctx, VerifyOptions{}); err != nil || r.State() != Intact {
		t.Fatalf("%v %v", err, r.Problems())
	}
	for _, id := range answered {
		if _, err := l.Get(ctx, id); err != nil {
			t.Fatalf("%s was answered for: %v", id, err)
		}
	}
	t.Logf("%d answered, %d failed", len(answered), failed)
}
