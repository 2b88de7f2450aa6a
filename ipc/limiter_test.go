package ipc

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

func TestRateLimiter(t *testing.T) {
	now := time.Unix(100, 0)
	l := NewRateLimiter(RateLimits{MaxMessages: 4, Now: func() time.Time { return now }})
	step := func(what string, size int, want error) {
		t.Helper()
		if _, err := l.allow(size); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	step("one byte too much", abi.MaxPublish+1, ErrTooLarge)
	step("the largest", abi.MaxPublish, nil)
	step("and again", abi.MaxPublish, nil)
	step("the window is full", 1, ErrRate)
	step("an empty one fits", 0, nil)
	now = now.Add(time.Second - 1)
	step("the window lasts", 1, ErrRate)
	step("empty", 0, nil)
	step("the fifth message", 0, ErrRate)
	now = now.Add(1)
	step("a new window", abi.MaxPublish, nil)
	now = now.Add(-time.Hour)
	step("a clock that went back", abi.MaxPublish, nil)
}

// TestRateWait: who is too fast waits for the next window, and no longer than its call lasts.
func TestRateWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, began := NewRateLimiter(RateLimits{MaxMessages: 3}), time.Now()
		for i, size := range []int{abi.MaxPublish, abi.MaxPublish, abi.MaxPublish, 1, 1, 1} {
			if err := l.Wait(t.Context(), size); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != time.Duration([]int{0, 0, 1, 1, 1, 2}[i])*time.Second {
				t.Errorf("message %d came after %s", i, took)
			}
		}
		if err := l.Wait(t.Context(), abi.MaxPublish+1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("what never fits: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		err := error(nil)
		for range 4 {
			err = l.Wait(ctx, 0)
		}
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrRate) {
			t.Errorf("at the end of the call: %v", err)
		}
	})
}
