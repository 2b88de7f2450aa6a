package wasm

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/capsule/meter"
)

// Engine makes instances of one loaded capsule.
type Engine struct {
	r   *Runtime
	cap *host.Capsule
	contract
	usage *Usage

	needed   atomic.Int64           // when the first call came, ns since the epoch
	again    func() ([]byte, error) // the verified binary once more
	mu       sync.Mutex
	compiled wazero.CompiledModule // nil until somebody needs it
	closed   bool
}

// Load meters and compiles a verified binary for capsule c. It fails when the module
// imports anything outside the contract or exports an entry point of the wrong type.
func (r *Runtime) Load(ctx context.Context, c *host.Capsule, binary []byte) (*Engine, error) {
	e := &Engine{r: r, cap: c, usage: &Usage{}}
	compiled, err := r.build(ctx, binary)
	if err != nil {
		return nil, fmt.Errorf("capsule %s: %w", c.ID, err)
	}
	if e.contract, err = r.check(compiled); err != nil {
		_ = compiled.Close(ctx) // the module is dropped anyway
		return nil, fmt.Errorf("capsule %s: %w", c.ID, err)
	}
	e.compiled = compiled
	r.remember(binary, e.contract)
	return e, nil
}

// LoadLazily is Load, but for a binary that this version has loaded before: it is known to be good, so that its code is
// made ready only when the first instance needs it, or by Prepare. again returns the binary then, verified.
func (r *Runtime) LoadLazily(ctx context.Context, c *host.Capsule, binary []byte, again func() ([]byte, error)) (*Engine, error) {
	known, ok := r.recall(binary)
	if !ok || known.hasRun { // a run loop begins at once
		return r.Load(ctx, c, binary)
	}
	return &Engine{r: r, cap: c, contract: known, usage: &Usage{}, again: again}, nil
}

// Prepare makes the code ready, unless it is.
func (e *Engine) Prepare(ctx context.Context) error {
	_, err := e.module(ctx)
	return err
}

// module returns the code. Whoever comes first makes it ready, others wait for that.
func (e *Engine) module(ctx context.Context) (wazero.CompiledModule, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.compiled != nil {
		return e.compiled, nil
	}
	if e.closed {
		return nil, fmt.Errorf("capsule %s: %w", e.cap.ID, context.Canceled)
	}
	binary, err := e.again()
	if err == nil {
		e.compiled, err = e.r.build(Interruptible(ctx), binary)
	}
	if err != nil {
		return nil, fmt.Errorf("capsule %s: %w", e.cap.ID, err)
	}
	return e.compiled, nil
}

// build meters and compiles a binary, unless that has been done and is in the cache.
func (r *Runtime) build(ctx context.Context, binary []byte) (wazero.CompiledModule, error) {
	if r.opts.CacheDir != "" {
		if m, err := r.cached(ctx, binary); m != nil || err != nil {
			return m, err
		}
	}
	metered, err := meter.Rewrite(binary, meter.Options{})
	if err != nil {
		return nil, err
	}
	compiled, err := r.rt.CompileModule(ctx, metered)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	return compiled, nil
}

// HasRun tells whether the capsule has a run loop.
func (e *Engine) HasRun() bool { return e.hasRun }

// Exports tells whether the module has that entry point.
func (e *Engine) Exports(name string) bool { return e.entries[name] }

// NeededAt is when somebody first called the capsule, its hooks of installation aside; zero if nobody did.
func (e *Engine) NeededAt() time.Time {
	if ns := e.needed.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// Usage returns what the capsule's guests have used so far.
func (e *Engine) Usage() *Usage { return e.usage }

// Close drops the compiled code. Instances must be closed before.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	if e.compiled == nil {
		return nil
	}
	return e.compiled.Close(ctx)
}
