package sandbox

import "sync"

// tail keeps the end of a stream.
type tail struct {
	mu      sync.Mutex
	buf     []byte
	dropped int64         // bytes that were forgotten since the last take
	wrote   chan struct{} // closed at the next write; nil: nobody waits
}

// Write never fails: what does not fit pushes the oldest bytes out.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if over := len(p) - MaxOutput; over > 0 {
		t.dropped += int64(over)
		p = p[over:]
	}
	if over := len(t.buf) + len(p) - MaxOutput; over > 0 {
		t.dropped += int64(over)
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	t.buf = append(t.buf, p...)
	if t.wrote != nil && n > 0 {
		close(t.wrote)
		t.wrote = nil
	}
	return n, nil
}

// next is closed when there is something to take.
func (t *tail) next() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wrote == nil {
		t.wrote = make(chan struct{})
		if len(t.buf) > 0 {
			ready := t.wrote
			t.wrote = nil
			close(ready)
			return ready
		}
	}
	return t.wrote
}

// take hands out what is kept and forgets it.
func (t *tail) take() (out []byte, dropped int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out, dropped = t.buf, t.dropped
	t.buf, t.dropped = nil, 0
	return out, dropped
}

// peek returns at most n bytes from the start of what is kept.
func (t *tail) peek(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf[:min(n, len(t.buf))])
}
