package e2e

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/wire"
)

// dial connects to the daemon without a word.
func (b *box) dial() net.Conn {
	b.t.Helper()
	c, err := net.Dial("unix", filepath.Join(b.home, "run/system.sock"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	return c
}

// greet connects as a real client does.
func (b *box) greet() net.Conn {
	b.t.Helper()
	c := b.dial()
	token, err := home.ReadToken(filepath.Join(b.home, "run/system.token"))
	if err == nil {
		_, err = wire.Greet(c, "test", token.Hex())
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func frame(text string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
}

// ended waits until the daemon has closed a connection.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Error("the daemon kept the connection")
		}
	}
}

// TestHostileClients: whatever one client does, the others are served as before.
func TestHostileClients(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	b.run("", "start").want(t, 0)
	send := func(c net.Conn, data []byte) net.Conn {
		// The daemon may have hung up in the middle; that is one of the right answers.
		_, _ = c.Write(data)
		return c
	}
	// Those that must lose their connection.
	for name, c := range map[string]net.Conn{
		"garbage for a handshake":  send(b.dial(), frame("}{ nonsense")),
		"bytes for a handshake":    send(b.dial(), []byte("GET / HTTP/1.1\r\n\r\n")),
		"4 GiB for a handshake":    send(b.dial(), []byte{0xff, 0xff, 0xff, 0xff, '{'}),
		"a wrong token":            send(b.dial(), frame(`{"token":"00","protocol_version":1,"client_version":"x"}`)),
		"a wrong version":          send(b.dial(), frame(`{"token":"00","protocol_version":99,"client_version":"x"}`)),
		"garbage after handshake":  send(b.greet(), frame("}{ nonsense")),
		"a frame of 4 GiB":         send(b.greet(), []byte{0xff, 0xff, 0xff, 0xff, '{'}),
		"a frame over the limit":   send(b.greet(), binary.BigEndian.AppendUint32(nil, abi.MaxFrame+1)),
		"a frame that is an array": send(b.greet(), frame("[]")),
	} {
		t.Run(name, func(t *testing.T) { ended(t, c) })
	}
	// Those that may stay, and hold on to what they can.
	send(b.dial(), []byte{0, 0})                        // stalls in the handshake
	send(b.greet(), append([]byte{0, 0, 1, 0}, "{"...)) // stalls in a frame
	mute := b.greet()                                   // asks for everything and never reads
	subscribe, err := json.Marshal(abi.ClientFrame{Topic: abi.TopicClientSubscribe, Payload: json.RawMessage(`{"topics":["agent.v1.*"],"sessions":["*"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	send(mute, frame(string(subscribe)))
	polite := b.greet()
	for _, topic := range []string{"astrid.v1.capsules_loaded", "tool.v1.request.execute", "session.v1.response.x", "", "a..b", "user.v1.*"} {
		req, err := json.Marshal(abi.ClientFrame{ID: topic, Topic: topic, Payload: json.RawMessage(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		if topic == "" {
			continue // without an id there is no answer
		}
		send(polite, frame(string(req)))
		raw, err := wire.ReadFrame(polite, abi.MaxFrame)
		if err != nil {
			t.Fatal(err)
		}
		var m struct{ Payload abi.ClientAck }
		if err := json.Unmarshal(raw, &m); err != nil || m.Payload.Error == "" {
			t.Errorf("a client may publish on %q: %s", topic, raw)
		}
	}
	b.write("a.txt", "served\n")
	for range 3 {
		b.run("", "-p", "read a.txt").want(t, 0, "served")
	}
	b.run("", "status").want(t, 0)
	began := time.Now()
	b.run("", "stop").want(t, 0, "stopped")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("clients that do nothing held the daemon for %s", took)
	}
}
