package tui

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/wire"
)

// fakeDaemon serves a home's socket. It acknowledges every frame, answers management calls
// and requests for the history, and notes what it is told.
type fakeDaemon struct {
	t      *testing.T
	l      net.Listener
	frames chan abi.ClientFrame // what is left to the test
	conns  chan net.Conn
}

func serveFake(t *testing.T, h home.Home) *fakeDaemon {
	t.Helper()
	path, err := h.SocketPath()
	if err != nil {
		t.Fatal(err)
	}
	token := home.NewToken()
	if err := home.WriteToken(h.TokenFile(), token); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(path) // of the daemon before
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.MarkReady(); err != nil {
		t.Fatal(err)
	}
	d := &fakeDaemon{t: t, l: l, frames: make(chan abi.ClientFrame, 100), conns: make(chan net.Conn, 10)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := wire.Accept(c, "test", func(s string) bool { return s == token.Hex() }); err != nil {
				continue
			}
			d.conns <- c
			go d.serve(c)
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return d
}

func (d *fakeDaemon) serve(c net.Conn) {
	for {
		raw, err := wire.ReadFrame(c, abi.MaxFrame)
		if err != nil {
			return
		}
		var f abi.ClientFrame
		if json.Unmarshal(raw, &f) != nil {
			return
		}
		reply(c, abi.TopicClientAck, abi.ClientAck{ID: f.ID})
		var req struct {
			Method        string `json:"method"`
			CorrelationID string `json:"correlation_id"`
		}
		_ = json.Unmarshal(f.Payload, &req)
		switch {
		case req.Method == abi.MethodGetStatus:
			reply(c, abi.TopicResponsePrefix+strings.TrimPrefix(f.Topic, abi.TopicRequestPrefix), map[string]any{"status": "Status", "data": abi.DaemonStatus{PID: 7}})
		case req.Method != "":
			reply(c, abi.TopicResponsePrefix+strings.TrimPrefix(f.Topic, abi.TopicRequestPrefix), map[string]any{"status": "Error", "data": "no"})
		case f.Topic == abi.TopicSessionGet:
			reply(c, abi.TopicSessionGetResponse+req.CorrelationID, map[string]any{"type": "custom",
				"data": map[string]any{"messages": []abi.ChatMessage{abi.TextMessage(abi.RoleUser, "before")}}})
		default:
			d.frames <- f
		}
	}
}

func reply(c net.Conn, topic string, payload any) {
	p, _ := json.Marshal(payload)
	b, _ := json.Marshal(abi.Message{Topic: topic, Payload: p})
	_ = wire.WriteFrame(c, b, abi.MaxFrame) // the test notices
}

// on waits for a frame on a topic.
func (d *fakeDaemon) on(topic string) abi.ClientFrame {
	d.t.Helper()
	for {
		select {
		case f := <-d.frames:
			if f.Topic == topic {
				return f
			}
		case <-time.After(patience):
			d.t.Fatalf("nothing was sent on %s", topic)
		}
	}
}

func waitFor[T tea.Msg](t *testing.T, in <-chan tea.Msg) T {
	t.Helper()
	for {
		select {
		case m := <-in:
			if v, ok := m.(T); ok {
				return v
			}
		case <-time.After(patience):
			t.Fatalf("no %T", *new(T))
		}
	}
}

func TestLink(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "astrid-link-") // the short path leaves room for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	root := filepath.Join(dir, "h")
	h, err := home.Resolve(func(string) (string, bool) { return root, true })
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Ensure(); err != nil {
		t.Fatal(err)
	}
	d := serveFake(t, h)
	l := newLink(client.StartOptions{Home: h, Version: "test", Workspace: "/ws"}, "s1")
	got := make(chan tea.Msg, 1000)
	l.send = func(m tea.Msg) { got <- m }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx) }()

	c := waitFor[connectedMsg](t, got)
	if c.pid != 7 || c.session != "s1" || len(c.history) != 1 || c.problem != "" {
		t.Errorf("connected: %+v", c)
	}
	var sub abi.ClientSubscribe
	if err := json.Unmarshal(d.on(abi.TopicClientSubscribe).Payload, &sub); err != nil || !sub.Approver || len(sub.Sessions) != 1 || sub.Sessions[0] != "s1" {
		t.Errorf("subscribed to %+v (%v)", sub, err)
	}

	l.Prompt("t1", "hello", "", false)
	f := d.on(abi.TopicUserPrompt)
	if f.Session != "s1" || f.Workspace != "/ws" || !strings.Contains(string(f.Payload), `"turn_id":"t1"`) {
		t.Errorf("prompt: %+v %s", f, f.Payload)
	}
	if m := waitFor[sentMsg](t, got); m.turn != "t1" {
		t.Errorf("sent %q", m.turn)
	}
	l.Answer("q", "s1", "deny", "no")
	if f := d.on(abi.TopicApprovalResponse + "q"); !strings.Contains(string(f.Payload), `"decision":"deny","reason":"no"`) {
		t.Errorf("answer: %s", f.Payload)
	}

	conn := <-d.conns
	for range 3 {
		reply(conn, abi.TopicAgentDelta, map[string]any{"type": "custom", "data": abi.TextDelta{SessionID: "s1", TurnID: "t1", Text: "ab"}})
	}
	text := ""
	for len(text) < 6 {
		text += waitFor[abi.TextDelta](t, got).Text
	}
	if text != "ababab" {
		t.Errorf("text %q", text)
	}

	// The daemon goes away and another one comes.
	_ = d.l.Close()
	_ = conn.Close()
	waitFor[lostMsg](t, got)
	l.Cancel("t1")
	if m := waitFor[failedMsg](t, got); m.err == nil {
		t.Error("a request without a connection succeeded")
	}
	d = serveFake(t, h)
	waitFor[connectedMsg](t, got)
	l.Switch("s2")
	for f := d.on(abi.TopicClientSubscribe); !strings.Contains(string(f.Payload), `"s2"`); {
		f = d.on(abi.TopicClientSubscribe)
	}

	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("run: %v", err)
		}
	case <-time.After(patience):
		t.Error("the link does not end")
	}
}

func TestLinkSurvivesItsPanics(t *testing.T) {
	l := newLink(client.StartOptions{}, "s")
	aborted := make(chan error, 1)
	l.abort = func(err error) { aborted <- err }
	l.spawn(func() { panic("oh") })
	select {
	case err := <-aborted:
		if !strings.Contains(err.Error(), "internal error: oh") {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("the panic was swallowed")
	}
}
