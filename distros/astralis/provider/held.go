package provider

import "github.com/unicity-astrid/astrid-go/abi"

// held is what has come and was not published yet: pieces that are here at the same time become one event. When nothing more is
// here it is published before anybody waits, so that no piece is later for it; and a server that speaks faster than the rest of
// the system takes costs less.
type held struct {
	kind kind
	id   string // of the call
	text []byte
}

type kind uint8

const (
	text kind = iota
	reasoning
	arguments
)

// maxHeld bounds a held piece, in bytes.
const maxHeld = 16 << 10

func (c *Call) hold(k kind, id, s string) error {
	if s == "" {
		return nil
	}
	c.said += len(s)
	if h := &c.held; h.kind != k || h.id != id || len(h.text)+len(s) > maxHeld {
		if err := c.flush(); err != nil {
			return err
		}
	}
	c.held.kind, c.held.id, c.held.text = k, id, append(c.held.text, s...)
	return nil
}

// flush publishes what is held.
func (c *Call) flush() error {
	if len(c.held.text) == 0 {
		return nil
	}
	s := string(c.held.text)
	c.held.text = c.held.text[:0]
	switch c.held.kind {
	case reasoning:
		return c.send(abi.StreamEvent{ReasoningDelta: &s})
	case arguments:
		return c.send(abi.StreamEvent{ToolCallDelta: &abi.ToolCallDelta{ID: c.held.id, ArgsDelta: s}})
	}
	return c.send(abi.StreamEvent{TextDelta: &s})
}
