package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// run is the committer: it writes batches until the chain is closed.
func (c *chain) run() {
	defer close(c.stopped)
	for {
		select {
		case <-c.wake:
			// Entries that came while a batch was written form the next one. If nobody waits
			// for them, they wait for their timer.
			for c.commit() {
			}
		case <-c.quit:
			c.commit()
			return
		}
	}
}

// maxBatch is how many entries a batch is kept open for; signing them takes a few
// milliseconds. More may come while the committer is on its way.
const maxBatch = 128

// commit writes the batch that has been collecting, if all of it is signed. If not, it
// comes again when the last of its callers has signed. It reports whether somebody waits for
// the next batch.
func (c *chain) commit() bool {
	b := c.take()
	if b == nil {
		return false
	}
	c.mu.Lock()
	err := c.err // a chain that failed writes nothing any more
	c.mu.Unlock()
	if err == nil {
		if err = c.write(b); err != nil {
			c.mu.Lock()
			c.fail(err)
			err = c.err
			c.mu.Unlock()
		}
	}
	c.mu.Lock()
	c.inflight = nil
	again := c.batch != nil && c.batch.wanted
	c.mu.Unlock()
	b.err = err
	close(b.done)
	if err == nil {
		c.log.Reader.changed()
	}
	return again
}

// take closes the batch that collects and returns it when it is signed; nil if there is
// none, or if it is to stay open for entries that come while others of it are signed.
func (c *chain) take() *batch {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.batch
	if b == nil {
		return nil
	}
	b.wanted = true
	if b.unsigned > 0 && len(b.lines) < maxBatch && !c.closing {
		return nil
	}
	c.batch, c.inflight = nil, b
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	for b.unsigned > 0 {
		c.mu.Unlock()
		<-c.wake
		c.mu.Lock()
	}
	return b
}

// write makes a batch durable, and then its head.
func (c *chain) write(b *batch) error {
	ctx := context.Background()
	if c.segment != nil && c.segment.Size() >= c.log.opt.SegmentSize {
		if err := c.segment.Close(); err != nil {
			return fmt.Errorf("close segment: %w", err)
		}
		c.segment = nil
	}
	if c.segment == nil {
		s, err := c.log.opt.Store.Append(ctx, c.principal, SegmentName(b.first))
		if err != nil {
			return fmt.Errorf("open segment %s: %w", SegmentName(b.first), err)
		}
		c.segment = s
	}
	size := 0
	for _, l := range b.lines {
		size += len(l.b) + 1
	}
	buf := make([]byte, 0, size)
	for _, l := range b.lines {
		buf = append(append(buf, l.b...), '\n')
	}
	// The head is signed while the disk works, and saved only after that.
	head := make(chan signedHead, 1)
	go func() { head <- c.signHead(b.head) }()
	if err := writeSync(c.segment, buf); err != nil {
		return err
	}
	return c.anchor(ctx, <-head)
}

// signedHead is the line of a head, or why there is none.
type signedHead struct {
	line []byte
	err  error
}

func (c *chain) signHead(h Head) signedHead {
	line, err := signHead(c.log.opt.Signer, &h)
	return signedHead{line, err}
}

// saveHead signs and anchors a head.
func (c *chain) saveHead(ctx context.Context, h Head) error { return c.anchor(ctx, c.signHead(h)) }

func (c *chain) anchor(ctx context.Context, h signedHead) error {
	if h.err != nil {
		return h.err
	}
	if err := c.log.opt.Anchor.Save(ctx, c.principal, append(h.line, '\n')); err != nil {
		return fmt.Errorf("anchor head: %w", err)
	}
	return nil
}

func writeSync(s Segment, b []byte) error {
	n, err := s.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("write segment: %w", err)
	}
	if err := s.Sync(); err != nil {
		return fmt.Errorf("%w: %w", errSync, err)
	}
	return nil
}

// flush waits until everything appended so far is durable.
func (c *chain) flush(ctx context.Context) error {
	c.mu.Lock()
	b := c.batch
	if b == nil {
		b = c.inflight
	} else {
		b.wanted = true
		c.signal()
	}
	err := c.err
	c.mu.Unlock()
	if b == nil || err != nil {
		return err
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return fmt.Errorf("audit: flush: %w", ctx.Err())
	}
}

// close commits what is pending and gives the store back. Later appends fail.
func (c *chain) close() error {
	c.opened.Do(func() {
		if c.before != nil {
			_ = c.before.close()
		}
		c.setErr(ErrClosed)
		close(c.stopped)
	})
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		<-c.stopped
		return nil
	}
	c.closing = true // no entry comes after the final round
	c.mu.Unlock()
	close(c.quit)
	<-c.stopped
	c.mu.Lock()
	err := c.err
	if err == ErrClosed { // never opened
		err = nil
	}
	if c.err == nil {
		c.err = ErrClosed
		c.bad.Store(true)
	}
	c.mu.Unlock()
	return errors.Join(err, c.giveBack())
}

// giveBack closes the segment and releases the lock.
func (c *chain) giveBack() error {
	var errs []error
	if c.segment != nil {
		errs = append(errs, c.segment.Close())
		c.segment = nil
	}
	if c.release != nil {
		errs = append(errs, c.release())
		c.release = nil
	}
	return errors.Join(errs...)
}

func (c *chain) setErr(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	c.bad.Store(true)
}
