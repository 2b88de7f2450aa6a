package storage

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

// Group commit: writers queue, one goroutine takes all that wait, runs them in order within one bbolt transaction, and
// answers them after its fsync. While the disk works the next group gathers, so no writer waits for company.

// groupBytes ends a group early, so that large values do not make one huge transaction.
const groupBytes = 8 << 20

// job is one Update on its way to the committer.
type job struct {
	ctx    context.Context
	fn     func(Tx) error
	state  atomic.Uint32 // jobWaiting → jobTaken by the committer, or → jobGone by a caller whose context ended
	err    error
	writes map[string]write
	done   chan struct{}
}

const (
	jobWaiting uint32 = iota
	jobTaken
	jobGone
)

// queue is where jobs wait. It has no bound of its own: each job stands for a blocked caller.
type queue struct {
	mu     sync.Mutex
	jobs   []*job
	closed bool
	wake   chan struct{}
}

func (q *queue) init() { q.wake = make(chan struct{}, 1) }

func (q *queue) push(j *job) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.jobs = append(q.jobs, j)
	q.signal()
	return nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

// take waits for jobs and returns all of them; it returns none once the queue is closed and empty.
func (q *queue) take() []*job {
	for {
		q.mu.Lock()
		jobs, closed := q.jobs, q.closed
		q.jobs = nil
		q.mu.Unlock()
		if len(jobs) > 0 || closed {
			return jobs
		}
		<-q.wake
	}
}

func (e *boltEngine) Update(ctx context.Context, fn func(Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	if err := e.q.push(j); err != nil {
		return err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobWaiting, jobGone) {
			return ctx.Err()
		}
		<-j.done // it is being committed: wait for the truth
	}
	return j.err
}

func (e *boltEngine) commitLoop() {
	defer close(e.idle)
	debug.SetPanicOnFault(true) // see view
	for {
		jobs := e.q.take()
		if len(jobs) == 0 {
			return
		}
		for len(jobs) > 0 {
			jobs = e.commitGroup(jobs)
		}
	}
}

// commitGroup commits as many jobs as fit and returns the others.
func (e *boltEngine) commitGroup(jobs []*job) (rest []*job) {
	var ran []*job
	err := e.commit(func(tx *bolt.Tx) error {
		t := tables(tx)
		size, dirty := 0, false
		for len(jobs) > 0 && size < groupBytes {
			j := jobs[0]
			jobs = jobs[1:]
			if !j.state.CompareAndSwap(jobWaiting, jobTaken) {
				continue
			}
			ran = append(ran, j)
			if j.err = j.ctx.Err(); j.err != nil { // ended, and the caller has not noticed yet
				continue
			}
			buf := &buffer{base: boltReader{t}}
			if j.err = buf.run(j.fn); j.err != nil {
				continue
			}
			n, err := apply(t, buf.writes)
			if err != nil {
				return err
			}
			j.writes = buf.writes
			size += n
			dirty = dirty || n > 0
		}
		if !dirty {
			return errNothingWritten
		}
		return nil
	})
	for _, j := range ran {
		switch {
		case err == nil:
			e.hub.publish(j.writes)
		case j.err == nil && !errors.Is(err, errNothingWritten):
			j.err = err
		}
		close(j.done)
	}
	if err != nil && len(ran) == 0 { // the transaction could not even begin
		for _, j := range jobs {
			j.err = err
			close(j.done)
		}
		return nil
	}
	return jobs
}

// errNothingWritten rolls back a transaction that only read, or failed: an fsync less.
var errNothingWritten = errors.New("storage: nothing to commit")

func (e *boltEngine) commit(fn func(*bolt.Tx) error) (err error) {
	if err := e.failed.get(); err != nil {
		return err
	}
	defer e.failed.guard(e.path, &err)
	err = e.db.Update(fn)
	if err != nil && !errors.Is(err, errNothingWritten) {
		err = fmt.Errorf("storage: commit to %s: %w", e.path, err)
	}
	return err
}

func apply(t boltTables, writes map[string]write) (size int, err error) {
	for key, w := range writes {
		if w.deleted {
			err = t.delete([]byte(key))
		} else {
			err = t.put([]byte(key), w.val)
		}
		if err != nil {
			return size, err
		}
		size += len(key) + len(w.val)
	}
	return size, nil
}

// errorBox remembers the first fatal error.
type errorBox struct{ p atomic.Pointer[error] }

func (b *errorBox) get() error {
	if p := b.p.Load(); p != nil {
		return *p
	}
	return nil
}

// guard is deferred around every use of the file and turns a panic of bbolt into ErrCorrupt.
func (b *errorBox) guard(path string, err *error) {
	if p := recover(); p != nil {
		c := corrupt(path, fmt.Errorf("%v", p))
		b.p.CompareAndSwap(nil, &c)
		*err = b.get()
	}
}
