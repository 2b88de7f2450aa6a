package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/wire"
)

var (
	// ErrNoDaemon says that no daemon serves the home.
	ErrNoDaemon = errors.New("the daemon is not running")
	// ErrTurnedAway says that the daemon ended the connection before it said anything: it
	// is about to leave, or has too many clients.
	ErrTurnedAway = errors.New("the daemon took no new client")
	// ErrClosed says that the daemon ended the connection.
	ErrClosed = errors.New("the daemon closed the connection")
)

// maxReply is the largest frame taken from the daemon, in bytes. It is larger than what a
// client may send, because the daemon adds an envelope.
const maxReply = 50 << 20

// Conn is a connection to the daemon. Its methods may be called from several goroutines.
type Conn struct {
	conn net.Conn
	ack  chan abi.ClientAck // answers to Send, one at a time
	in   chan abi.Message
	done chan struct{}

	wmu  sync.Mutex // writes, and the pairing of a frame with its ack
	next int

	emu sync.Mutex
	err error
}

// Dial connects to the daemon of h. ErrNoDaemon tells that there is none.
func Dial(ctx context.Context, h home.Home, version string) (*Conn, error) {
	path, err := h.SocketPath()
	if err != nil {
		return nil, err
	}
	token, err := readToken(h)
	if err != nil {
		return nil, err
	}
	for {
		c, err := greet(ctx, path, version, token)
		if err == nil {
			return c, nil
		}
		// A daemon that has just replaced a killed one has a new token.
		now, terr := readToken(h)
		if !errors.Is(err, wire.ErrRefused) || terr != nil || now.Equal(token) {
			return nil, err
		}
		token = now
	}
}

func readToken(h home.Home) (home.Token, error) {
	token, err := home.ReadToken(h.TokenFile())
	if errors.Is(err, fs.ErrNotExist) {
		return token, ErrNoDaemon
	}
	if err != nil {
		return token, fmt.Errorf("session token: %w", err)
	}
	return token, nil
}

func greet(ctx context.Context, path, version string, token home.Token) (*Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		// A socket that nobody answers is what a killed daemon leaves behind.
		return nil, fmt.Errorf("%w (%w)", ErrNoDaemon, err)
	}
	if _, err := wire.Greet(conn, version, token.Hex()); err != nil {
		_ = conn.Close()
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			err = fmt.Errorf("%w (%w)", ErrTurnedAway, err)
		}
		return nil, err
	}
	c := &Conn{conn: conn, ack: make(chan abi.ClientAck, 1), in: make(chan abi.Message, 1024), done: make(chan struct{})}
	go c.read()
	return c, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.conn.Close() }

func (c *Conn) read() {
	defer close(c.in)
	defer close(c.done)
	for {
		raw, err := wire.ReadFrame(c.conn, maxReply)
		if err != nil {
			c.fail(fmt.Errorf("%w (%w)", ErrClosed, err))
			return
		}
		var m abi.Message
		if err := json.Unmarshal(raw, &m); err != nil {
			c.fail(fmt.Errorf("the daemon sent a message that cannot be read: %w", err))
			return
		}
		if m.Topic == abi.TopicClientAck {
			var ack abi.ClientAck
			if err := json.Unmarshal(m.Payload, &ack); err != nil {
				c.fail(fmt.Errorf("the daemon sent an answer that cannot be read: %w", err))
				return
			}
			// An answer to a Send that was given up has nobody to take it. It must not keep
			// the reader from seeing the end of the connection.
			select {
			case <-c.ack:
			default:
			}
			c.ack <- ack
			continue
		}
		c.in <- m
	}
}

func (c *Conn) fail(err error) {
	c.emu.Lock()
	c.err = err
	c.emu.Unlock()
}

// Err returns why the connection ended, nil while it lives.
func (c *Conn) Err() error {
	c.emu.Lock()
	defer c.emu.Unlock()
	return c.err
}

// Messages yields what arrives, in order; it is closed when the connection ends, see Err.
func (c *Conn) Messages() <-chan abi.Message { return c.in }

// Send sends a frame and waits until the daemon has taken it.
func (c *Conn) Send(ctx context.Context, f abi.ClientFrame) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.next++
	f.ID = strconv.Itoa(c.next)
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err := wire.WriteFrame(c.conn, b, abi.MaxFrame); err != nil {
		return fmt.Errorf("send to the daemon: %w", err)
	}
	for {
		var ack abi.ClientAck
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case ack = <-c.ack:
		case <-c.done:
			select { // the daemon may have answered just before it left
			case ack = <-c.ack:
			default:
				return c.Err()
			}
		}
		if ack.ID != f.ID {
			continue // of a Send that was given up
		}
		if ack.Error != "" {
			return errors.New(ack.Error)
		}
		return nil
	}
}

// Publish sends a payload on a topic in a session.
func (c *Conn) Publish(ctx context.Context, topic, session, workspace string, payload any) error {
	b, err := encodePayload(payload)
	if err != nil {
		return err
	}
	return c.Send(ctx, abi.ClientFrame{Topic: topic, Session: session, Workspace: workspace, Payload: b})
}

func encodePayload(v any) ([]byte, error) {
	if t, ok := v.(abi.TaggedPayload); ok {
		return abi.MarshalPayload(t)
	}
	return json.Marshal(v)
}

// Subscribe replaces what the connection receives.
func (c *Conn) Subscribe(ctx context.Context, s abi.ClientSubscribe) error {
	return c.Publish(ctx, abi.TopicClientSubscribe, "", "", s)
}

// manageTimeout bounds a management call whose context has no deadline.
const manageTimeout = 30 * time.Second

// Manage makes a management call and returns the data of its answer. Messages that arrive
// in between are dropped: use a connection of its own beside a subscription.
func (c *Conn) Manage(ctx context.Context, method string, params any) (json.RawMessage, error) {
	if _, own := ctx.Deadline(); !own {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, manageTimeout, fmt.Errorf("the daemon did not answer %s within %s", method, manageTimeout))
		defer cancel()
	}
	req := map[string]any{"type": abi.TagRawJSON, "method": method}
	if params != nil {
		req["params"] = params
	}
	suffix := uuid.NewString()
	if err := c.Publish(ctx, abi.TopicRequestPrefix+suffix, "", "", req); err != nil {
		return nil, err
	}
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case m, ok := <-c.in:
			if !ok {
				return nil, c.Err()
			}
			if m.Topic != abi.TopicResponsePrefix+suffix {
				continue
			}
			var resp abi.KernelResponse
			if err := json.Unmarshal(m.Payload, &resp); err != nil {
				return nil, fmt.Errorf("answer to %s: %w", method, err)
			}
			if resp.Status == "Error" {
				var text string
				if err := json.Unmarshal(resp.Data, &text); err != nil {
					text = string(resp.Data)
				}
				return nil, errors.New(text)
			}
			return resp.Data, nil
		}
	}
}
