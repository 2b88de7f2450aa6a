package host

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

const (
	netWait    = 50 * time.Millisecond // for the next bytes of a frame
	netFrame   = 5 * time.Second       // for a frame once begun, and a millisecond more for each KiB of it
	netWrite   = 10 * time.Second      // for a peer to take a frame
	netHeader  = 4                     // bytes of the length, big endian
	netReading = 64 << 10              // bytes that are read at a time
)

// netConn is an accepted connection. What has arrived of a frame stays until the rest has.
type netConn struct {
	conn      net.Conn
	principal string // for whom it was accepted: calls for others do not find it
	buf       []byte // of the frame that is arriving, the length included
	since     time.Time
	ended     bool // the peer has closed
	broken    bool // a frame was left half written or half read
}

func (i *Instance) openConns() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.conns)
}

func (i *Instance) addConn(c *netConn) (uint64, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return 0, abi.Errorf(abi.CodeCanceled, "capsule is being unloaded")
	}
	i.nextConn++
	i.conns[i.nextConn] = c
	return i.nextConn, nil
}

// netConn finds a connection of the call's principal; with take, it is forgotten.
func (f *frame) netConn(handle []byte, take bool) (*netConn, error) {
	id, err := strconv.ParseUint(string(handle), 10, 64)
	if err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "stream handle %q is not a number", handle)
	}
	f.inst.mu.Lock()
	defer f.inst.mu.Unlock()
	c := f.inst.conns[id]
	if c == nil || c.principal != f.call.Principal {
		return nil, abi.Errorf(abi.CodeHandle, "stream handle %d not found", id)
	}
	if take {
		delete(f.inst.conns, id)
	}
	return c, nil
}

// netRead answers a status byte, and after [abi.NetData] one whole frame.
func (h *Host) netRead(ctx context.Context, f *frame, args [][]byte) ([]byte, error) {
	c, err := f.netConn(args[0], false)
	if err != nil {
		return nil, err
	}
	if c.broken {
		return nil, abi.Errorf(abi.CodeClosed, "the stream was given up in the middle of a frame: close it")
	}
	if c.ended {
		return []byte{abi.NetClosed}, nil
	}
	frame, err := c.read(ctx, h.svc.Now)
	switch {
	case err == nil:
		out := make([]byte, 1+len(frame))
		out[0] = abi.NetData
		move(out[1:], frame)
		return out, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return []byte{abi.NetNothing}, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		c.ended = true
		return []byte{abi.NetClosed}, nil
	}
	return nil, err
}

// read waits shortly for more of a frame and returns it once it is complete.
func (c *netConn) read(ctx context.Context, now func() time.Time) ([]byte, error) {
	for {
		want := netHeader
		if len(c.buf) >= netHeader {
			n := binary.BigEndian.Uint32(c.buf)
			if n > abi.MaxValue {
				c.broken = true
				return nil, abi.Errorf(abi.CodeTooLarge, "a frame of %d bytes was announced, the limit is %d", n, abi.MaxValue)
			}
			want += int(n)
			if len(c.buf) == want {
				frame := c.buf[netHeader:]
				c.buf = nil
				return frame, nil
			}
		}
		if len(c.buf) > 0 && now().Sub(c.since) > netFrame+time.Duration(want/1024)*time.Millisecond {
			c.broken = true
			return nil, abi.Errorf(abi.CodeTimeout, "the peer did not finish its frame: %d of %d bytes came", len(c.buf), want)
		}
		if err := c.more(ctx, min(want-len(c.buf), netReading), now); err != nil {
			return nil, err
		}
	}
}

// more appends what arrives, at most n bytes. Memory grows with what was sent, not with what was announced.
func (c *netConn) more(ctx context.Context, n int, now func() time.Time) error {
	if err := c.conn.SetReadDeadline(time.Now().Add(netWait)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	piece := make([]byte, n)
	got, err := c.conn.Read(piece)
	if got > 0 {
		if len(c.buf) == 0 {
			c.since = now()
		}
		c.buf = extend(c.buf, piece[:got])
		return nil
	}
	return err
}

func (h *Host) netWrite(ctx context.Context, f *frame, args [][]byte) ([]byte, error) {
	c, err := f.netConn(args[0], false)
	if err != nil {
		return nil, err
	}
	if c.broken {
		return nil, abi.Errorf(abi.CodeClosed, "the stream was given up in the middle of a frame: close it")
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(netWrite)); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	msg := make([]byte, netHeader+len(args[1]))
	binary.BigEndian.PutUint32(msg, uint32(len(args[1])))
	move(msg[netHeader:], args[1])
	n, err := c.conn.Write(msg)
	if err == nil {
		return nil, nil
	}
	c.broken = n > 0
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, abi.Errorf(abi.CodeTimeout, "the peer did not take the frame within %s", netWrite)
	}
	return nil, abi.Errorf(abi.CodeClosed, "the peer is gone: %v", err)
}

// netClose closes a connection; closing twice is fine.
func (h *Host) netClose(_ context.Context, f *frame, args [][]byte) ([]byte, error) {
	c, err := f.netConn(args[0], true)
	if err != nil {
		if toError(err).Code == abi.CodeHandle {
			return nil, nil
		}
		return nil, err
	}
	_ = c.conn.Close() // whatever it says, it is closed
	return nil, nil
}
