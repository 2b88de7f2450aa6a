package wasm

import (
	"context"
	"fmt"
	"io"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
)

const (
	// maxPoll is how many subscriptions one poll_oneoff may have: the host keeps a record of each.
	maxPoll = 4096
	// maxVectors is how many buffers one read or write may have: none of them need have a byte.
	maxVectors = 4096
	// randomPiece is how many random bytes are made before it is looked whether the call is over.
	randomPiece = 64 << 10
)

// linkWASI instantiates WASI preview 1. Fuel pays for a guest's instructions and not for what the host does for it, so each
// function's work is bounded, and a guest whose time is up ends behind it.
func linkWASI(ctx context.Context, rt wazero.Runtime, yield func(context.Context)) error {
	ctx = experimental.WithFunctionListenerFactory(ctx, wasiGuard{yield})
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, rt); err != nil {
		return fmt.Errorf("link WASI: %w", err)
	}
	return nil
}

// wasiGuard stands around each function of WASI.
type wasiGuard struct{ yield func(context.Context) }

var _ experimental.FunctionListener = wasiGuard{}

// NewFunctionListener returns the guard itself.
func (g wasiGuard) NewFunctionListener(api.FunctionDefinition) experimental.FunctionListener {
	return g
}

// Before traps what is too much for one call. No toolchain's library makes such calls.
func (g wasiGuard) Before(_ context.Context, _ api.Module, def api.FunctionDefinition, params []uint64, _ experimental.StackIterator) {
	switch name := def.Name(); name {
	case "poll_oneoff":
		limit(name, "subscriptions", params[2], maxPoll)
	case "fd_read", "fd_write", "fd_pread", "fd_pwrite", "sock_recv", "sock_send":
		limit(name, "buffers", params[2], maxVectors)
	}
}

func limit(name, what string, n uint64, most uint32) {
	if uint32(n) > most {
		panic(&host.Trap{Err: abi.Errorf(abi.CodeTooLarge, "%s: %d %s, the limit is %d", name, uint32(n), what, most)})
	}
}

// After ends a guest whose time is up.
func (g wasiGuard) After(ctx context.Context, _ api.Module, _ api.FunctionDefinition, _ []uint64) {
	if ctx.Err() != nil {
		g.yield(ctx)
	}
}

// Abort has nothing to do.
func (wasiGuard) Abort(context.Context, api.Module, api.FunctionDefinition, error) {}

// random makes random bytes as long as the call goes on.
type random struct {
	i   *Instance
	src io.Reader
}

func (r random) Read(p []byte) (int, error) {
	if r.i.ctx.Err() != nil {
		return 0, context.Cause(r.i.ctx)
	}
	return r.src.Read(p[:min(len(p), randomPiece)])
}
