package build

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
)

// convention is how host and guest pass data.
type convention string

const (
	unused convention = ""       // it imports no host function at all
	native convention = "astrid" // the imports of abi.ModuleNative
	extism convention = "extism" // those of any Extism PDK
)

// entryPoints are the exports through which the kernel reaches a capsule.
var entryPoints = []string{abi.ExportHookTrigger, abi.ExportRun, abi.ExportInstall, abi.ExportUpgrade}

// checkModule refuses a module that could be installed and would then not load or never be called. All
// findings are reported together.
func checkModule(ctx context.Context, m *capsule.Manifest, wasm []byte) error {
	// Only the structure is needed, so the engine that generates no machine code will do.
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer r.Close(ctx)
	module, err := r.CompileModule(ctx, wasm)
	if err != nil {
		return fmt.Errorf("%w: %s is not a valid module: %w", ErrProject, m.Main().File, err)
	}
	c := &moduleCheck{manifest: m}
	c.imports(module)
	c.memory(module)
	c.exports(module.ExportedFunctions())
	if len(c.findings) == 0 {
		return nil
	}
	return fmt.Errorf("%w: the module does not fit:\n  %s", ErrProject, strings.Join(c.findings, "\n  "))
}

type moduleCheck struct {
	manifest   *capsule.Manifest
	convention convention
	findings   []string
}

func (c *moduleCheck) add(format string, args ...any) {
	c.findings = append(c.findings, fmt.Sprintf(format, args...))
}

func (c *moduleCheck) imports(module wazero.CompiledModule) {
	unknown := map[string][]string{}
	for _, f := range module.ImportedFunctions() {
		moduleName, name, _ := f.Import()
		switch moduleName {
		case abi.ModuleNative, abi.ModuleLink:
			c.use(native)
		case abi.ModuleExtismEnv, abi.ModuleExtismUser:
			c.use(extism)
		}
		if !provided(moduleName, name) {
			unknown[moduleName] = append(unknown[moduleName], name)
		}
	}
	modules := make([]string, 0, len(unknown))
	for name := range unknown {
		modules = append(modules, name)
	}
	sort.Strings(modules)
	for _, name := range modules {
		c.add("it imports what the host does not have: %s from %q", strings.Join(unknown[name], ", "), name)
	}
}

func (c *moduleCheck) use(v convention) {
	if c.convention != unused && c.convention != v {
		if !strings.HasPrefix(strings.Join(c.findings, "\n"), "it mixes") {
			c.findings = append([]string{"it mixes the native and the Extism convention"}, c.findings...)
		}
		return
	}
	c.convention = v
}

// provided reports whether the host offers an import.
func provided(module, name string) bool {
	switch module {
	case abi.ModuleNative, abi.ModuleExtismUser:
		_, ok := abi.FunctionByName(name)
		return ok
	case abi.ModuleLink:
		return name == abi.LinkTake
	case abi.ModuleExtismEnv, abi.ModuleWASI:
		return true
	}
	return false
}

func (c *moduleCheck) memory(module wazero.CompiledModule) {
	if len(module.ImportedMemories()) > 0 {
		c.add("it imports its memory; it must define and export it")
		return
	}
	memory, ok := module.ExportedMemories()["memory"]
	if !ok {
		c.add("it does not export its memory under the name \"memory\"")
		return
	}
	if memory.Min() > abi.MaxMemoryPages {
		c.add("it starts with %d MiB of memory; an instance may have %d", memory.Min()/16, abi.MaxMemoryPages/16)
	}
}

func (c *moduleCheck) exports(exports map[string]api.FunctionDefinition) {
	has := func(name string) bool { return exports[name] != nil }
	if has("_start") && !has("_initialize") && !has(abi.ExportHookTrigger) && !has(abi.ExportRun) {
		c.add("it is a command with a _start, not a library; in Go, build with -buildmode=c-shared and //go:wasmexport")
		return
	}
	any := false
	for _, name := range entryPoints {
		any = any || has(name)
	}
	switch {
	case !any:
		c.add("it exports none of %s, so it could never be called", strings.Join(entryPoints, ", "))
	case len(c.manifest.Interceptors) > 0 && !has(abi.ExportHookTrigger) && !has(abi.ExportRun):
		c.add("the manifest has interceptors, but neither %s nor %s is exported", abi.ExportHookTrigger, abi.ExportRun)
	}
	for _, name := range entryPoints {
		if name != abi.ExportRun && has(name) {
			c.signature(name, exports[name])
		}
	}
}

// signature compares an entry point with its convention: (i32) -> i64 natively, () -> i32 in Extism.
func (c *moduleCheck) signature(name string, f api.FunctionDefinition) {
	have := signatureText(f.ParamTypes(), f.ResultTypes())
	want := map[convention]string{native: "(i32) -> (i64)", extism: "() -> (i32)"}[c.convention]
	if c.convention != unused && have != want {
		c.add("%s has type %s, the %s convention wants %s", name, have, c.convention, want)
	}
}

func signatureText(params, results []api.ValueType) string {
	text := func(types []api.ValueType) string {
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = api.ValueTypeName(t)
		}
		return "(" + strings.Join(names, ", ") + ")"
	}
	return text(params) + " -> " + text(results)
}
