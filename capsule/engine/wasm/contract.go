package wasm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/capsule/meter"
)

// contract is how a module wants to be run.
type contract struct {
	hasRun  bool
	entries map[string]bool // the entry points it has
	extism  bool            // which of the two calling conventions
	init    []string        // what is run once, before the first call
	hsInit  bool            // and then Haskell's start of its own runtime
}

// entryPoints are the exports that the kernel calls.
var entryPoints = []string{abi.ExportHookTrigger, abi.ExportInstall, abi.ExportUpgrade, abi.ExportRun}

// Check refuses a binary that [Runtime.Load] would refuse for what it imports, exports or is. It makes no
// machine code, so it is quick enough for asking before an installation.
func Check(ctx context.Context, binary []byte) error {
	// The meter's limits hold first: they bound what everything after it can cost.
	metered, err := meter.Rewrite(binary, meter.Options{})
	if err != nil {
		return err
	}
	r := &Runtime{host: host.New(host.Services{})}
	r.rt = wazero.NewRuntimeWithConfig(ctx, features(wazero.NewRuntimeConfigInterpreter()))
	defer r.rt.Close(ctx)
	if err := r.link(ctx); err != nil {
		return err
	}
	compiled, err := r.rt.CompileModule(ctx, metered)
	if err != nil {
		return fmt.Errorf("it is not valid: %w", err)
	}
	_, err = r.check(compiled)
	return err
}

// check holds the module to the contract.
func (r *Runtime) check(m wazero.CompiledModule) (contract, error) {
	c := contract{entries: make(map[string]bool)}
	native, err := r.checkImports(m, &c)
	if err != nil {
		return c, err
	}
	if native != "" && c.extism {
		return c, fmt.Errorf("imports %s beside the modules of the Extism convention: a capsule uses one or the other", native)
	}
	for _, mem := range m.ImportedMemories() {
		module, name, _ := mem.Import()
		return c, fmt.Errorf("imports memory %s.%s: a capsule must define its own", module, name)
	}
	exports := m.ExportedFunctions()
	for _, name := range entryPoints {
		f, ok := exports[name]
		if !ok {
			continue
		}
		c.hasRun, c.entries[name] = c.hasRun || name == abi.ExportRun, true
		switch {
		case c.extism && !isEntry(f, nil, nil) && !isEntry(f, nil, i32):
			return c, fmt.Errorf("export %s must have type () -> i32 or () -> ()", name)
		case !c.extism && !isEntry(f, i32, i64):
			return c, fmt.Errorf("export %s must have type (i32) -> i64", name)
		}
	}
	if c.extism {
		c.starts(exports)
		return c, nil
	}
	c.init = []string{"_initialize"}
	if len(m.ExportedMemories()) == 0 {
		return c, errors.New("exports no memory: nothing could be passed to it")
	}
	return c, nil
}

var (
	i32 = []api.ValueType{api.ValueTypeI32}
	i64 = []api.ValueType{api.ValueTypeI64}
)

func isEntry(f api.FunctionDefinition, params, results []api.ValueType) bool {
	return slices.Equal(f.ParamTypes(), params) && slices.Equal(f.ResultTypes(), results)
}

// starts finds what a module of the Extism convention wants run first. A function of another type is some
// other function. What is called _start is a command's main program, which is never run.
func (c *contract) starts(exports map[string]api.FunctionDefinition) {
	for _, name := range []string{"__wasm_call_ctors", "_initialize"} {
		if f, ok := exports[name]; ok && isEntry(f, nil, nil) {
			c.init = []string{name}
			break
		}
	}
	if f, ok := exports["hs_init"]; ok && isEntry(f, []api.ValueType{api.ValueTypeI32, api.ValueTypeI32}, nil) {
		c.hsInit = true
	}
}

// checkImports refuses what the host does not offer, all of it at once. It returns the name of a
// function of the native convention, if there is one among the imports.
func (r *Runtime) checkImports(m wazero.CompiledModule, c *contract) (native string, err error) {
	var refused []string
	for _, f := range m.ImportedFunctions() {
		module, name, _ := f.Import()
		full := printable(module) + "." + printable(name)
		switch {
		case module == abi.ModuleLink && name == abi.LinkYield: // the meter's: it has refused the guest's own
			continue
		case module == abi.ModuleNative || module == abi.ModuleLink:
			native = full
		case module == abi.ModuleExtismEnv || module == abi.ModuleExtismUser || module == abi.ModuleShim:
			c.extism = true
		case module != abi.ModuleWASI:
			refused = append(refused, full+" (no such module)")
			continue
		}
		def, ok := r.rt.Module(module).ExportedFunctionDefinitions()[name]
		switch {
		case !ok:
			refused = append(refused, full+" (no such function)")
		case !isEntry(f, def.ParamTypes(), def.ResultTypes()):
			refused = append(refused, fmt.Sprintf("%s as %s (it is %s)", full, signature(f), signature(def)))
		}
	}
	if len(refused) == 0 {
		return native, nil
	}
	offers := r.offers(refused)
	if n := len(refused) - maxRefused; n > 0 {
		refused = append(refused[:maxRefused], fmt.Sprintf("and %d more", n))
	}
	return "", fmt.Errorf("imports %s: the host does not offer that. %s", strings.Join(refused, ", "), offers)
}

// maxRefused is how many refused imports an error names.
const maxRefused = 10

// printable is a name as it may stand in an error: whoever made the module chose it.
func printable(name string) string {
	if len(name) > 100 {
		name = name[:100] + "..."
	}
	if q := strconv.Quote(name); q != `"`+name+`"` {
		return q
	}
	return name
}

// offers says what could have been imported from the modules of the refused imports, and which modules there are.
func (r *Runtime) offers(refused []string) string {
	var b strings.Builder
	for _, module := range modules {
		if !slices.ContainsFunc(refused, func(s string) bool { return strings.HasPrefix(s, module+".") }) {
			continue
		}
		names := slices.Sorted(maps.Keys(r.rt.Module(module).ExportedFunctionDefinitions()))
		names = slices.DeleteFunc(names, func(n string) bool { return module == abi.ModuleLink && n == abi.LinkYield })
		fmt.Fprintf(&b, "%s has %s. ", module, strings.Join(names, ", "))
	}
	fmt.Fprintf(&b, "Modules: %s", strings.Join(modules, ", "))
	return b.String()
}

// modules are all that a capsule may import from.
var modules = []string{abi.ModuleNative, abi.ModuleLink, abi.ModuleExtismEnv, abi.ModuleExtismUser, abi.ModuleShim, abi.ModuleWASI}

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
