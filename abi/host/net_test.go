package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
)

// wire is a frame as peers send it.
func wire(text string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
}

// netRig is a guest with a bound socket in a mode that asks nobody.
type netRig struct {
	*rig
	g    *guest
	path string
	ln   string // handle
}

func newNetRig(t *testing.T, o rigOptions) *netRig {
	t.Helper()
	o.rules.Mode = approval.Autonomous
	r := &netRig{rig: newRig(t, o)}
	r.onBind = func(p string) { r.path = p }
	r.g = r.guest(newCapsule(everythingGrants()))
	out, err := r.g.do(abi.NetBindUnix, "box")
	if err != nil {
		t.Fatal(err)
	}
	r.ln = string(out)
	return r
}

// connect dials the socket and lets the guest accept.
func (r *netRig) connect() (peer net.Conn, stream string) {
	r.t.Helper()
	peer, err := net.Dial("unix", r.path)
	must(r.t, err)
	r.t.Cleanup(func() { _ = peer.Close() })
	out, e := r.g.do(abi.NetAccept, r.ln)
	if e != nil {
		r.t.Fatal(e)
	}
	return peer, string(out)
}

// read reads until there is more to say than that nothing has come yet.
func (r *netRig) read(stream string) ([]byte, *abi.Error) {
	r.t.Helper()
	for range 100 {
		if out, err := r.g.do(abi.NetRead, stream); err != nil || out[0] != abi.NetNothing {
			return out, err
		}
	}
	r.t.Fatal("nothing came")
	return nil, nil
}

func TestNetFrames(t *testing.T) {
	r := newNetRig(t, rigOptions{})
	peer, s := r.connect()
	r.g.want("\x02", abi.NetRead, s)
	_, err := peer.Write(append(wire("hello"), append(wire(""), wire("more")...)...))
	must(t, err)
	for _, want := range []string{"\x00hello", "\x00", "\x00more"} {
		if out, err := r.read(s); err != nil || string(out) != want {
			t.Errorf("%q %v, want %q", out, err, want)
		}
	}
	// A frame in pieces is not lost and not mistaken, however it is cut.
	text := strings.Repeat("x", 100_000)
	whole := wire(text)
	for _, cut := range []int{1, 3, 5, 70_000} {
		_, err := peer.Write(whole[:cut])
		must(t, err)
		r.g.want("\x02", abi.NetRead, s)
		_, err = peer.Write(whole[cut:])
		must(t, err)
		if out, err := r.read(s); err != nil || string(out[1:]) != text {
			t.Errorf("cut at %d: %d bytes, %v", cut, len(out), err)
		}
	}
	r.g.want("", abi.NetWrite, s, "answer \x00\xff")
	got := make([]byte, len(wire("answer \x00\xff")))
	_, err = io.ReadFull(peer, got)
	must(t, err)
	if !bytes.Equal(got, wire("answer \x00\xff")) {
		t.Errorf("the peer got %q", got)
	}
	must(t, peer.Close())
	if out, err := r.read(s); err != nil || string(out) != "\x01" {
		t.Errorf("after the peer left: %q %v", out, err)
	}
	r.g.refused(abi.CodeClosed, "gone", abi.NetWrite, s, "x")
	r.g.want("", abi.NetCloseStream, s)
	r.g.want("", abi.NetCloseStream, s)
	r.g.refused(abi.CodeHandle, "not found", abi.NetRead, s)
	r.g.refused(abi.CodeInvalid, "not a number", abi.NetCloseStream, "x")
	all := r.decisions("default")
	if len(all) != 2 || all[1].Resource != "net:bind:guest/box" || all[1].Function != "astrid_net_accept" || all[1].Verdict != audit.Allow {
		t.Errorf("decisions %v", all)
	}
}

