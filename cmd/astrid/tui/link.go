package tui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

const (
	// firstBackoff and lastBackoff bound the pause between attempts to connect again.
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 3 * time.Second
	// replyTimeout bounds how long an answer of the daemon is waited for.
	replyTimeout = 30 * time.Second
	// wakeTimeout bounds how long a prompt waits for a daemon that has to be started.
	wakeTimeout = 95 * time.Second
	// maxJobs is how many requests of the screen may wait for the connection.
	maxJobs = 256
)

var errOffline = errors.New("there is no connection to the daemon")

// link is the connection of one screen.
type link struct {
	start client.StartOptions
	send  func(tea.Msg) // to the model; returns when it has taken the message
	abort func(error)   // ends the screen: something here is broken
	jobs  chan job
	wake  chan struct{} // somebody wants a daemon, also if it has to be started
	cold  chan error    // why a daemon that was wanted could not be started

	directory string // where the person is

	// astrid carries out another command of the program; nil is none.
	astrid func(ctx context.Context, args ...string) (stdout, stderr string, code int)

	asking sync.Mutex // one question to the keeper of sessions at a time
	asker  string     // correlation id of all of them

	mu      sync.Mutex
	session string
	mode    string // that the session is still to be given; "" is none
	fresh   string // mode of sessions that begin here
	conn    *client.Conn
	up      chan struct{} // closed while there is a connection
	replies map[string]chan abi.Message
}

// job is one request of the screen. They are carried out in order.
type job struct {
	failed func(error) // told instead of the model, if it is set
	what   string
	turn   string
	needed bool // start a daemon for it rather than fail
	do     func(ctx context.Context, c *client.Conn) error
}

func newLink(start client.StartOptions, session string) *link {
	return &link{start: start, session: session, asker: uuid.NewString(), jobs: make(chan job, maxJobs), wake: make(chan struct{}, 1), cold: make(chan error, 1),
		up: make(chan struct{}), replies: make(map[string]chan abi.Message)}
}

// run keeps the connection until ctx ends. It returns an error only if it gave up.
func (l *link) run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() {
		defer l.rescue()
		l.work(ctx)
	})
	first, wanted, backoff := true, true, firstBackoff
	for ctx.Err() == nil {
		conn, err := l.connect(ctx, wanted)
		switch {
		case err == nil:
			first, backoff = false, firstBackoff
			err = l.serve(ctx, conn)
			_ = conn.Close() // it has ended, or the screen is being left
		case first && ctx.Err() == nil:
			return err
		case wanted:
			select {
			case l.cold <- err:
			default:
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		l.send(lostMsg{err})
		wanted = false
		select {
		case <-ctx.Done():
		case <-l.wake:
			wanted = true
		case <-time.After(backoff):
			backoff = min(2*backoff, lastBackoff)
		}
	}
	return nil
}

// spawn runs f on a goroutine of its own.
func (l *link) spawn(f func()) {
	go func() {
		defer l.rescue()
		f()
	}()
}

// rescue turns a panic into the end of the screen: one that ended the process would leave
// the terminal behind as it is.
func (l *link) rescue() {
	if r := recover(); r != nil {
		l.abort(fmt.Errorf("internal error: %v\n%s", r, debug.Stack()))
	}
}

// connect dials. With start, a daemon is started if there is none: at the beginning, and
// when the person says something. Otherwise a daemon that was stopped on purpose stays so.
func (l *link) connect(ctx context.Context, start bool) (*client.Conn, error) {
	if !start {
		return client.Dial(ctx, l.start.Home, l.start.Version)
	}
	o := l.start
	o.Ephemeral = true
	o.Notice = func(s string) { l.send(connectingMsg{s}) }
	c, _, err := client.Ensure(ctx, o)
	return c, err
}

// serve shows a connection's messages until it ends.
func (l *link) serve(ctx context.Context, conn *client.Conn) error {
	correlation := uuid.NewString()
	if err := l.attach(ctx, conn, correlation); err != nil {
		return err
	}
	l.mu.Lock()
	l.conn = conn
	l.mu.Unlock()
	defer l.down()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()

	l.spawn(func() { l.hydrate(ctx, conn, correlation) })
	for {
		m, ok := <-conn.Messages()
		if !ok {
			return conn.Err()
		}
		for _, msg := range l.gather(m, conn.Messages()) {
			l.send(msg)
		}
	}
}

// attach says what this screen wants to see.
func (l *link) attach(ctx context.Context, conn *client.Conn, correlation string) error {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	return conn.Subscribe(ctx, abi.ClientSubscribe{
		Topics: []string{"agent.v1.*", "registry.v1.*", abi.TopicApproval, abi.TopicApprovalWithdrawn, abi.TopicCapsulesLoaded,
			abi.TopicSessionGetResponse + correlation, abi.TopicSessionResponsePrefix + "get_messages." + l.asker, abi.TopicSessionResponsePrefix + "list." + l.asker},
		Sessions: []string{l.currentSession()},
		Approver: true,
		Elicitor: true,
	})
}

// bound gives the session the mode that was asked for, before anything happens in it.
func (l *link) bound(ctx context.Context, c *client.Conn) error {
	l.mu.Lock()
	session, mode := l.session, l.mode
	l.mu.Unlock()
	if mode == "" {
		return nil
	}
	if _, err := l.setMode(ctx, c, session, mode); err != nil {
		return fmt.Errorf("the session could not be given mode %s: %w", mode, err)
	}
	return nil
}

// setMode bounds the mode of a session, and of those that begin here later.
func (l *link) setMode(ctx context.Context, c *client.Conn, session, mode string) (info abi.ModeInfo, err error) {
	err = l.manage(ctx, c, abi.MethodSetSessionMode, abi.SessionMode{Session: session, Workspace: l.start.Workspace, Mode: mode}, &info)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.fresh = mode; l.session == session {
			l.mode = ""
		}
	}
	return info, err
}

