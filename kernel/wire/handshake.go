package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// HandshakeTimeout bounds each step of the handshake.
const HandshakeTimeout = 5 * time.Second

// ErrRefused is wrapped by [Dial]'s error when the daemon refuses the handshake.
var ErrRefused = errors.New("the daemon refused the connection")

// Accept answers a client's handshake. token compares what the client sent, in constant
// time. The version is checked first, so that it tells nothing about the token.
func Accept(conn net.Conn, version string, token func(string) bool) (*abi.Handshake, error) {
	if err := conn.SetDeadline(time.Now().Add(HandshakeTimeout)); err != nil {
		return nil, err
	}
	raw, err := ReadFrame(conn, abi.MaxHandshake)
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	var hs abi.Handshake
	if err := json.Unmarshal(raw, &hs); err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	reply := abi.HandshakeReply{Status: "ok", ProtocolVersion: abi.ProtocolVersion, ServerVersion: version}
	switch {
	case hs.ProtocolVersion != abi.ProtocolVersion:
		reply.Status = "error"
		reply.Reason = fmt.Sprintf("Protocol version mismatch (client=%d, server=%d). Restart the daemon with `astrid stop && astrid start`.", hs.ProtocolVersion, abi.ProtocolVersion)
	case !token(hs.Token):
		reply.Status, reply.Reason = "error", "authentication failed"
	}
	b, err := json.Marshal(reply)
	if err != nil {
		return nil, err
	}
	if err := WriteFrame(conn, b, abi.MaxHandshake); err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	if reply.Reason != "" {
		return nil, fmt.Errorf("handshake: %s", reply.Reason)
	}
	return &hs, conn.SetDeadline(time.Time{})
}

// Greet sends the client's handshake over conn and waits for the answer.
func Greet(conn net.Conn, version, token string) (*abi.HandshakeReply, error) {
	if err := conn.SetDeadline(time.Now().Add(2 * HandshakeTimeout)); err != nil {
		return nil, err
	}
	b, err := json.Marshal(abi.Handshake{Token: token, ProtocolVersion: abi.ProtocolVersion, ClientVersion: version})
	if err != nil {
		return nil, err
	}
	if err := WriteFrame(conn, b, abi.MaxHandshake); err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	raw, err := ReadFrame(conn, abi.MaxHandshake)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w without a reason: see the daemon's log (%w)", ErrRefused, err)
		}
		return nil, fmt.Errorf("handshake: %w", err)
	}
	var reply abi.HandshakeReply
	if err := json.Unmarshal(raw, &reply); err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	if reply.Status != "ok" {
		return nil, fmt.Errorf("%w: %s", ErrRefused, reply.Reason)
	}
	return &reply, conn.SetDeadline(time.Time{})
}
