package capsule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

var (
	// ErrStopped is wrapped when a capsule that is being stopped is given work. It was not taken.
	ErrStopped = errors.New("capsule is stopped")
	// ErrInterrupted is wrapped when a call was taken but the capsule was stopped before it ended.
	ErrInterrupted = errors.New("capsule was stopped before it was done")
)

// wakeLocked starts workers for what is ready. They are goroutines that end when
// nothing is left, so an idle capsule has none.
func (m *Mailbox) wakeLocked() {
	for m.started && m.running < m.opts.Workers && m.ready.len()+m.asked.len() > 0 {
		m.running++
		go m.work(m.takeLocked(false), false)
	}
	if m.started && !m.spare && m.asked.len() > 0 {
		m.spare = true
		go m.work(m.takeLocked(true), true)
	}
	m.drainedLocked()
}

// readyLocked queues a job that nothing holds back.
func (m *Mailbox) readyLocked(j *job) {
	if j.asks && m.opts.Workers > 1 {
		m.asked.push(j)
		return
	}
	m.ready.push(j)
}

// takeLocked takes the next job, nil if there is none. The spare worker takes what is asked, the others that only when nothing
// else waits.
func (m *Mailbox) takeLocked(spare bool) *job {
	from := &m.ready
	if spare || from.len() == 0 {
		from = &m.asked
	}
	if from.len() == 0 {
		return nil
	}
	m.waitings--
	<-m.slots
	return from.pop()
}

// work runs j and then whatever is ready.
func (m *Mailbox) work(j *job, spare bool) {
	for j != nil {
		m.runJob(j)
		j = m.next(j, spare)
	}
}

func (m *Mailbox) runJob(j *job) {
	var inst Instance
	defer func() {
		m.pool.put(inst)
		if j.then != nil {
			j.then()
		}
	}()
	j.run(m.base, func(ctx context.Context, in *Invocation) ([]byte, error) {
		if m.base.Err() != nil {
			return nil, m.interruptedError()
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var out []byte
		var err error
		if inst == nil {
			if inst, err = m.pool.get(ctx); err != nil {
				return nil, m.ended(err)
			}
		}
		out, err = guarded(func() ([]byte, error) { return inst.Call(ctx, in) })
		if errors.Is(err, ErrInstanceDead) {
			m.pool.discard(inst)
			m.pool.lost.Add(1)
			inst = nil
		}
		return out, m.ended(err)
	})
}

// ended says so when an error came from stopping the mailbox.
func (m *Mailbox) ended(err error) error {
	if err != nil && m.base.Err() != nil {
		return errors.Join(m.interruptedError(), err)
	}
	return err
}

func (m *Mailbox) interruptedError() error {
	return coded(abi.CodeCanceled, fmt.Errorf("capsule %s: %w", m.opts.Owner, ErrInterrupted))
}

// next ends the turn of done and takes another job, or nil when the worker must end.
func (m *Mailbox) next(done *job, spare bool) *job {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keyed() {
		// The key goes to the end of the queue, so that a busy one does not starve the others.
		if behind := m.held[done.key]; behind.len() > 0 {
			m.readyLocked(behind.pop())
		} else {
			delete(m.held, done.key)
		}
	}
	j := m.takeLocked(spare)
	if j == nil && spare {
		m.spare = false
	} else if j == nil {
		m.running--
	}
	if m.keyed() || j == nil { // what was held may be for another worker
		m.wakeLocked()
	}
	return j
}

func (m *Mailbox) drainedLocked() {
	if m.stopped && m.running == 0 && !m.spare && m.waitings == 0 {
		select {
		case <-m.drained:
		default:
			close(m.drained)
		}
	}
}

// stopGrace is how long calls that were cancelled may take to return. Engines promise to
// return soon; this keeps a broken one from blocking shutdown.
const stopGrace = 10 * time.Second

// Stop refuses new calls, lets those that were accepted finish until ctx is done, then
// cancels the rest, and closes all instances. It may be called more than once.
func (m *Mailbox) Stop(ctx context.Context) error {
	m.mu.Lock()
	if !m.stopped {
		m.stopped = true
		close(m.stopping)
	}
	if !m.started { // nothing ever ran: what waits fails
		m.started = true
		m.cancel(ErrInterrupted)
	}
	m.wakeLocked()
	release := m.release
	m.mu.Unlock()
	defer release()
	select {
	case <-m.drained:
	case <-ctx.Done():
		m.cancel(ErrInterrupted)
		t := time.NewTimer(stopGrace)
		defer t.Stop()
		select {
		case <-m.drained:
		case <-t.C:
			err := fmt.Errorf("capsule %s: calls did not end within %s of being cancelled", m.opts.Owner, stopGrace)
			return errors.Join(err, m.pool.close())
		}
	}
	m.cancel(ErrInterrupted)
	return m.pool.close()
}

// guarded turns a panic into the death of the instance: a defect of an engine must not
// take the daemon with it.
func guarded(call func() ([]byte, error)) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("%w: engine panicked: %v", ErrInstanceDead, p)
		}
	}()
	return call()
}

// join returns a context of base that also ends with caller, at caller's deadline and for
// its cause. Values come from base alone: those of a caller's guest call must not leak into another's.
func join(base, caller context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(base)
	stop := context.AfterFunc(caller, func() { cancel(context.Cause(caller)) })
	undo := func() {
		stop()
		cancel(context.Canceled)
	}
	if deadline, ok := caller.Deadline(); ok {
		return &deadlined{ctx, deadline}, undo
	}
	return ctx, undo
}

// deadlined shows a deadline but leaves it to the caller's context to enforce it: a timer of
// its own would race with that for the cause.
type deadlined struct {
	context.Context
	deadline time.Time
}

func (d *deadlined) Deadline() (time.Time, bool) { return d.deadline, true }
