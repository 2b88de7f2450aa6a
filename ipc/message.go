package ipc

import (
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Sources of messages that no capsule published.
const (
	SourceKernel = "kernel"
	SourceClient = "client"
)

// Message is one envelope. It must not be changed after it was published.
type Message struct {
	Topic     string
	Payload   Payload
	SourceID  string    // UUID of the publishing capsule's load
	Timestamp time.Time // stamped by [Bus.Publish], UTC
	Seq       uint64    // stamped by [Bus.Publish], from 1
	Principal string    // empty: nobody's, visible to all
	Session   string    // empty: belongs to no session

	// What follows never goes on the wire.

	Source string   // capsule id, SourceKernel or SourceClient
	Chain  []string // capsule ids that wait for this publish to return, outermost first
	Hops   int      // asynchronous messages that led to this one
}

// Wire returns the message as guests and clients see it. The payload is shared, not copied.
func (m *Message) Wire() abi.Message {
	return abi.Message{
		Topic:     m.Topic,
		Payload:   m.Payload.Tagged(),
		SourceID:  m.SourceID,
		Timestamp: m.Timestamp,
		Seq:       m.Seq,
		Principal: m.Principal,
		Session:   m.Session,
	}
}
