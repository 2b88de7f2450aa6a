package wasm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
)

// Engine makes instances of one loaded capsule.
type Engine struct {
	r        *Runtime
	cap      *host.Capsule
	compiled wazero.CompiledModule
	hasRun   bool
	usage    *Usage
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
	if err := e.check(); err != nil {
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

// entryPoints are the exports that the kernel calls.
var entryPoints = []string{abi.ExportHookTrigger, abi.ExportInstall, abi.ExportUpgrade, abi.ExportRun}

// check holds the module to the contract.
func (e *Engine) check() error {
	for _, f := range e.compiled.ImportedFunctions() {
		if err := e.r.checkImport(f); err != nil {
			return err
		}
	}
	for _, m := range e.compiled.ImportedMemories() {
		module, name, _ := m.Import()
		return fmt.Errorf("imports memory %s.%s: a capsule must define its own", module, name)
	}
	exports := e.compiled.ExportedFunctions()
	for _, name := range entryPoints {
		f, ok := exports[name]
		if !ok {
			continue
		}
		if !slices.Equal(f.ParamTypes(), []api.ValueType{api.ValueTypeI32}) || !slices.Equal(f.ResultTypes(), []api.ValueType{api.ValueTypeI64}) {
			return fmt.Errorf("export %s must have type (i32) -> i64", name)
		}
		e.hasRun = e.hasRun || name == abi.ExportRun
	}
	if len(e.compiled.ExportedMemories()) == 0 {
		return fmt.Errorf("exports no memory: nothing could be passed to it")
	}
	return nil
}

// checkImport refuses functions that are not part of the contract, or have another type
// there. The meter has refused modules that import yield themselves.
func (r *Runtime) checkImport(f api.FunctionDefinition) error {
	module, name, _ := f.Import()
	switch module {
	case abi.ModuleNative, abi.ModuleLink, abi.ModuleWASI:
	case abi.ModuleExtismEnv, abi.ModuleExtismUser, abi.ModuleShim:
		return fmt.Errorf("imports %s.%s: capsules of the Extism convention are not supported yet", module, name)
	default:
		return fmt.Errorf("imports %s.%s: allowed are %s, %s.%s and %s", module, name, abi.ModuleNative, abi.ModuleLink, abi.LinkTake, abi.ModuleWASI)
	}
	def, ok := r.rt.Module(module).ExportedFunctionDefinitions()[name]
	if !ok {
		return fmt.Errorf("imports %s.%s: there is no such function", module, name)
	}
	if !slices.Equal(f.ParamTypes(), def.ParamTypes()) || !slices.Equal(f.ResultTypes(), def.ResultTypes()) {
		return fmt.Errorf("imports %s.%s as %s, but it is %s", module, name, signature(f), signature(def))
	}
	return nil
}

func signature(f api.FunctionDefinition) string {
	list := func(types []api.ValueType) string {
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = api.ValueTypeName(t)
		}
		return "(" + strings.Join(names, ", ") + ")"
	}
	return list(f.ParamTypes()) + " -> " + list(f.ResultTypes())
}

// HasRun tells whether the capsule has a run loop.
func (e *Engine) HasRun() bool { return e.hasRun }

// Usage returns what the capsule's guests have used so far.
func (e *Engine) Usage() *Usage { return e.usage }

// Close drops the compiled code. Instances must be closed before.
func (e *Engine) Close(ctx context.Context) error { return e.compiled.Close(ctx) }
