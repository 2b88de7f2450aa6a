// Package runloop gives a capsule a run loop.
//
// Importing it makes the module export "run", and the kernel then treats the capsule
// differently: run starts right after load and keeps the capsule's one instance for good,
// so interceptors are not called. Their messages arrive on subscriptions that the runtime
// has opened, which [Serve] polls and dispatches. A capsule without a run loop must not
// import this package.
package runloop

import (
	"errors"

	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/internal/entry"
)

// Run registers the run loop. It should return only when there is nothing left to do
// for this capsule; the kernel reports an ended run loop as a failure. Calling Run twice
// makes the loop fail.
func Run(fn func(ctx *sdk.Context) error) sdk.Registration {
	if entry.Run != nil {
		entry.Run = func() error { return errors.New("runloop.Run was called twice") }
		return sdk.Registration{}
	}
	entry.Run = func() error { return fn(&sdk.Context{}) }
	return sdk.Registration{}
}
