package host

import (
	"context"

	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// Call is what travels with one guest call. It is never changed after it was made.
type Call struct {
	Principal string       // on whose behalf; never empty
	Session   string       // the session it belongs to; empty outside one
	Message   *ipc.Message // what triggered it; nil for lifecycle calls and run loops
	Chain     []string     // capsule ids that wait for this call, outermost first
	Lifecycle bool         // install or upgrade: elicitation is allowed
}

// Hops is how many asynchronous messages led to the call.
func (c *Call) Hops() int {
	if c.Message == nil {
		return 0
	}
	return c.Message.Hops
}

// frame ties a call to the instance that runs it. It is the outermost context value
// while guest code runs, so that looking it up is one comparison.
type frame struct {
	inst *Instance
	call *Call
	self approval.Subject // the caller in calls that touch only its own state
}

type frameKey struct{}

// Enter returns the context to run guest code of inst with, for call.
func Enter(ctx context.Context, inst *Instance, call *Call) context.Context {
	f := &frame{inst: inst, call: call}
	f.self = f.subject(own, "")
	return context.WithValue(ctx, frameKey{}, f)
}

func frameOf(ctx context.Context) *frame {
	f, _ := ctx.Value(frameKey{}).(*frame)
	return f
}
