package build

import (
	"context"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
)

// entryPoints are the exports through which the kernel reaches a capsule.
var entryPoints = []string{abi.ExportHookTrigger, abi.ExportRun, abi.ExportInstall, abi.ExportUpgrade}

// checkModule refuses a module that would load and then never be called. What keeps it from being loaded
// (imports, types, memory) is for the engine to say, see tryRun.
func checkModule(ctx context.Context, m *capsule.Manifest, wasm []byte) error {
	// Only the structure is needed, so the engine that generates no machine code will do.
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer r.Close(ctx)
	module, err := r.CompileModule(ctx, wasm)
	if err != nil {
		return fmt.Errorf("%w: %s is not a valid module: %w", ErrProject, m.Main().File, err)
	}
	exports := module.ExportedFunctions()
	has := func(name string) bool { return exports[name] != nil }
	any := false
	for _, name := range entryPoints {
		any = any || has(name)
	}
	finding := ""
	switch {
	case has("_start") && !has("_initialize") && !has(abi.ExportHookTrigger) && !has(abi.ExportRun):
		finding = "it is a command with a _start, not a library; in Go, build with -buildmode=c-shared and //go:wasmexport; in Rust, crate-type = [\"cdylib\"]"
	case !any:
		finding = fmt.Sprintf("it exports none of %s, so it could never be called", strings.Join(entryPoints, ", "))
	case len(m.Interceptors) > 0 && !has(abi.ExportHookTrigger) && !has(abi.ExportRun):
		finding = fmt.Sprintf("the manifest has interceptors, but neither %s nor %s is exported", abi.ExportHookTrigger, abi.ExportRun)
	default:
		return nil
	}
	return fmt.Errorf("%w: the module does not fit: %s", ErrProject, finding)
}