// gather reads what has arrived by now, so that a flood of small pieces of text costs one
// update of the screen and not one each.
func (l *link) gather(m abi.Message, in <-chan abi.Message) []tea.Msg {
	out := l.take(nil, m)
	for range 256 {
		select {
		case m, ok := <-in:
			if !ok {
				return out
			}
			out = l.take(out, m)
		default:
			return out
		}
	}
	return out
}

// take adds one message of the daemon, or hands it to whoever waits for it.
func (l *link) take(out []tea.Msg, m abi.Message) []tea.Msg {
	if m.Topic == abi.TopicCapsulesLoaded {
		l.refreshAll()
		return out
	}
	l.mu.Lock()
	reply, awaited := l.replies[m.Topic]
	delete(l.replies, m.Topic)
	l.mu.Unlock()
	if awaited {
		reply <- m // it has room for the one answer
		return out
	}
	msg := decode(m)
	if msg == nil {
		return out
	}
	if d, ok := msg.(abi.TextDelta); ok && len(out) > 0 {
		if last, ok := out[len(out)-1].(abi.TextDelta); ok && last.TurnID == d.TurnID && last.SessionID == d.SessionID {
			last.Text += d.Text
			out[len(out)-1] = last
			return out
		}
	}
	return append(out, msg)
}

// down forgets the connection.
func (l *link) down() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = nil
	select {
	case <-l.up:
		l.up = make(chan struct{})
	default:
	}
	for topic, c := range l.replies {
		close(c)
		delete(l.replies, topic)
	}
}

func (l *link) currentSession() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session
}

// await registers interest in the one message on a topic.
func (l *link) await(topic string) <-chan abi.Message {
	c := make(chan abi.Message, 1)
	l.mu.Lock()
	l.replies[topic] = c
	l.mu.Unlock()
	return c
}

// reply waits for that message.
func (l *link) reply(ctx context.Context, topic string, c <-chan abi.Message, what string) (abi.Message, error) {
	timer := time.NewTimer(replyTimeout)
	defer timer.Stop()
	select {
	case m, ok := <-c:
		if !ok {
			return m, errOffline
		}
		return m, nil
	case <-ctx.Done():
		return abi.Message{}, context.Cause(ctx)
	case <-timer.C:
		l.mu.Lock()
		delete(l.replies, topic)
		l.mu.Unlock()
		return abi.Message{}, fmt.Errorf("the daemon did not answer %s within %s", what, replyTimeout)
	}
}

// manage makes a management call on the screen's own connection.
func (l *link) manage(ctx context.Context, conn *client.Conn, method string, params, into any) error {
	suffix := uuid.NewString()
	topic := abi.TopicResponsePrefix + suffix
	c := l.await(topic)
	req := map[string]any{"type": abi.TagRawJSON, "method": method}
	if params != nil {
		req["params"] = params
	}
	if err := conn.Publish(ctx, abi.TopicRequestPrefix+suffix, "", "", req); err != nil {
		return err
	}
	m, err := l.reply(ctx, topic, c, method)
	if err != nil {
		return err
	}
	var resp abi.KernelResponse
	if err := json.Unmarshal(m.Payload, &resp); err != nil {
		return fmt.Errorf("answer to %s: %w", method, err)
	}
	if resp.Status == "Error" {
		var text string
		if json.Unmarshal(resp.Data, &text) != nil {
			text = string(resp.Data)
		}
		return errors.New(text)
	}
	if err := json.Unmarshal(resp.Data, into); err != nil {
		return fmt.Errorf("answer to %s: %w", method, err)
	}
	return nil
}
