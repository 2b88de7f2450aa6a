package wasm

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/zeebo/blake3"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/capsule/meter"
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
	compiled, err := r.rt.CompileModule(ctx, metered)
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

// metered returns the rewritten binary, from the cache if it is there.
func (r *Runtime) metered(binary []byte) ([]byte, error) {
	if r.opts.CacheDir == "" {
		return meter.Rewrite(binary, meter.Options{})
	}
	sum := blake3.Sum256(binary)
	dir := filepath.Join(r.opts.CacheDir, "metered")
	path := filepath.Join(dir, hex.EncodeToString(sum[:])+"-"+meter.Version+".wasm")
	if b, err := os.ReadFile(path); err == nil {
		return b, nil
	}
	out, err := meter.Rewrite(binary, meter.Options{})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("compile cache: %w", err)
	}
	tmp, err := os.CreateTemp(dir, "new-*")
	if err != nil {
		return nil, fmt.Errorf("compile cache: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(out)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return nil, fmt.Errorf("compile cache: %w", err)
	}
	return out, nil
}

// check holds the module to the contract.
func (e *Engine) check() error {
	for _, f := range e.compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		if err := checkImport(module, name); err != nil {
			return err
		}
	}
	for _, m := range e.compiled.ImportedMemories() {
		module, name, _ := m.Import()
		return fmt.Errorf("imports memory %s.%s: a capsule must define its own", module, name)
	}
	exports := e.compiled.ExportedFunctions()
	for _, name := range []string{abi.ExportHookTrigger, abi.ExportInstall, abi.ExportUpgrade, abi.ExportRun} {
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

func checkImport(module, name string) error {
	known := false
	switch module {
	case abi.ModuleNative:
		_, known = abi.FunctionByName(name)
	case abi.ModuleLink:
		// The meter refuses modules that import yield themselves.
		known = name == abi.LinkTake || name == abi.LinkYield
	case abi.ModuleWASI:
		known = true // wazero refuses the names it does not have when it instantiates
	case abi.ModuleExtismEnv, abi.ModuleExtismUser, abi.ModuleShim:
		return fmt.Errorf("imports %s.%s: capsules of the Extism convention are not supported yet", module, name)
	}
	if !known {
		return fmt.Errorf("imports %s.%s: allowed are %s", module, name, strings.Join([]string{abi.ModuleNative, abi.ModuleLink + "." + abi.LinkTake, abi.ModuleWASI}, ", "))
	}
	return nil
}

// HasRun tells whether the capsule has a run loop.
func (e *Engine) HasRun() bool { return e.hasRun }

// Usage returns what the capsule's guests have used so far.
func (e *Engine) Usage() *Usage { return e.usage }

// Close drops the compiled code. Instances must be closed before.
func (e *Engine) Close(ctx context.Context) error { return e.compiled.Close(ctx) }
