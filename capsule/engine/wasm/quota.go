package wasm

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// cpuBurst is the default of Options.CPUBurst.
const cpuBurst = 10 * time.Second

// account is the guest time that one capsule has used for one principal. It is a bucket that fills with the share of
// Options.CPUPercent: a capsule that has used it up is slowed down to its share, like a group of processes is, and not ended.
type account struct {
	cpu       atomic.Int64 // nanoseconds
	throttled atomic.Int64 // nanoseconds

	mu   sync.Mutex
	left time.Duration // below zero: it has to wait
	at   time.Time
}

// spend takes guest time and returns how long the guest must wait. percent 0 is no limit.
func (a *account) spend(d time.Duration, percent int, burst time.Duration, now time.Time) (wait time.Duration) {
	a.cpu.Add(int64(d))
	if percent <= 0 {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at.IsZero() {
		a.left, a.at = burst, now
	}
	if since := now.Sub(a.at); since > 0 {
		a.left = min(burst, a.left+since*time.Duration(percent)/100)
		a.at = now
	}
	if a.left -= d; a.left >= 0 {
		return 0
	}
	return -a.left * 100 / time.Duration(percent)
}

// throttle lets the guest wait for its share.
func (i *Instance) throttle(ctx context.Context) {
	if i.wait < time.Millisecond { // less is not worth a timer
		return
	}
	began := time.Now()
	t := time.NewTimer(i.wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	i.share.throttled.Add(int64(time.Since(began)))
	i.wait = 0
}
