package main

import (
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
)

// An instance has 64 MiB for all sessions. So a conversation is kept between two steps of its turn only as long as those of
// all turns are small; otherwise it is read again. What was kept is not sent to us again: the session store is
// asked for what came after it.

// maxHeld is about how many bytes of conversations are kept.
const maxHeld = 12 << 20

// maxGrown is how large a conversation may become piece by piece. Then it is read as a whole, which the
// session store cuts at abi.MaxContext.
const maxGrown = abi.MaxContext + abi.MaxContext/16

// stored is the answer of the session store, and how long it was.
type stored struct {
	abi.SessionMessages
	size int
}

func (s *stored) UnmarshalJSON(b []byte) error {
	s.size = len(b)
	return s.SessionMessages.UnmarshalJSON(b)
}

// known is how many messages of the session need not be read again.
func (t *turn) known() int {
	if len(t.messages) == 0 {
		return 0
	}
	return t.start + len(t.messages) - t.head
}

// take takes in what the session store has answered. It tells whether that is all: what has grown too large is read anew.
func (t *turn) take(r stored) bool {
	if from := t.known(); from > 0 && r.Start == from && r.Head == 0 {
		t.messages, t.size = append(t.messages, r.Messages...), t.size+r.size
		if t.size > maxGrown {
			t.drop()
			return false
		}
		return true
	}
	t.messages, t.head, t.start, t.size = r.Messages, r.Head, r.Start, r.size
	t.dropped = false
	return true
}

// drop forgets the conversation until it is needed again.
func (t *turn) drop() { t.messages, t.head, t.start, t.size, t.dropped = nil, 0, 0, 0, true }

// release is called when a step has sent what it had to.
func (t *turn) release() {
	held := 0
	for _, s := range sessions {
		if s.turn != nil {
			held += s.turn.size
		}
	}
	if held > maxHeld {
		t.drop()
	}
}

// reread asks for the conversation that was dropped.
func (t *turn) reread() error {
	t.dropped = false
	t.enter(saving, newID())
	return t.ask(nil, false)
}

// maxRecent is how many bytes of a conversation those see who contribute to its prompt.
const maxRecent = 512 << 10

// recent is the end of a conversation, as JSON: what contributors to the prompt look at. Of a message that is longer
// there is the beginning.
func recent(ms []abi.ChatMessage) (json.RawMessage, error) {
	from, room := len(ms), maxRecent
	for from > 0 {
		if room -= int(abi.EstimateTokens(ms[from-1])) * 4; room < 0 {
			break
		}
		from--
	}
	if from == len(ms) && from > 0 {
		last := ms[from-1]
		if c := &last.Content; c.Result != nil || c.Calls != nil || c.Parts != nil {
			return json.RawMessage("[]"), nil
		}
		last.Content.Text = rawjson.Clip(last.Content.Text, maxRecent/2)
		return abi.AppendMessages(nil, []abi.ChatMessage{last})
	}
	return abi.AppendMessages(nil, ms[from:])
}
