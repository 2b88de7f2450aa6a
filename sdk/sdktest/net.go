package sdktest

import (
	"strconv"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Peer is the other end of a connection to the capsule.
type Peer struct {
	h        *Host
	inbox    [][]byte // frames the capsule has not read
	received [][]byte
	closed   bool
}

// Connect queues a connection, which the capsule's next accept gets.
func (h *Host) Connect() *Peer {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &Peer{h: h}
	h.waiting = append(h.waiting, p)
	return p
}

// Send queues a frame for the capsule.
func (p *Peer) Send(frame string) {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	p.inbox = append(p.inbox, []byte(frame))
}

// Close ends the connection; the capsule still reads what was sent.
func (p *Peer) Close() {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	p.closed = true
}

// Received returns the frames that the capsule has written.
func (p *Peer) Received() []string {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	var out []string
	for _, f := range p.received {
		out = append(out, string(f))
	}
	return out
}

// pollWait is how long an empty poll or read takes on the host.
const pollWait = 10 * time.Millisecond

func (h *Host) serveNet(fn abi.Function, p []string) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch fn {
	case abi.NetBindUnix:
		return []byte("1"), nil
	case abi.NetAccept, abi.NetPollAccept:
		return h.accept(fn)
	}
	id, err := number(p[0])
	if err != nil {
		return nil, err
	}
	c := h.conns[id]
	if fn == abi.NetCloseStream {
		if c != nil {
			c.closed = true
			delete(h.conns, id)
		}
		return nil, nil
	}
	if c == nil {
		return nil, abi.Errorf(abi.CodeHandle, "stream handle %d not found", id)
	}
	if fn == abi.NetWrite {
		if !c.closed {
			c.received = append(c.received, []byte(p[1]))
		}
		return nil, nil
	}
	switch {
	case len(c.inbox) > 0:
		frame := c.inbox[0]
		c.inbox, h.idle = c.inbox[1:], 0
		return append([]byte{0}, frame...), nil
	case c.closed:
		return []byte{1}, nil
	}
	return []byte{2}, h.rest()
}

func (h *Host) accept(fn abi.Function) ([]byte, error) {
	full := len(h.conns) >= abi.MaxNetStreams
	switch {
	case fn == abi.NetAccept && full:
		return nil, abi.Errorf(abi.CodeLimit, "connection cap reached (%d/%d)", abi.MaxNetStreams, abi.MaxNetStreams)
	case fn == abi.NetAccept && len(h.waiting) == 0:
		return nil, abi.Errorf(abi.CodeClosed, "capsule unloading: nobody will connect any more")
	case full || len(h.waiting) == 0:
		return nil, h.rest()
	}
	h.idle = 0
	h.nextConn++
	h.conns[h.nextConn], h.waiting = h.waiting[0], h.waiting[1:]
	return strconv.AppendUint(nil, h.nextConn, 10), nil
}

// rest passes the time of an empty poll and ends a run loop that has run dry.
func (h *Host) rest() error {
	h.Now = h.Now.Add(pollWait)
	if h.idle++; h.looping && h.idle > maxIdle {
		return abi.Errorf(abi.CodeClosed, "capsule unloading")
	}
	return nil
}
