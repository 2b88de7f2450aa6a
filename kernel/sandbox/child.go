package sandbox

import (
	"io"
	"os"
	"sync"
)

// Child is a program that was started in a box.
type Child struct {
	id             uint64
	kill           func()
	stdout, stderr tail
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
