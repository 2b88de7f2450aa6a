package provider

import (
	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

// Call is one request on its way to its answer. Its methods publish the events of the
// stream; an error of theirs must be returned as it is.
type Call struct {
	*sdk.Context
	abi.LlmRequest
	Use   Model // the model that is asked
	Tools Names // of the request's tools, as the vendor takes them
	Kept  Rounds

	p      *Provider
	key    string
	cancel *ipc.Subscription

	calls  []*toolCall
	usage  *abi.Usage // as last reported
	reason string
	said   int // bytes handed on
	sent   int // events published
	held   held
}

type toolCall struct {
	id   string
	over bool
}

// emit publishes an event, after what is held.
func (c *Call) emit(e abi.StreamEvent) error {
	if err := c.flush(); err != nil {
		return err
	}
	return c.send(e)
}

func (c *Call) send(e abi.StreamEvent) error {
	c.sent++
	if err := c.p.publish(abi.LlmStreamEvent{RequestID: c.RequestID, Event: e}); err != nil {
		return &publishError{err}
	}
	return nil
}

// Text hands on a piece of the answer.
func (c *Call) Text(s string) error {
	return c.hold(text, "", s)
}

// Reasoning hands on a piece of what the model thinks.
func (c *Call) Reasoning(s string) error {
	return c.hold(reasoning, "", s)
}

// Start opens a tool call. name is the vendor's.
func (c *Call) Start(id, name string) error {
	c.calls = append(c.calls, &toolCall{id: id})
	return c.emit(abi.StreamEvent{ToolCallStart: &abi.ToolCallStart{ID: id, Name: c.Tools.Back(name)}})
}

// Args hands on a piece of a call's arguments.
func (c *Call) Args(id, s string) error {
	return c.hold(arguments, id, s)
}

// End closes a call; those that are open at the end of the answer are closed then.
func (c *Call) End(id string) error {
	for i := len(c.calls) - 1; i >= 0; i-- { // the newest, if ids repeat
		if t := c.calls[i]; t.id == id && !t.over {
			t.over = true
			return c.emit(abi.StreamEvent{ToolCallEnd: &abi.ToolCallEnd{ID: id}})
		}
	}
	return nil
}

func (c *Call) closeCalls() error {
	for _, t := range c.calls {
		if !t.over {
			t.over = true
			if err := c.emit(abi.StreamEvent{ToolCallEnd: &abi.ToolCallEnd{ID: t.id}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Said is the number of bytes of text, reasoning and arguments so far.
func (c *Call) Said() int { return c.said }

// Calls is the number of tool calls so far.
func (c *Call) Calls() int { return len(c.calls) }

// Open tells whether a tool call has begun and not ended.
func (c *Call) Open() bool {
	for _, t := range c.calls {
		if !t.over {
			return true
		}
	}
	return false
}

// Count notes what has been used so far, for the settlement, without telling anybody.
func (c *Call) Count(u abi.Usage) {
	u.CostUSD = c.Use.Cost(u)
	c.usage = &u
}

// Usage hands on what has been used. A vendor may report several times: the last one counts.
func (c *Call) Usage(u abi.Usage) error {
	c.Count(u)
	return c.emit(abi.StreamEvent{Usage: c.usage})
}

// Stop notes why the model stopped; see the Reason constants of package abi.
func (c *Call) Stop(reason string) { c.reason = reason }

func (c *Call) stopReason() string {
	if c.reason == "" && len(c.calls) > 0 {
		return abi.ReasonToolUse
	}
	return c.reason
}
