package ipc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// MaxMessagesPerSec is the default bound on the number of messages of one instance in a
// second. It is far above what streaming a model's answer needs.
const MaxMessagesPerSec = 5000

// ErrTooLarge and ErrRate are wrapped by the errors of [RateLimiter].
var (
	ErrTooLarge = errors.New("payload too large")
	ErrRate     = errors.New("publish rate exceeded")
)

// RateLimits configures a [RateLimiter]; zero fields have the stated defaults.
type RateLimits struct {
	MaxPayload  int              // bytes of one payload; abi.MaxPublish
	MaxBytes    int              // bytes within a window, no less than MaxPayload; abi.MaxPublishPerSec
	MaxMessages int              // messages within a window; MaxMessagesPerSec
	Window      time.Duration    // 1 s
	Now         func() time.Time // time.Now
}

// RateLimiter holds one publisher to a volume and a number of messages in fixed windows.
type RateLimiter struct {
	limits RateLimits

	mu       sync.Mutex
	start    time.Time
	bytes    int
	messages int
}

// NewRateLimiter returns a limiter whose first window starts at the first message.
func NewRateLimiter(l RateLimits) *RateLimiter {
	if l.MaxPayload <= 0 {
		l.MaxPayload = abi.MaxPublish
	}
	if l.MaxBytes <= 0 {
		l.MaxBytes = abi.MaxPublishPerSec
	}
	if l.MaxMessages <= 0 {
		l.MaxMessages = MaxMessagesPerSec
	}
	if l.Window <= 0 {
		l.Window = time.Second
	}
	if l.Now == nil {
		l.Now = time.Now
	}
	return &RateLimiter{limits: l}
}

// Wait charges a message of size bytes, once a window has room for it. So a publisher that is too fast is slowed
// down: one instance may serve many sessions, whose messages come when they come. The error says that the message never
// fits, or that ctx ended meanwhile; such a message costs nothing.
func (r *RateLimiter) Wait(ctx context.Context, size int) error {
	for {
		left, err := r.allow(size)
		if !errors.Is(err, ErrRate) {
			return err
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// allow charges a message, or says why it is refused and after what time it may not be.
func (r *RateLimiter) allow(size int) (left time.Duration, err error) {
	if size > r.limits.MaxPayload {
		return 0, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, size, r.limits.MaxPayload)
	}
	now := r.limits.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	// A clock that went back starts a new window too, or the limiter would be stuck.
	if since := now.Sub(r.start); since >= r.limits.Window || since < 0 {
		r.start, r.bytes, r.messages = now, 0, 0
	}
	left = r.start.Add(r.limits.Window).Sub(now)
	switch {
	case r.messages >= r.limits.MaxMessages:
		return left, fmt.Errorf("%w: %d messages within %s", ErrRate, r.limits.MaxMessages, r.limits.Window)
	case r.bytes+size > r.limits.MaxBytes:
		return left, fmt.Errorf("%w: %d bytes within %s", ErrRate, r.limits.MaxBytes, r.limits.Window)
	}
	r.bytes += size
	r.messages++
	return 0, nil
}
