package host

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
)

// extismGuest makes exactly the calls that the test wants, in the Extism convention.
type extismGuest struct {
	t    testing.TB
	inst *Instance
	mod  api.Module
	call *Call
}

const extismLimit = 64 << 20

func (r *rig) extismGuest(c *Capsule) *extismGuest {
	r.t.Helper()
	inst, err := r.host.NewInstance(c, false)
	must(r.t, err)
	inst.UseExtism(extismLimit)
	r.t.Cleanup(inst.Close)
	var imports []hosttest.Import
	for name, fn := range extismEnv {
		imports = append(imports, hosttest.Env(name, fn.params, fn.results))
	}
	for fn := range abi.FunctionCount {
		imports = append(imports, hosttest.Extism(fn, len(r.host.table[fn].params), extismReturns[fn] != returnsNothing))
	}
	for name, def := range r.rt.Module(abi.ModuleShim).ExportedFunctionDefinitions() {
		imports = append(imports, hosttest.Import{Module: abi.ModuleShim, Name: name, Params: def.ParamTypes(), Results: def.ResultTypes()})
	}
	m, err := r.rt.InstantiateWithConfig(context.Background(), hosttest.Forward(1, imports...), wazero.NewModuleConfig().WithName(""))
	must(r.t, err)
	must(r.t, inst.ExtismInput(nil, m.Memory().Size()))
	return &extismGuest{t: r.t, inst: inst, mod: m, call: &Call{Principal: "default", Session: "s1"}}
}

// raw calls an import; a trap is the error.
func (g *extismGuest) raw(name string, words ...uint64) (uint64, error) {
	g.t.Helper()
	out, err := g.mod.ExportedFunction(name).Call(Enter(context.Background(), g.inst, g.call), words...)
	if err != nil || len(out) == 0 {
		return 0, err
	}
	return out[0], nil
}

// must calls an import that does not trap.
func (g *extismGuest) must(name string, words ...uint64) uint64 {
	g.t.Helper()
	w, err := g.raw(name, words...)
	must(g.t, err)
	return w
}

// give puts a parameter into a block as a PDK does.
func (g *extismGuest) give(s string) uint64 {
	off := g.must("alloc", uint64(len(s)))
	i := 0
	for ; i+8 <= len(s); i += 8 {
		g.must("store_u64", off+uint64(i), binary.LittleEndian.Uint64([]byte(s[i:])))
	}
	for ; i < len(s); i++ {
		g.must("store_u8", off+uint64(i), uint64(s[i]))
	}
	return off
}

// read copies a block out as a PDK does.
func (g *extismGuest) read(off uint64) []byte {
	b := make([]byte, g.must("length", off))
	i := 0
	for ; i+8 <= len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], g.must("load_u64", off+uint64(i)))
	}
	for ; i < len(b); i++ {
		b[i] = byte(g.must("load_u8", off+uint64(i)))
	}
	return b
}

// do calls a host function as SDK 0.5.3 does: a block for each parameter, freed afterwards; the result
// is read and never freed, its status byte taken off. A trap is a *Trap.
func (g *extismGuest) do(fn abi.Function, params ...string) (string, error) {
	g.t.Helper()
	offs := make([]uint64, len(params))
	for i, p := range params {
		offs[i] = g.give(p)
	}
	res, err := g.raw(fn.String(), offs...)
	for _, off := range offs {
		g.must("free", off)
	}
	if err != nil {
		var trap *Trap
		if !errors.As(err, &trap) {
			g.t.Fatalf("%s trapped: %v", fn, err)
		}
		return "", trap
	}
	if extismReturns[fn] == returnsNothing {
		return "", nil
	}
	b := g.read(res)
	if extismReturns[fn] == returnsStatus {
		if len(b) == 0 || b[0] > 1 {
			g.t.Fatalf("%s: %q has no status byte", fn, b)
		}
		if b[0] == 1 {
			return "", errors.New(string(b[1:]))
		}
		b = b[1:]
	}
	return string(b), nil
}
