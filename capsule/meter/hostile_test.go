package meter

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
)

var errDeadline = errors.New("deadline")

func repeat(n int, code ...any) []byte { return bytes.Repeat(b(code...), n) }

// hostile are modules that would keep a host busy for minutes or for ever. Each
// exports run, or hangs while it is instantiated.
var hostile = []struct {
	name string
	mod  wasm
}{
	{"exponential recursion", wasm{start: -1, funcs: []fn{{
		params: []byte{i32}, export: "run",
		code: b(0x20, 0, 0x45, 0x04, 0x40, 0x0f, 0x0b, // if n == 0 return
			repeat(2, 0x20, 0, 0x41, 1, 0x6b, 0x10, u(0))), // f(n-1) twice
	}}}},
	{"recursion through a table", wasm{start: -1,
		raw: map[byte][]byte{secTable: b(1, 0x70, 0, 1), secElement: b(1, 0, 0x41, 0, 0x0b, 1, 0)},
		funcs: []fn{{params: []byte{i32}, export: "run",
			code: b(0x20, 0, 0x45, 0x04, 0x40, 0x0f, 0x0b,
				repeat(2, 0x20, 0, 0x41, 1, 0x6b, 0x41, 0, 0x11, u(1), u(0))),
		}}}},
	{"fill in straight line", wasm{start: -1, raw: map[byte][]byte{secMemory: oneMemory(1024)},
		funcs: []fn{{params: []byte{i32}, export: "run",
			code: repeat(3_000, 0x41, 0, 0x20, 0, 0x41, s(1024<<16-1), 0xfc, 0x0b, 0)}}}},
	{"copy in straight line", wasm{start: -1, raw: map[byte][]byte{secMemory: oneMemory(1024)},
		funcs: []fn{{params: []byte{i32}, export: "run",
			code: repeat(3_000, 0x41, 0, 0x41, s(32<<20), 0x41, s(32<<20), 0xfc, 0x0a, 0, 0)}}}},
	{"table fill in straight line", wasm{start: -1, raw: map[byte][]byte{secTable: b(1, 0x70, 0, u(1<<18))},
		funcs: []fn{{params: []byte{i32}, export: "run",
			code: repeat(12_000, 0x41, 0, 0xd0, 0x70, 0x41, s(1<<18), 0xfc, 0x11, 0)}}}},
	{"grow and grow", wasm{start: -1, raw: map[byte][]byte{secMemory: oneMemory(1), secTable: b(1, 0x70, 0, 0)},
		funcs: []fn{{params: []byte{i32}, export: "run",
			code: b(0x03, 0x40, 0x41, 1, 0x40, 0, 0x1a, 0xd0, 0x70, 0x41, 1, 0xfc, 0x0f, 0, 0x1a, 0x0c, 0, 0x0b)}}}},
	{"loop in start", wasm{start: 0, funcs: []fn{{code: b(0x03, 0x40, 0x0c, 0, 0x0b)}}}},
	{"loop in _initialize", wasm{start: -1, funcs: []fn{{export: "_initialize", code: b(0x03, 0x40, 0x0c, 0, 0x0b)}}}},
	{"10,000 functions", wasm{start: -1, funcs: manyFuncs(10_000)}},
	{"huge br_table", wasm{start: -1, funcs: []fn{{params: []byte{i32}, export: "run",
		code: b(0x03, 0x40, 0x20, 0, 0x0e, u(60_000), repeat(60_000, 0), 0, 0x0b)}}}},
	{"deep nesting", wasm{start: -1, funcs: []fn{{params: []byte{i32}, export: "run",
		code: b(0x03, 0x40, repeat(5_000, 0x02, 0x40), 0x0c, u(5_000), repeat(5_000, 0x0b), 0x0b)}}}},
	{"nested loops", wasm{start: -1, funcs: []fn{{params: []byte{i32}, export: "run",
		code: b(repeat(500, 0x03, 0x40), 0x20, 0, 0x0e, u(500), seq(500), 0, repeat(500, 0x0b))}}}},
	{"tail call to itself", wasm{start: -1, funcs: []fn{{params: []byte{i32}, export: "run",
		code: b(0x20, 0, 0x12, 0)}}}},
	{"catch all", wasm{start: -1, funcs: []fn{{params: []byte{i32}, export: "run",
		// loop: try { loop forever } catch_all: again
		code: b(0x03, 0x40, 0x02, 0x40, 0x1f, 0x40, 1, 2, 0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b, 0x0b, 0x0c, 0, 0x0b)}}}},
	{"work while unwinding", wasm{start: -1, raw: map[byte][]byte{secMemory: oneMemory(1)}, funcs: []fn{
		{params: []byte{i32}, code: b(0x20, 0, 0x45, 0x04, 0x40, 0x0f, 0x0b,
			0x20, 0, 0x41, 1, 0x6b, 0x10, 0, repeat(400, 0x20, 0, 0x20, 0, 0x6d, 0x1a))},
		{params: []byte{i32}, export: "run", code: b(0x03, 0x40, 0x41, s(200_000), 0x10, 0, 0x0c, 0, 0x0b)}}}},
	{"leaves only", wasm{start: -1, funcs: []fn{
		{params: []byte{i32}, code: repeat(2, 0x20, 0, 0x1a)},
		{params: []byte{i32}, code: b(repeat(20_000, 0x20, 0, 0x10, 0))},
		{params: []byte{i32}, export: "run", code: b(0x03, 0x40, 0x20, 0, 0x10, 1, 0x0c, 0, 0x0b)}}}},
	{"cache misses", wasm{start: -1, raw: map[byte][]byte{secMemory: oneMemory(1024)},
		funcs: []fn{{params: []byte{i32}, export: "run", code: b(0x03, 0x40, // p = (p*a + c + load p) mod 64 MiB
			repeat(20, 0x20, 0, 0x41, s(1664525), 0x6c, 0x41, s(1013904223), 0x6a,
				0x20, 0, 0x41, s(1<<26-4), 0x71, 0x28, 2, 0, 0x6a, 0x21, 0), 0x0c, 0, 0x0b)}}}},
	{"denormals", wasm{start: -1, funcs: []fn{{params: []byte{i32}, locals: b(1, 1, f64), export: "run",
		code: b(0x44, repeat(6, 1), 0, 0, 0x21, 1, 0x03, 0x40,
			repeat(20, 0x20, 1, 0x44, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0xa2, 0x21, 1), 0x0c, 0, 0x0b)}}}},
	{"division", wasm{start: -1, funcs: []fn{{params: []byte{i32}, locals: b(1, 1, i64), export: "run",
		code: b(0x03, 0x40, repeat(20, 0x42, 0x7e, 0x20, 1, 0x42, 3, 0x84, 0x80, 0x21, 1), 0x0c, 0, 0x0b)}}}},
}

