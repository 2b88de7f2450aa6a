package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/kernel/wire"
)

const (
	// clientQueue is how many messages may wait for one client before it counts as slow.
	clientQueue = 4096
	// clientFrames is how many encoded frames may wait to be written.
	clientFrames = 64
	// flushTimeout is how long a client may take for a last frame.
	flushTimeout = 500 * time.Millisecond
	// frameTimeout is how long a client may take to finish a frame it began.
	frameTimeout = 30 * time.Second
)

// client is one authenticated connection. It speaks for one principal and sees only what
// it subscribed to.
type client struct {
	k         *Kernel
	conn      *net.UnixConn
	principal string
	out       chan []byte     // frames to write
	last      func()          // what a frame starts once it was answered; of the reader
	attends   map[string]bool // sessions it is in; of the reader
	ctx       context.Context
	cancel    context.CancelCauseFunc

	mu       sync.Mutex
	sub      *ipc.Subscription
	detach   func() // from the approvals; nil: it answers none
	asked    bool   // it answers for all of the principal's sessions
	elicitor bool   // it answers questions of capsules
	interest
}

func newClient(k *Kernel, conn *net.UnixConn) *client {
	// The socket admits only the user who runs the daemon.
	c := &client{k: k, conn: conn, principal: k.local.Principal, out: make(chan []byte, clientFrames), attends: map[string]bool{}}
	c.ctx, c.cancel = context.WithCancelCause(k.ctx)
	return c
}

// run serves the connection until either side ends it.
func (c *client) run() {
	var wg sync.WaitGroup
	wg.Go(c.write)
	err := c.read()
	c.enterOnly()
	c.cancel(err)
	wg.Wait()
	c.mu.Lock()
	if c.sub != nil {
		c.sub.Close()
	}
	if c.detach != nil {
		c.detach()
	}
	c.mu.Unlock()
	c.k.questions.detach(c)
	if cause := context.Cause(c.ctx); cause != nil && !errors.Is(cause, io.EOF) {
		slog.Info("Client left", "reason", cause)
	}
}

// end closes the connection from this side.
func (c *client) end(reason string) {
	c.cancel(errors.New(reason))
	// The writer sends what is queued and closes the connection, which unblocks the reader.
	_ = c.conn.SetDeadline(time.Now().Add(flushTimeout))
}

// finish takes no more from the client; what it has been sent still reaches it.
func (c *client) finish() { _ = c.conn.CloseRead() }

func (c *client) read() error {
	for {
		// Waiting for a frame takes as long as it takes; a frame once begun must be finished.
		if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
		raw, err := wire.ReadFrame(&frameReader{conn: c.conn}, abi.MaxFrame)
		if err != nil {
			return err
		}
		var f abi.ClientFrame
		if err := json.Unmarshal(raw, &f); err != nil {
			return fmt.Errorf("malformed frame: %w", err)
		}
		err = c.take(&f)
		switch {
		case f.ID != "":
			ack := abi.ClientAck{ID: f.ID}
			if err != nil {
				ack.Error = err.Error()
			}
			c.reply(abi.TopicClientAck, ack)
		case err != nil:
			slog.Warn("A client's message was refused", "topic", f.Topic, "error", err)
		}
		if c.last != nil {
			c.last()
			c.last = nil
		}
	}
}

// frameReader sets a deadline as soon as the first byte of a frame has come.
type frameReader struct {
	conn    net.Conn
	started bool
}

func (r *frameReader) Read(p []byte) (int, error) {
	n, err := r.conn.Read(p)
	if n > 0 && !r.started {
		r.started = true
		if derr := r.conn.SetReadDeadline(time.Now().Add(frameTimeout)); err == nil {
			err = derr
		}
	}
	return n, err
}

func (c *client) write() {
	for {
		select {
		case <-c.ctx.Done():
			c.flush()
			_ = c.conn.Close()
			return
		case b := <-c.out:
			if err := c.writeFrame(b, c.k.opts.WriteTimeout); err != nil {
				c.cancel(fmt.Errorf("write: %w", err))
				_ = c.conn.Close()
				return
			}
		}
	}
}

func (c *client) writeFrame(b []byte, timeout time.Duration) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	return wire.WriteFrame(c.conn, b, abi.MaxFrame)
}

