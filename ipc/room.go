package ipc

import "sync/atomic"

// Room bounds the bytes of messages that wait in the subscriptions that share it. A message counts in each of
// them, with what it costs besides its payload.
type Room struct{ left atomic.Int64 }

// NewRoom makes a room of that many bytes.
func NewRoom(bytes int64) *Room {
	r := &Room{}
	r.left.Store(bytes)
	return r
}

// messageCost is about what a message costs besides its payload, in bytes.
const messageCost = 512

func sizeOf(m *Message) int64 { return int64(len(m.Payload.full)) + messageCost }

// take makes room for a message, if there is.
func (r *Room) take(m *Message) bool {
	n := sizeOf(m)
	if r.left.Add(-n) < 0 {
		r.left.Add(n)
		return false
	}
	return true
}

func (r *Room) give(m *Message) { r.left.Add(sizeOf(m)) }
