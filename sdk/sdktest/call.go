package sdktest

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi"
	_ "github.com/unicity-astrid/astrid-go/sdk" // fills in the entry points
	"github.com/unicity-astrid/astrid-go/sdk/internal/entry"
)

// Answer is what a handler said.
type Answer struct {
	Verdict byte   // one of abi.VerdictContinue, VerdictFinal, VerdictDeny
	Payload []byte // the new payload, the answer, or the reason
}

// Denied tells whether the message was denied.
func (a Answer) Denied() bool { return a.Verdict == abi.VerdictDeny }

// JSON decodes the payload.
func (a Answer) JSON(into any) error {
	if a.Denied() {
		return fmt.Errorf("denied: %s", a.Payload)
	}
	return json.Unmarshal(a.Payload, into)
}

// Call runs the handler of an action. A string or bytes are the payload as it is, nil is
// an empty one, a tagged payload gets its tag, anything else is encoded as JSON.
func (h *Host) Call(action string, payload any) Answer {
	h.t.Helper()
	out := entry.Hook(action, h.raw(payload), nil)
	switch {
	case len(out) == 0:
		return Answer{}
	case out[0] > abi.VerdictDeny:
		h.t.Fatalf("%s: output %q does not start with a verdict", action, out)
	}
	return Answer{Verdict: out[0], Payload: out[1:]}
}

// CallTool runs a tool and returns the result that it published. args is encoded like
// the payload of [Host.Call]; nil is no arguments.
func (h *Host) CallTool(name string, args any) abi.ToolCallResult {
	h.t.Helper()
	h.nextCall++
	id := fmt.Sprintf("call-%d", h.nextCall)
	raw := h.raw(args)
	if raw == nil {
		raw = []byte("{}")
	}
	a := h.Call("tool_execute_"+name, abi.ToolExecuteRequest{CallID: id, ToolName: name, Arguments: raw})
	if a.Denied() {
		h.t.Fatalf("tool %s: %s", name, a.Payload)
	}
	for _, p := range h.Published(abi.TopicToolExecutePrefix + name + ".result") {
		var r abi.ToolExecuteResult
		if json.Unmarshal(p, &r) == nil && r.CallID == id {
			return r.Result
		}
	}
	h.t.Fatalf("tool %s published no result", name)
	return abi.ToolCallResult{}
}

// Tools returns the capsule's answer to tool_describe.
func (h *Host) Tools() abi.ToolsDescription {
	h.t.Helper()
	var d abi.ToolsDescription
	if err := h.Call("tool_describe", nil).JSON(&d); err != nil {
		h.t.Fatalf("tool_describe: %v", err)
	}
	return d
}

// Install runs the capsule's install handler.
func (h *Host) Install() error { return h.inLifecycle(entry.Install) }

// Upgrade runs the capsule's upgrade handler.
func (h *Host) Upgrade(prevVersion string) error {
	return h.inLifecycle(func() error {
		return entry.Upgrade(h.raw(map[string]string{"prev_version": prevVersion}))
	})
}

func (h *Host) inLifecycle(fn func() error) error {
	caller := h.Caller
	h.Caller, h.lifecycle = abi.Caller{}, true
	defer func() { h.Caller, h.lifecycle = caller, false }()
	return fn()
}

// RunLoop runs the capsule's run loop until it has nothing left to do: a wait that would
// have to go on for ever fails as if the capsule were being unloaded, and so does the
// hundredth empty poll in a row. The error that this makes the loop return is dropped.
func (h *Host) RunLoop() error {
	h.t.Helper()
	if entry.Run == nil {
		h.t.Fatal("the capsule has no run loop")
	}
	caller := h.Caller
	h.Caller, h.looping, h.idle = abi.Caller{}, true, 0
	defer func() { h.Caller, h.looping = caller, false }()
	if err := entry.Run(); err != nil && !errors.Is(err, abi.ErrClosed) {
		return err
	}
	return nil
}
