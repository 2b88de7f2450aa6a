package sdk

import (
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
	"github.com/unicity-astrid/astrid-go/sdk/log"
)

// Context belongs to one call of a handler. There is no deadline in it: the host ends
// a call that takes too long, wherever it is.
type Context struct {
	action string
	callID string
	caller *abi.Caller
}

// Action is the name under which the handler was called.
func (c *Context) Action() string { return c.action }

// CallID is the id of the tool call being answered, empty outside tools.
func (c *Context) CallID() string { return c.callID }

// Caller says who sent the message that is being handled. All fields are empty in a run
// loop and in lifecycle handlers, and all but the last in answers to a hook. The host is
// asked once per call.
func (c *Context) Caller() abi.Caller {
	if c.caller == nil {
		c.caller = &abi.Caller{}
		if b, err := link.Call(abi.GetCaller); err == nil && len(b) > 0 {
			// Fields the host does not know are empty; there is nothing else to tell.
			_ = json.Unmarshal(b, c.caller)
		}
	}
	return *c.caller
}

// Principal is the identity the call acts for, empty when there is no caller.
func (c *Context) Principal() string { return c.Caller().Principal }

// Session is the session the message belongs to, if any.
func (c *Context) Session() string { return c.Caller().SessionID }

// Source is the UUID of the capsule load that published the message.
func (c *Context) Source() string { return c.Caller().SourceID }

// Debug logs msg with key-value pairs.
func (c *Context) Debug(msg string, kv ...any) { log.Debug(msg, kv...) }

// Info logs msg with key-value pairs.
func (c *Context) Info(msg string, kv ...any) { log.Info(msg, kv...) }

// Warn logs msg with key-value pairs.
func (c *Context) Warn(msg string, kv ...any) { log.Warn(msg, kv...) }

// Error logs msg with key-value pairs.
func (c *Context) Error(msg string, kv ...any) { log.Error(msg, kv...) }
