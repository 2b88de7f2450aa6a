// Package net serves frames to local programs over the kernel's Unix socket.
//
// A frame is at most [abi.MaxValue] bytes; the host adds and removes the length in front
// of it.
package net

import (
	"errors"
	"io"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
)

// ErrNoFrame is returned by [Conn.ReadFrame] when nothing has arrived yet.
var ErrNoFrame = errors.New("no frame has arrived yet")

// Listener hands out connections.
type Listener struct{ handle string }

// Listen opens the listener named path. The manifest must declare net_bind.
func Listen(path string) (*Listener, error) {
	h, err := link.Call(abi.NetBindUnix, path)
	if err != nil {
		return nil, err
	}
	return &Listener{handle: string(h)}, nil
}

// Accept waits for a connection. An instance can have [abi.MaxNetStreams].
func (l *Listener) Accept() (*Conn, error) {
	h, err := link.Call(abi.NetAccept, l.handle)
	if err != nil {
		return nil, err
	}
	return &Conn{handle: string(h)}, nil
}

// Poll returns a connection if one comes within a few milliseconds; else it returns nil.
func (l *Listener) Poll() (*Conn, error) {
	h, err := link.Call(abi.NetPollAccept, l.handle)
	if err != nil || len(h) == 0 {
		return nil, err
	}
	return &Conn{handle: string(h)}, nil
}

// Conn is one connection.
type Conn struct{ handle string }

// First byte of what the host returns for a read.
const (
	readData    = 0
	readClosed  = 1
	readNothing = 2
)

// ReadFrame returns the next frame, [ErrNoFrame] when none comes within a short time, or
// io.EOF when the peer has closed.
func (c *Conn) ReadFrame() ([]byte, error) {
	b, err := link.Call(abi.NetRead, c.handle)
	switch {
	case err != nil:
		return nil, err
	case len(b) > 0 && b[0] == readData:
		return b[1:], nil
	case len(b) > 0 && b[0] == readNothing:
		return nil, ErrNoFrame
	}
	return nil, io.EOF // readClosed, and whatever a later host may mean by another byte
}

// WriteFrame sends a frame. A peer that is gone is noticed by the next read.
func (c *Conn) WriteFrame(frame []byte) error {
	_, err := link.Call(abi.NetWrite, c.handle, link.Text(frame))
	return err
}

// Close closes the connection; closing twice is fine.
func (c *Conn) Close() error {
	_, err := link.Call(abi.NetCloseStream, c.handle)
	return err
}
