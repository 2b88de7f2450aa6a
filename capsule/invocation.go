package capsule

import (
	"slices"

	"github.com/unicity-astrid/astrid-go/ipc"
)

// Invocation is one call of a guest, with all that travels with it. It is not changed
// after it was made.
type Invocation struct {
	Export  string // "" is astrid_hook_trigger
	Action  string // name of the handler
	Payload []byte // JSON for handlers; shared, not to be changed
	// Message is what the call is about: the message of an event, or a message made up for a
	// hook, which never was on the bus. It is nil for lifecycle calls.
	Message   *ipc.Message
	Principal string
	Session   string
	// Chain lists the capsules that wait for this call, outermost first. It is empty for
	// a handler of an asynchronous message: nobody waits for that.
	Chain []string
}

// Caller is who asks for a synchronous call, and on whose behalf.
type Caller struct {
	Capsule   string // capsule id, or ipc.SourceKernel
	SourceID  string // UUID of its load
	Principal string
	Session   string
	Chain     []string // capsules that wait for the caller, outermost first
	Hops      int      // of the message the caller handles
}

// waiting is the chain for what c calls.
func (c Caller) waiting() []string { return extend(c.Chain, c.Capsule) }

// extend returns chain with id at its end, without touching chain. The kernel and clients
// are not capsules: nothing can call back into them.
func extend(chain []string, id string) []string {
	if id == "" || id == ipc.SourceKernel || id == ipc.SourceClient {
		return chain
	}
	return append(slices.Clip(chain), id)
}
