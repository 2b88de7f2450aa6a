package capsule

import (
	"context"
	"errors"
)

// Errors of engines and instances.
var (
	// ErrInstanceDead is wrapped by an error of [Instance.Call] after which the instance
	// must be discarded: a trap, a timeout, a limit. Its memory may be half-updated.
	ErrInstanceDead = errors.New("instance is dead")
	// ErrNoExport is wrapped by an error of [Instance.Call] for an export that the guest lacks.
	ErrNoExport = errors.New("guest has no such export")
)

// Engine makes instances of one loaded capsule. It is safe for concurrent use.
type Engine interface {
	// Instantiate makes an instance that is ready for calls.
	Instantiate(ctx context.Context) (Instance, error)
	// HasRun reports whether the capsule is a run loop: its one instance runs Run, and its
	// interceptors reach it as subscriptions that Instantiate opened.
	HasRun() bool
	// Close releases the engine. All instances were closed before.
	Close(ctx context.Context) error
}

// Instance runs one call at a time. Calls must not overlap, nor overlap with Close.
type Instance interface {
	// Call runs one export and returns its output, which the caller owns. It returns soon
	// after ctx is done.
	Call(ctx context.Context, in *Invocation) ([]byte, error)
	// Run runs the capsule's run loop until it returns or ctx is done.
	Run(ctx context.Context) error
	Close(ctx context.Context) error
}
