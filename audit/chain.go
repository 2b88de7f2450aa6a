package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// chain is the open chain of one principal.
//
// An entry is linked to its predecessor under mu, which fixes its bytes and its place.
// The signature is made after that, by the caller and outside the lock: the link covers
// the signed bytes and not the signature, so signing uses all cores and still there is
// one order. A committer goroutine writes the finished lines, in order.
type chain struct {
	log       *Log
	principal string
	opened    sync.Once
	wake      chan struct{} // capacity 1
	quit      chan struct{}
	stopped   chan struct{}

	bad atomic.Bool // err is set: most appends need not wait for mu to find that it is not

	mu       sync.Mutex
	err      error     // why the chain takes no entries
	failedAt time.Time // when it failed; zero if it did not, or for good
	closing  bool
	seq      uint64
	last     Hash
	lastID   ID
	lastTime time.Time
	batch    *batch // collecting; nil if none
	inflight *batch // being written; nil if none
	timer    *time.Timer

	before *chain // what open closes first

	// Owned by the committer, and by open before it runs.
	segment Segment
	release func() error
}

// batch is a run of entries that share an fsync.
type batch struct {
	first    uint64
	lines    []*pendingLine
	unsigned int // lines whose callers are signing
	head     Head
	wanted   bool      // to be written as soon as it is signed: somebody waits for it
	since    time.Time // when its first entry came
	done     chan struct{}
	err      error // valid after done
}

// pendingLine is filled by the caller that signs it.
type pendingLine struct{ b []byte }

func newChain(l *Log, principal string) *chain {
	return &chain{log: l, principal: principal, wake: make(chan struct{}, 1), quit: make(chan struct{}), stopped: make(chan struct{})}
}

// append links, signs and enqueues an entry, and waits for its batch.
func (c *chain) append(ctx context.Context, d Draft) (Entry, error) {
	c.mu.Lock()
	if c.err != nil || c.closing {
		defer c.mu.Unlock()
		if c.err == nil {
			return Entry{}, ErrClosed
		}
		return Entry{}, c.err
	}
	e := c.link(d)
	const domain = len(entryDomain)
	msg := append(make([]byte, 0, domain+640+len(d.Resource)+len(d.Data)), entryDomain...)
	msg = appendBody(msg, &e)
	if len(msg)-domain+sigLen > MaxLine {
		defer c.mu.Unlock()
		return Entry{}, fmt.Errorf("audit: %w: %d bytes, limit %d", ErrTooLarge, len(msg)-domain+sigLen, MaxLine)
	}
	c.seq, c.last, c.lastID, c.lastTime = e.Seq, hashBody(msg[domain:]), e.ID, e.Time
	slot := new(pendingLine)
	b := c.enqueue(slot)
	wait := !d.MayLag || c.log.opt.SyncAlways || c.lagging()
	if wait {
		b.wanted = true
	} else if c.timer == nil {
		c.timer = time.AfterFunc(c.log.opt.MaxLag/2, c.signal)
	}
	c.mu.Unlock()

	sig, err := c.log.opt.Signer.Sign(msg)
	if err != nil || len(sig) != len(e.Sig) {
		return Entry{}, c.signed(b, fmt.Errorf("sign entry: %w", orBadSig(err)))
	}
	copy(e.Sig[:], sig)
	line := appendSig(msg, sig)
	e.line = line[domain:len(line):len(line)]
	slot.b = e.line
	c.signed(b, nil)
	if !wait {
		return e, nil
	}
	select {
	case <-b.done:
		if b.err != nil {
			return Entry{}, b.err
		}
		return e, nil
	case <-ctx.Done():
		return Entry{}, fmt.Errorf("audit: waiting for the log of %s: %w", c.principal, ctx.Err())
	}
}

// link makes the entry that follows the head. Called with mu held.
func (c *chain) link(d Draft) Entry {
	now := c.log.opt.Now().Round(0).UTC()
	var behind time.Duration
	if now.Before(c.lastTime) {
		// Time never runs backwards in a chain; how far the clock is behind is on record.
		behind, now = c.lastTime.Sub(now), c.lastTime
	}
	d.MayLag = false
	return Entry{
		Draft: d, ID: mintID(now, c.lastID), Seq: c.seq + 1, Time: now, Behind: behind,
		Principal: c.principal, Prev: c.last, Key: c.log.key,
	}
}

// signed notes that one more line of b has its signature, or that it will never have one,
// which fails the chain. It returns why the chain failed.
func (c *chain) signed(b *batch, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.fail(err)
		b.wanted = true
	}
	if b.unsigned--; b.unsigned == 0 && b.wanted {
		c.signal()
	}
	return c.err
}

// enqueue adds a line to the batch that collects, for the head just set. Called with mu held.
func (c *chain) enqueue(slot *pendingLine) *batch {
	b := c.batch
	if b == nil {
		b = &batch{first: c.seq, since: time.Now(), done: make(chan struct{})}
		c.batch = b
	}
	b.lines = append(b.lines, slot)
	b.unsigned++
	b.head = Head{Principal: c.principal, Seq: c.seq, Hash: c.last, Time: c.lastTime, Key: c.log.key}
	return b
}

// lagging reports whether an entry has been waiting for its fsync as long as it may.
// Called with mu held.
func (c *chain) lagging() bool {
	b := c.inflight
	if b == nil {
		b = c.batch
	}
	return b != nil && time.Since(b.since) > c.log.opt.MaxLag
}

// signal wakes the committer.
func (c *chain) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// fail stops the chain; the first reason is kept. Called with mu held.
func (c *chain) fail(err error) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s: %w", ErrFailed, c.principal, err)
		c.bad.Store(true)
		if !errors.Is(err, errSync) {
			c.failedAt = c.log.opt.Now()
		}
	}
}

// mayRetry tells whether it is time to open the chain again after a failure.
func (c *chain) mayRetry() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failedAt.IsZero() || c.closing {
		return false
	}
	waited := c.log.opt.Now().Sub(c.failedAt)
	return waited < 0 || waited >= c.log.opt.RetryAfter
}

// errSync is a failed fsync. What the system still holds of the file is then no proof of what the disk has, so nothing is
// built on it unasked.
var errSync = errors.New("sync segment")

var errBadSig = errors.New("signer returned a signature of the wrong length")

func orBadSig(err error) error {
	if err == nil {
		return errBadSig
	}
	return err
}
