package ipc

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// MaxMessagesPerSec is the default bound on the number of messages of one instance in a
// second. It is far above what streaming a model's answer needs.
const MaxMessagesPerSec = 5000

// ErrTooLarge and ErrRate are wrapped by the errors of [RateLimiter.Allow].
var (
	ErrTooLarge = errors.New("payload too large")
	ErrRate     = errors.New("publish rate exceeded")
)

// RateLimits configures a [RateLimiter]; zero fields have the stated defaults.
type RateLimits struct {
	MaxPayload  int              // bytes of one payload; abi.MaxPublish
	MaxBytes    int              // bytes within a window; abi.MaxPublishPerSec
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

// Allow charges a message of size bytes, or says why it is refused. A refused message
// costs nothing.
func (r *RateLimiter) Allow(size int) error {
	if size > r.limits.MaxPayload {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, size, r.limits.MaxPayload)
	}
	now := r.limits.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	// A clock that went back starts a new window too, or the limiter would be stuck.
	if since := now.Sub(r.start); since >= r.limits.Window || since < 0 {
		r.start, r.bytes, r.messages = now, 0, 0
	}
	switch {
	case r.messages >= r.limits.MaxMessages:
		return fmt.Errorf("%w: %d messages within %s", ErrRate, r.limits.MaxMessages, r.limits.Window)
	case r.bytes+size > r.limits.MaxBytes:
		return fmt.Errorf("%w: %d bytes within %s", ErrRate, r.limits.MaxBytes, r.limits.Window)
	}
	r.bytes += size
	r.messages++
	return nil
}
