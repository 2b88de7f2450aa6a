package capsule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// pool keeps the idle instances of a capsule. The one used last is used next, so that
// those beyond the need of the moment stay unused and can go. The last one stays, so that the next call finds it; one that has
// grown large goes too, where no message can count on finding the instance of the one before.
type pool struct {
	engine Engine
	idle   time.Duration
	spare  bool // there may be several instances, so that none is special

	live atomic.Int64  // instances that exist
	lost atomic.Uint64 // instances that died and were, or will be, replaced

	mu     sync.Mutex
	free   []idleInstance // oldest use first
	timer  *time.Timer
	closed bool
}

type idleInstance struct {
	inst  Instance
	since time.Time
}

// get returns an idle instance, or a new one.
func (p *pool) get(ctx context.Context) (Instance, error) {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		inst := p.free[n-1].inst
		p.free[n-1] = idleInstance{}
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return inst, nil
	}
	p.mu.Unlock()
	inst, err := instantiate(ctx, p.engine)
	if err != nil {
		return nil, err
	}
	p.live.Add(1)
	return inst, nil
}

// instantiate is Engine.Instantiate that survives a panic.
func instantiate(ctx context.Context, e Engine) (inst Instance, err error) {
	_, err = guarded(func() ([]byte, error) {
		var err error
		inst, err = e.Instantiate(ctx)
		return nil, err
	})
	if err != nil {
		return nil, fmt.Errorf("make an instance: %w", err)
	}
	return inst, nil
}

// put gives an instance back; nil is ignored.
func (p *pool) put(inst Instance) {
	if inst == nil {
		return
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		p.discard(inst)
		return
	}
	p.free = append(p.free, idleInstance{inst, time.Now()})
	if p.timer == nil && p.trimsLocked() {
		p.timer = time.AfterFunc(p.idle, p.trim)
	}
	p.mu.Unlock()
}

// largeInstance is the memory from which on an idle instance costs more than making another: that takes milliseconds. A Go guest has
// about 4 MiB, and keeps what a long conversation once made it grow to.
const largeInstance = 12 << 20

// sized is an instance that knows its memory, in bytes.
type sized interface{ Size() int64 }

// trimsLocked tells whether the oldest idle instance is to go when its time has come.
func (p *pool) trimsLocked() bool {
	if len(p.free) != 1 {
		return len(p.free) > 1
	}
	s, ok := p.free[0].inst.(sized)
	return ok && p.spare && s.Size() >= largeInstance
}

// trim closes what was idle for long, but for the last instance if that is not large.
func (p *pool) trim() {
	p.mu.Lock()
	p.timer = nil
	limit := time.Now().Add(-p.idle)
	var old []idleInstance
	for p.trimsLocked() && !p.free[0].since.After(limit) {
		old = append(old, p.free[0])
		p.free = append(p.free[:0], p.free[1:]...)
	}
	if p.trimsLocked() && !p.closed {
		p.timer = time.AfterFunc(max(time.Until(p.free[0].since.Add(p.idle)), time.Millisecond), p.trim)
	}
	p.mu.Unlock()
	for _, o := range old {
		p.discard(o.inst)
	}
	if len(old) > 0 {
		memory.soon()
	}
}

// discard closes an instance that is not in the pool. That it fails to close matters to
// nobody: it is not used again.
func (p *pool) discard(inst Instance) {
	p.live.Add(-1)
	_ = inst.Close(context.Background())
}

// close closes the idle instances; those in use are closed when they are put back.
func (p *pool) close() error {
	p.mu.Lock()
	free := p.free
	p.free, p.closed = nil, true
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	var errs []error
	for _, f := range free {
		p.live.Add(-1)
		errs = append(errs, f.inst.Close(context.Background()))
	}
	return errors.Join(errs...)
}
