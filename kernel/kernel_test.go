package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/wire"
)

// boot starts a daemon in a home of its own. It is shut down with the test.
func boot(t *testing.T, change ...func(*Options)) *Kernel {
	t.Helper()
	o := options(t)
	for _, c := range change {
		c(&o)
	}
	k, err := Boot(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Shutdown("test ended"); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return k
}

func options(t *testing.T) Options {
	t.Helper()
	h, err := home.New(filepath.Join(shortDir(t), "home"))
	if err != nil {
		t.Fatal(err)
	}
	return Options{Home: h, Workspace: t.TempDir(), Version: "test"}
}

// shortDir is a directory whose path leaves room for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ak")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// peer is a client's end of the socket, frame by frame.
type peer struct {
	t    testing.TB
	conn net.Conn
}

func dial(t testing.TB, h home.Home) *peer {
	t.Helper()
	path, err := h.SocketPath()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &peer{t, conn}
}

func connect(t testing.TB, k *Kernel) *peer {
	t.Helper()
	p := dial(t, k.opts.Home)
	token, err := home.ReadToken(k.opts.Home.TokenFile())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wire.Greet(p.conn, "test", token.Hex()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *peer) send(frame string) {
	p.t.Helper()
	if err := wire.WriteFrame(p.conn, []byte(frame), abi.MaxFrame); err != nil {
		p.t.Fatal(err)
	}
}

// recv reads the next message. It fails the test when none comes.
func (p *peer) recv() abi.Message {
	p.t.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	raw, err := wire.ReadFrame(p.conn, abi.MaxFrame)
	if err != nil {
		p.t.Fatalf("no message: %v", err)
	}
	var m abi.Message
	if err := json.Unmarshal(raw, &m); err != nil {
		p.t.Fatal(err)
	}
	return m
}

// ack sends a frame with an id and returns what the daemon says about it, "" for taken.
func (p *peer) ack(frame string) string {
	p.t.Helper()
	p.send(strings.Replace(frame, "{", `{"id":"1",`, 1))
	for {
		m := p.recv()
		if m.Topic != abi.TopicClientAck {
			continue
		}
		var a abi.ClientAck
		if err := json.Unmarshal(m.Payload, &a); err != nil {
			p.t.Fatal(err)
		}
		return a.Error
	}
}

// ended tells whether the daemon closes the connection.
func (p *peer) ended() bool {
	if err := p.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	for {
		if _, err := wire.ReadFrame(p.conn, abi.MaxFrame); err != nil {
			return !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

func TestBootWithoutCapsules(t *testing.T) {
	k := boot(t)
	st := k.Status()
	if st.PID != os.Getpid() || len(st.Capsules) != 0 || st.Version != "test" || st.Workspace == "" {
		t.Errorf("status is %+v", st)
	}
	p := connect(t, k)
	p.send(`{"topic":"astrid.v1.request.x","payload":{"type":"raw_json","method":"GetStatus"}}`)
	m := p.recv()
	if m.Topic != "astrid.v1.response.x" || !strings.Contains(string(m.Payload), `"status":"Status"`) {
		t.Errorf("got %s %s", m.Topic, m.Payload)
	}
}

func TestSecondDaemonIsRefused(t *testing.T) {
	k := boot(t)
	_, err := Boot(t.Context(), k.opts)
	if !errors.Is(err, home.ErrLocked) {
		t.Fatalf("second boot: %v", err)
	}
	// The first one is unharmed: its socket, token and readiness file are still its own.
	connect(t, k)
	if !k.opts.Home.Ready() {
		t.Error("the refused daemon removed the readiness file")
	}
}

func TestShutdownLeavesNothingAndBootReplacesWhatIsLeft(t *testing.T) {
	o := options(t)
	k, err := Boot(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Shutdown("test"); err != nil {
		t.Fatal(err)
	}
	sock, err := o.Home.SocketPath()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{sock, o.Home.TokenFile(), o.Home.ReadyFile()} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there (%v)", path, err)
		}
		// A killed daemon leaves all of them.
		if err := os.WriteFile(path, []byte("stale"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	k, err = Boot(t.Context(), o)
	if err != nil {
		t.Fatalf("boot over stale files: %v", err)
	}
	connect(t, k)
	if err := k.Shutdown("test"); err != nil {
		t.Fatal(err)
	}
}

func TestBootRefusesABadWorkspace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"relative", "/does/not/exist", file} {
		o := options(t)
		o.Workspace = w
		if k, err := Boot(t.Context(), o); err == nil {
			t.Errorf("workspace %q was taken", w)
			_ = k.Shutdown("test")
		} else if !strings.Contains(err.Error(), "workspace") {
			t.Errorf("workspace %q: the error does not say what is wrong: %v", w, err)
		}
	}
}

func TestRunEndsWhenAClientAsks(t *testing.T) {
	o := options(t)
	ended := make(chan error, 1)
	ready := make(chan *Kernel, 1)
	go func() { ended <- Run(context.Background(), o, func(k *Kernel) { ready <- k }) }()
	p := connect(t, <-ready)
	p.send(`{"topic":"astrid.v1.request.stop","payload":{"type":"raw_json","method":"Shutdown","params":{"reason":"enough"}}}`)
	if m := p.recv(); !strings.Contains(string(m.Payload), "shutting_down") {
		t.Errorf("got %s", m.Payload)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestEphemeralDaemonLeavesWithItsLastClient(t *testing.T) {
	o := options(t)
	o.Ephemeral, o.IdleTimeout = true, 50*time.Millisecond
	ended := make(chan error, 1)
	ready := make(chan *Kernel, 1)
	go func() { ended <- Run(context.Background(), o, func(k *Kernel) { ready <- k }) }()
	p := connect(t, <-ready)
	// It stays while somebody is there, however long.
	for range 5 {
		p.send(`{"topic":"astrid.v1.request.x","payload":{"type":"raw_json","method":"GetStatus"}}`)
		p.recv()
	}
	p.conn.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
