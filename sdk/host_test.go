package sdk_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
)

// build compiles a guest, once in a test run.
func build(t testing.TB, dir string) []byte {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not in PATH")
	}
	once, _ := builds.LoadOrStore(dir, sync.OnceValues(func() ([]byte, error) {
		out := filepath.Join(t.TempDir(), "guest.wasm")
		cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, dir)
		cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
		if msg, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w\n%s", err, msg)
		}
		return os.ReadFile(out)
	}))
	b, err := once.(func() ([]byte, error))()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// compiled keeps machine code, so that each guest is compiled once.
var compiled = wazero.NewCompilationCache()

var builds sync.Map // directory → func() ([]byte, error)

// nativeHost is the native convention in as few lines as it takes, written from the
// contract's text and not from anybody's code.
type nativeHost struct {
	t      testing.TB
	mod    api.Module
	parked []byte
	calls  []recorded
	answer func(fn abi.Function, params []string) ([]byte, *abi.Error)
}

type recorded struct {
	fn     abi.Function
	params []string
}

func newNativeHost(t testing.TB, binary []byte) *nativeHost {
	t.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(compiled))
	t.Cleanup(func() { r.Close(ctx) })
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	h := &nativeHost{t: t}
	b := r.NewHostModuleBuilder(abi.ModuleNative)
	for fn := abi.Function(0); fn < abi.FunctionCount; fn++ {
		types := make([]api.ValueType, 2*link.Arity(fn))
		for i := range types {
			types[i] = api.ValueTypeI32
		}
		b.NewFunctionBuilder().WithGoModuleFunction(h.serve(fn), types, []api.ValueType{api.ValueTypeI64}).Export(fn.String())
	}
	if _, err := b.Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	_, err := r.NewHostModuleBuilder(abi.ModuleLink).NewFunctionBuilder().
		WithFunc(func(_ context.Context, m api.Module, ptr, limit uint32) uint32 {
			n := min(uint32(len(h.parked)), limit)
			m.Memory().Write(ptr, h.parked[:n])
			h.parked = nil
			return n
		}).Export(abi.LinkTake).Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	h.mod, err = r.InstantiateWithConfig(ctx, binary, wazero.NewModuleConfig().WithName("").
		WithStartFunctions("_initialize").WithStderr(os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *nativeHost) serve(fn abi.Function) api.GoModuleFunc {
	return func(_ context.Context, m api.Module, stack []uint64) {
		params := make([]string, link.Arity(fn))
		for i := range params {
			b, ok := m.Memory().Read(uint32(stack[2*i]), uint32(stack[2*i+1]))
			if !ok {
				h.t.Errorf("%s: parameter %d is out of bounds", fn, i)
			}
			params[i] = string(b)
		}
		h.calls = append(h.calls, recorded{fn, params})
		var out []byte
		var e *abi.Error
		if h.answer != nil {
			out, e = h.answer(fn, params)
		}
		if e != nil {
			h.parked = []byte(e.Message)
			stack[0] = uint64(e.Code)<<32 | uint64(len(h.parked))
			return
		}
		h.parked = out
		stack[0] = uint64(len(out))
	}
}

func (h *nativeHost) call(export string, input []byte) ([]byte, error) {
	h.parked = input
	res, err := h.mod.ExportedFunction(export).Call(context.Background(), uint64(len(input)))
	if err != nil {
		return nil, err
	}
	b, ok := h.mod.Memory().Read(uint32(res[0]>>32), uint32(res[0]))
	if !ok {
		h.t.Fatalf("%s: output is out of bounds", export)
	}
	return append([]byte(nil), b...), nil
}

func (h *nativeHost) trigger(action, payload string) []byte {
	h.t.Helper()
	out, err := h.call(abi.ExportHookTrigger, abi.EncodeHookInput(action, []byte(payload)))
	if err != nil {
		h.t.Fatalf("%s: %v", action, err)
	}
	return out
}
