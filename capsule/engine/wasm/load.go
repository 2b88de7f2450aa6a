package wasm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"

	"github.com/unicity-astrid/astrid-go/abi/host"
)

// Engine makes instances of one loaded capsule.
type Engine struct {
	r        *Runtime
	cap      *host.Capsule
	compiled wazero.CompiledModule
	contract
	usage *Usage
}

// Load meters and compiles a verified binary for capsule c. It fails when the module
// imports anything outside the contract or exports an entry point of the wrong type.
func (r *Runtime) Load(ctx context.Context, c *host.Capsule, binary []byte) (*Engine, error) {
	metered, err := r.metered(binary)
	if err != nil {
		return nil, fmt.Errorf("capsule %s: %w", c.ID, err)
	}
	compiled, err := r.compile(ctx, metered)
	if err != nil {
		return nil, fmt.Errorf("capsule %s: compile: %w", c.ID, err)
	}
	e := &Engine{r: r, cap: c, compiled: compiled, usage: &Usage{}}
	if e.contract, err = r.check(compiled); err != nil {
		_ = compiled.Close(ctx) // the module is dropped anyway
		return nil, fmt.Errorf("capsule %s: %w", c.ID, err)
	}
	return e, nil
}

// compile compiles a metered module. When that fails with a cache, it is tried once more
// without what the cache holds, which may be damaged.
func (r *Runtime) compile(ctx context.Context, metered []byte) (wazero.CompiledModule, error) {
	compiled, err := r.rt.CompileModule(ctx, metered)
	if err == nil || r.opts.CacheDir == "" || !cacheFault(err) {
		return compiled, err
	}
	if derr := dropNative(r.opts.CacheDir); derr != nil {
		return nil, errors.Join(err, derr)
	}
	return r.rt.CompileModule(ctx, metered)
}

// cacheFault tells wazero's complaints about a cached file from those about a module:
// only the former come from deserialization.
func cacheFault(err error) bool {
	return strings.Contains(err.Error(), "compilationcache:")
}

// HasRun tells whether the capsule has a run loop.
func (e *Engine) HasRun() bool { return e.hasRun }

// Exports tells whether the module has that entry point.
func (e *Engine) Exports(name string) bool { return e.entries[name] }

// Usage returns what the capsule's guests have used so far.
func (e *Engine) Usage() *Usage { return e.usage }

// Close drops the compiled code. Instances must be closed before.
func (e *Engine) Close(ctx context.Context) error { return e.compiled.Close(ctx) }