// TestNetHostilePeer: what a peer announces costs nothing, and a frame that is never finished ends.
func TestNetHostilePeer(t *testing.T) {
	var mu sync.Mutex
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := newNetRig(t, rigOptions{now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	peer, s := r.connect()
	_, err := peer.Write(binary.BigEndian.AppendUint32(nil, abi.MaxValue))
	must(t, err)
	r.g.want("\x02", abi.NetRead, s)
	if c := r.g.inst.conns[1]; cap(c.buf) > netReading {
		t.Errorf("%d bytes are kept for a peer that sent 4", cap(c.buf))
	}
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	r.g.refused(abi.CodeTimeout, "did not finish", abi.NetRead, s)
	r.g.refused(abi.CodeClosed, "in the middle", abi.NetRead, s)
	r.g.refused(abi.CodeClosed, "in the middle", abi.NetWrite, s, "x")

	peer, s = r.connect()
	_, err = peer.Write([]byte{0xff, 0xff, 0xff, 0xff})
	must(t, err)
	r.g.refused(abi.CodeTooLarge, "4294967295 bytes", abi.NetRead, s)
}

func TestNetLimits(t *testing.T) {
	r := newNetRig(t, rigOptions{})
	r.g.want("", abi.NetPollAccept, r.ln)
	var last string
	for range abi.MaxNetStreams {
		_, last = r.connect()
	}
	r.g.refused(abi.CodeLimit, "8/8", abi.NetAccept, r.ln)
	r.g.want("", abi.NetPollAccept, r.ln)
	r.g.want("", abi.NetCloseStream, last)
	peer, err := net.Dial("unix", r.path)
	must(t, err)
	defer peer.Close()
	r.g.want("9", abi.NetAccept, r.ln)
	for range abi.MaxNetListeners - 1 {
		out, err := r.g.do(abi.NetBindUnix, "s"+time.Now().Format("150405.000000000"))
		if err != nil {
			t.Fatalf("%s %v", out, err)
		}
	}
	r.g.refused(abi.CodeLimit, "socket limit", abi.NetBindUnix, "more")
	// Of several listeners one must be named.
	r.g.refused(abi.CodeHandle, "exactly one", abi.NetAccept, "")
	r.g.refused(abi.CodeHandle, "not found", abi.NetAccept, "99")
	r.g.refused(abi.CodeInvalid, "not a number", abi.NetAccept, "x")
}

// TestNetOthers: handles belong to the principal they were opened for.
func TestNetOthers(t *testing.T) {
	r := newNetRig(t, rigOptions{})
	_, s := r.connect()
	r.g.call = &Call{Principal: "alice", Session: "s2"}
	r.g.refused(abi.CodeHandle, "not found", abi.NetRead, s)
	r.g.refused(abi.CodeHandle, "not found", abi.NetWrite, s, "x")
	r.g.refused(abi.CodeHandle, "not found", abi.NetAccept, r.ln)
	r.g.refused(abi.CodeHandle, "exactly one", abi.NetAccept, "")
	r.g.want("", abi.NetCloseStream, s) // which closed nothing
	if n := r.g.inst.openConns(); n != 1 {
		t.Errorf("%d connections are open", n)
	}
}

// TestNetEnd: a guest that waits is let go when its call or its instance ends, and nothing stays open.
func TestNetEnd(t *testing.T) {
	r := newNetRig(t, rigOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := r.g.doCtx(ctx, abi.NetAccept, r.ln); err == nil || err.Code != abi.CodeCanceled {
		t.Errorf("accept of a call that ended: %v", err)
	}
	peer, s := r.connect()
	waiting, err := net.Dial("unix", r.path) // nobody will accept it
	must(t, err)
	defer waiting.Close()
	time.AfterFunc(10*time.Millisecond, r.g.inst.Close)
	for range 100 {
		if out, err := r.g.do(abi.NetRead, s); err != nil || out[0] != abi.NetNothing {
			break
		}
	}
	for _, c := range []net.Conn{peer, waiting} {
		must(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
		if _, err := c.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("a connection outlives the instance: %v", err)
		}
	}
	if _, err := net.Dial("unix", r.path); err == nil {
		t.Error("the socket outlives the instance")
	}
	r.g.refused(abi.CodeCanceled, "unloaded", abi.NetBindUnix, "again")
}

func TestSocketNames(t *testing.T) {
	for in, want := range map[string]string{
		"": "main", "box": "box", "/run/astrid.sock": "astrid", "box.sock": "box", "a.b_c-D9": "a.b_c-D9", "/": "main", "../x": "x", strings.Repeat("a", 64): strings.Repeat("a", 64),
		".": "", "..": "", ".sock": "main", ".hidden": "", "a b": "", "a\x00": "", "ü": "", strings.Repeat("a", 65): "", "a/..": "",
	} {
		if got, err := socketName(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q became %q, %v", in, got, err)
		}
	}
	for _, c := range []struct {
		entries []string
		ok      bool
	}{
		{nil, false}, {[]string{""}, false}, {[]string{"*"}, true}, {[]string{"unix:*"}, true}, {[]string{"box"}, true}, {[]string{"unix:/run/box.sock"}, true}, {[]string{"other"}, false},
	} {
		if _, err := NewBounds("guest", Grants{NetBind: c.entries}).bindPermit("box")(); (err == nil) != c.ok {
			t.Errorf("net_bind %q: %v", c.entries, err)
		}
	}
}

// FuzzNetFrames: whatever a peer sends, in whatever pieces, whole frames come out as they went in, and memory follows what came.
func FuzzNetFrames(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x05hello\x00\x00\x00\x00"), uint8(3))
	f.Add([]byte{0, 0xa0, 0, 1}, uint8(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1}, uint8(2))
	f.Fuzz(func(t *testing.T, sent []byte, piece uint8) {
		if len(sent) > 1<<16 {
			return
		}
		here, there := net.Pipe()
		defer here.Close()
		go func() {
			defer there.Close()
			for rest := sent; len(rest) > 0; {
				n := min(len(rest), int(piece)+1)
				if _, err := there.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		}()
		c := &netConn{conn: here}
		for want := sent; ; {
			frame, err := c.read(context.Background(), time.Now)
			if cap(c.buf) > 2*len(sent)+netReading {
				t.Fatalf("%d bytes are kept of %d that came", cap(c.buf), len(sent))
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			if err != nil {
				if n := len(want); n >= netHeader {
					if announced := binary.BigEndian.Uint32(want); announced <= abi.MaxValue && int(announced) <= n-netHeader {
						t.Fatalf("%d bytes hold a frame, but: %v", n, err)
					}
				}
				return
			}
			if len(want) < netHeader+len(frame) || !bytes.Equal(want[:netHeader+len(frame)], wire(string(frame))) {
				t.Fatalf("frame %q out of %q", frame, want)
			}
			want = want[netHeader+len(frame):]
		}
	})
}

// FuzzSocketName: a name that passes is one path element of harmless characters.
func FuzzSocketName(f *testing.F) {
	for _, s := range []string{"", "a/b.sock", "..", "a\x00b", "ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := socketName(s)
		if err == nil && (name == "" || len(name) > abi.MaxSocketName || strings.ContainsAny(name, "/\\\x00 :") || strings.HasPrefix(name, ".")) {
			t.Errorf("%q became %q", s, name)
		}
	})
}
