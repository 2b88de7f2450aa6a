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

// commit writes the batch that has been collecting. It reports whether somebody waits
// for the next one.
func (c *chain) commit() bool {
	c.mu.Lock()
	b := c.batch
	c.batch, c.inflight = nil, b
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	c.mu.Unlock()
	if b == nil {
		return false
	}
	b.signing.Wait() // each caller signs at once, outside any lock
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
	again := c.batch != nil && c.batch.waited
	c.mu.Unlock()
	b.err = err
	close(b.done)
	if err == nil {
		c.log.Reader.changed()
	}
	return again
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
	if err := writeSync(c.segment, buf); err != nil {
		return err
	}
	return c.saveHead(ctx, b.head)
}

// saveHead signs and anchors a head.
func (c *chain) saveHead(ctx context.Context, h Head) error {
	line, err := signHead(c.log.opt.Signer, &h)
	if err != nil {
		return err
	}
	if err := c.log.opt.Anchor.Save(ctx, c.principal, append(line, '\n')); err != nil {
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
		return fmt.Errorf("sync segment: %w", err)
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
		b.waited = true
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
}
