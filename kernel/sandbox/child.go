package sandbox

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Child is a program that was started in a box.
type Child struct {
	id             uint64
	kill           func()
	stdout, stderr tail
	stdin          *os.File       // our end, if it is interactive
	copies         sync.WaitGroup // of its output
	done           chan struct{}
	exit           Exit
}

// Done is closed when the child and everything that it started have ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Exit tells how the child ended. It may be called when Done is closed.
func (c *Child) Exit() Exit { return c.exit }

// Kill ends the child and everything that it started. Done tells when that has happened.
func (c *Child) Kill() { c.kill() }

// Output hands out what the child has written since the last call: at most the last MaxOutput bytes of each stream. The two
// counts tell how many bytes before that were dropped.
func (c *Child) Output() (stdout, stderr []byte, droppedOut, droppedErr int64) {
	stdout, droppedOut = c.stdout.take()
	stderr, droppedErr = c.stderr.take()
	return stdout, stderr, droppedOut, droppedErr
}

// writeTimeout is how long a child may take to read what it is told.
const writeTimeout = 10 * time.Second

// Write adds to the standard input of an interactive child. It fails with os.ErrClosed when there is none, and with
// os.ErrDeadlineExceeded when the child does not read.
func (c *Child) Write(p []byte) error {
	if c.stdin == nil {
		return os.ErrClosed
	}
	if err := c.stdin.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("%w: %v", os.ErrClosed, err) // a pipe takes a deadline as long as it is open
	}
	_, err := c.stdin.Write(p)
	return err
}

// Wrote is closed when the child's standard output has something that Output has not handed out.
func (c *Child) Wrote() <-chan struct{} { return c.stdout.next() }

// converse makes the pipe for an interactive child, with what it is told first.
func (c *Child) converse(first []byte) (theirs *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.stdin = w
	if len(first) > 0 {
		// A pipe takes little before somebody reads, so this must not hold the start up.
		go func() { _ = c.Write(first) }()
	}
	return r, nil
}

// hangUp closes the child's input, if it has one that is open.
func (c *Child) hangUp() {
	if c.stdin != nil {
		c.stdin.Close()
	}
}

// pipes makes the pipes of the child's two streams.
func pipes() (ours, theirs []*os.File, err error) {
	for range 2 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(ours)
			closeAll(theirs)
			return nil, nil, err
		}
		ours, theirs = append(ours, r), append(theirs, w)
	}
	return ours, theirs, nil
}

// drink takes what the child writes until its last process has closed the streams.
func (c *Child) drink(ours []*os.File) {
	for i, to := range []*tail{&c.stdout, &c.stderr} {
		c.copies.Go(func() {
			_, _ = io.Copy(to, ours[i]) // a stream that breaks has ended
			ours[i].Close()
		})
	}
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