// flush writes what is queued when the connection ends: the answer to the request that
// ended the daemon, for one.
func (c *client) flush() {
	for {
		select {
		case b := <-c.out:
			if c.writeFrame(b, flushTimeout) != nil {
				return // it is gone, or does not read
			}
		default:
			return
		}
	}
}

// send hands a message to the writer and waits until it has room. A client that takes no
// frame within the write timeout loses its connection, so nobody waits for ever.
func (c *client) send(m abi.Message) {
	b, err := json.Marshal(m)
	if err != nil {
		slog.Error("A message could not be encoded", "topic", m.Topic, "error", err)
		return
	}
	select {
	case c.out <- b:
	case <-c.ctx.Done():
	}
}

// reply sends v to this client alone.
func (c *client) reply(topic string, v any) {
	p, err := ipc.RawJSON(v)
	if err != nil {
		slog.Error("A reply could not be encoded", "topic", topic, "error", err)
		return
	}
	c.send(abi.Message{Topic: topic, Payload: p.Tagged(), SourceID: kernelSourceID, Timestamp: c.k.now(), Principal: c.principal})
}

// visible lists what clients may subscribe to: what is meant for people.
var visible = []string{"agent.v1.", "session.v1.response.", "registry.v1.", "astrid.v1.capsules_loaded",
	"astrid.v1.approval", "astrid.v1.onboarding.required", "astrid.v1.health.failed"}

// subscribe replaces what the client sees.
func (c *client) subscribe(req abi.ClientSubscribe) error {
	if len(req.Topics) > abi.MaxSubscriptions || len(req.Sessions) > abi.MaxSubscriptions {
		return fmt.Errorf("at most %d topics and %d sessions", abi.MaxSubscriptions, abi.MaxSubscriptions)
	}
	for _, t := range req.Topics {
		if err := ipc.ValidPattern(t); err != nil {
			return err
		}
		if !slices.ContainsFunc(visible, func(p string) bool { return strings.HasPrefix(t, p) }) {
			return fmt.Errorf("topic %q is not for clients", t)
		}
	}
	sessions := make(map[string]bool, len(req.Sessions))
	for _, s := range req.Sessions {
		sessions[s] = true
	}
	var sub *ipc.Subscription
	if len(req.Topics) > 0 {
		var err error
		sub, err = c.k.bus.Subscribe(req.Topics[0], ipc.SubscribeOptions{
			Owner:    "client",
			Also:     req.Topics[1:], // one queue for all keeps the order between topics
			Capacity: clientQueue,
			Overflow: ipc.Close,
			Accept: func(m *ipc.Message) bool {
				return c.sees(m, sessions)
			},
		})
		if err != nil {
			return err
		}
	}
	c.mu.Lock()
	old := c.sub
	c.sub, c.elicitor = sub, req.Elicitor
	c.interest = interest{topics: req.Topics, sessions: sessions, approver: req.Approver}
	c.mu.Unlock()
	if old != nil {
		old.Close()
	}
	c.enterOnly(req.Sessions...)
	c.attach(req)
	if req.Elicitor {
		c.k.questions.attach(c)
	} else {
		c.k.questions.detach(c)
	}
	if sub != nil {
		go c.forward(sub)
		c.tellOnboarding(req.Topics)
	}
	return nil
}

// sees tells whether a message is for this client. A message of a capsule that speaks about
// a session outside of one (on a timer, say) belongs to the session that its payload names.
func (c *client) sees(m *ipc.Message, sessions map[string]bool) bool {
	if m.Principal != "" && m.Principal != c.principal {
		return false
	}
	s := m.Session
	if s == "" && m.Source != ipc.SourceKernel {
		var p struct {
			SessionID string `json:"session_id"`
		}
		if json.Unmarshal(m.Payload.Guest(), &p) == nil {
			s = p.SessionID
		}
	}
	return s == "" || sessions["*"] || sessions[s]
}

// forward moves messages from a subscription to the client until it is replaced or closed.
func (c *client) forward(sub *ipc.Subscription) {
	for {
		m, err := sub.Recv(c.ctx)
		if err != nil {
			c.mu.Lock()
			current := c.sub == sub
			c.mu.Unlock()
			if current && c.ctx.Err() == nil {
				c.end("client is too slow")
			}
			return
		}
		c.send(m.Wire())
	}
}