func seq(n int) []byte {
	var out []byte
	for i := range n {
		out = appendU32(out, uint32(i))
	}
	return out
}

// manyFuncs: each function calls the next two times.
func manyFuncs(n int) []fn {
	fs := make([]fn, n)
	for i := range fs {
		next := min(i+1, n-1)
		fs[i] = fn{params: []byte{i32}, code: repeat(2, 0x20, 0, 0x10, u(next))}
	}
	fs[0].export = "run"
	fs[n-1].code = b(0x20, 0, 0x1a)
	return fs
}

// overrun runs a module whose yield panics from deadline on, and returns how
// long after the deadline it ended.
func overrun(t *testing.T, bin []byte, opts Options, allowed time.Duration) time.Duration {
	t.Helper()
	var deadline time.Time
	cfg := wazero.NewRuntimeConfigCompiler().WithCoreFeatures(allFeatures).WithMemoryLimitPages(1024)
	rt := newRuntime(t, cfg, func(context.Context) {
		if time.Now().After(deadline) {
			panic(errDeadline)
		}
	})
	ctx := context.Background()
	out, err := Rewrite(bin, opts)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := rt.CompileModule(ctx, out)
	if err != nil {
		t.Fatal(err)
	}
	deadline = time.Now().Add(allowed)
	mod, err := rt.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err == nil {
		_, err = mod.ExportedFunction("run").Call(ctx, 1000)
	}
	if !errors.Is(err, errDeadline) {
		t.Fatalf("ended with %v", err)
	}
	return time.Since(deadline)
}

func TestHostile(t *testing.T) {
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			bin := h.mod.bytes()
			late := time.Hour
			// The machine may stall us; the guest cannot be late by chance.
			for try := 0; try < 3 && late > 100*time.Millisecond; try++ {
				late = min(late, overrun(t, bin, Options{}, 20*time.Millisecond))
			}
			t.Logf("%v after the deadline", late)
			if late > 100*time.Millisecond {
				t.Errorf("ended %v after the deadline", late)
			}
		})
	}
}

// TestQuantumTime measures how long a quantum takes, for the costs in cost.go.
// It averages over 20 and takes the best, since other load only makes it longer.
// What it allows is a factor of ten for slow machines, and one bulk operation.
func TestQuantumTime(t *testing.T) {
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			shortest := time.Hour
			cfg := wazero.NewRuntimeConfigCompiler().WithCoreFeatures(allFeatures).WithMemoryLimitPages(1024)
			yields, start := 0, time.Time{}
			rt := newRuntime(t, cfg, func(context.Context) {
				if yields++; yields%20 == 0 {
					if d := time.Since(start) / 20; yields > 20 {
						shortest = min(shortest, d)
					}
					if yields == 200 {
						panic(errDeadline)
					}
					start = time.Now()
				}
			})
			mod, err := rt.InstantiateWithConfig(context.Background(), rewrite(t, h.mod.bytes()),
				wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
			if err == nil {
				_, err = mod.ExportedFunction("run").Call(context.Background(), 1000)
			}
			if !errors.Is(err, errDeadline) {
				t.Fatal(err)
			}
			t.Logf("%v per quantum", shortest)
			if limit := 10 * time.Millisecond; shortest > limit && !strings.Contains(h.name, "straight line") || shortest > 5*limit {
				t.Errorf("%v per quantum", shortest)
			}
		})
	}
}
