package ipc

import (
	"errors"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

func TestRateLimiter(t *testing.T) {
	now := time.Unix(100, 0)
	l := NewRateLimiter(RateLimits{MaxMessages: 4, Now: func() time.Time { return now }})
	step := func(what string, size int, want error) {
		t.Helper()
		if err := l.Allow(size); !errors.Is(err, want) {
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
