package wasm

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
)

func TestLoadRefuses(t *testing.T) {
	i32, i64 := hosttest.I32, hosttest.I64
	imports := func(list ...hosttest.Import) []byte {
		return one(list, "", output(0, 0)).Bytes()
	}
	with := func(f func(m *hosttest.Module)) []byte {
		m := one(nil, "", output(0, 0))
		f(&m)
		return m.Bytes()
	}
	r, _ := newRuntime(t, Options{})
	for name, c := range map[string]struct {
		binary []byte
		texts  []string
	}{
		"empty":          {nil, []string{"malformed"}},
		"text":           {[]byte("(module)"), []string{"malformed"}},
		"header only":    {[]byte("\x00asm\x01\x00\x00\x00"), []string{"no memory"}},
		"component":      {[]byte("\x00asm\x0d\x00\x01\x00"), []string{"malformed"}},
		"huge":           {make([]byte, 64<<20+1), []string{"limit"}},
		"unknown module": {imports(hosttest.Import{Module: "env", Name: "f"}), []string{"env.f", "no such module", "Modules: astrid, astrid_link, extism:host/env"}},
		"unknown function": {imports(hosttest.Import{Module: abi.ModuleNative, Name: "astrid_cron_schedule"}),
			[]string{"astrid.astrid_cron_schedule", "no such function"}},
		"unknown in WASI":  {imports(wasi("sock_open")), []string{"wasi_snapshot_preview1.sock_open", "no such function"}},
		"wrong type":       {imports(hosttest.Native(abi.ClockMs, 1)), []string{"(i32, i32) -> (i64)", "() -> (i64)"}},
		"wrong type, WASI": {imports(wasi("random_get", i32)), []string{"random_get", "(it is (i32, i32) -> (i32))"}},
		"yield":            {imports(hosttest.Import{Module: abi.ModuleLink, Name: abi.LinkYield}), []string{"reserved"}},
		"unknown link":     {imports(hosttest.Import{Module: abi.ModuleLink, Name: "give"}), []string{"astrid_link.give"}},
		"entry point of the other convention": {imports(hosttest.Import{Module: abi.ModuleExtismEnv, Name: "alloc", Params: []byte{i64}, Results: []byte{i64}}),
			[]string{abi.ExportHookTrigger, "() -> i32"}},
		"both conventions": {imports(hosttest.Native(abi.ClockMs, 0), hosttest.Import{Module: abi.ModuleExtismUser, Name: "astrid_log", Params: []byte{i64, i64}}),
			[]string{"astrid.astrid_clock_ms", "one or the other"}},
		"unknown in extism:host/env":  {imports(hosttest.Import{Module: abi.ModuleExtismEnv, Name: "exec"}), []string{"extism:host/env.exec", "no such function", "input_load_u8"}},
		"unknown in extism:host/user": {imports(hosttest.Import{Module: abi.ModuleExtismUser, Name: "astrid_cron_schedule"}), []string{"extism:host/user.astrid_cron_schedule", "no such function"}},
		"memory of the kernel":        {with(func(m *hosttest.Module) { m.Pages, m.ImportsM = 0, abi.ModuleExtismEnv }), []string{"memory"}},
		"shim":                        {imports(hosttest.Import{Module: abi.ModuleShim, Name: "__invokeHostFunc"}), []string{"shim.__invokeHostFunc", "(i32, i64, i64, i64, i64, i64) -> (i64)"}},
		"several":                     {imports(hosttest.Import{Module: "env", Name: "f"}, hosttest.Import{Module: "go", Name: "debug"}), []string{"env.f", "go.debug"}},
		"escapes in a name":           {imports(hosttest.Import{Module: "env", Name: "\x1b[2J"}), []string{`env."\x1b[2J"`}},
		"imported memory":             {with(func(m *hosttest.Module) { m.Pages, m.ImportsM = 0, "astrid" }), []string{"memory"}},
		"no memory":                   {with(func(m *hosttest.Module) { m.Pages = 0 }), []string{"memory"}},
		"too much memory":             {with(func(m *hosttest.Module) { m.Pages = abi.MaxMemoryPages + 1 }), []string{"compile", "limit"}},
		"export without parameter": {with(func(m *hosttest.Module) { m.Funcs[0].Params = nil }),
			[]string{abi.ExportHookTrigger, "(i32) -> i64"}},
		"run of another type": {with(func(m *hosttest.Module) {
			m.Funcs = append(m.Funcs, hosttest.Func{Export: abi.ExportRun})
		}), []string{"export run", "(i32) -> i64"}},
		"ill-typed code": {with(func(m *hosttest.Module) { m.Funcs[0].Code = hosttest.Const32(1) }), []string{"compile"}},
	} {
		_, err := r.Load(context.Background(), testCapsule(), c.binary)
		if err == nil {
			t.Errorf("%s: loaded", name)
			continue
		}
		wantError(t, err, append(c.texts, "capsule guest: ")...)
		// Before an installation the answer is the same, but for its words.
		texts := c.texts
		if texts[0] == "compile" {
			texts = []string{"not valid"}
		}
		wantError(t, Check(context.Background(), c.binary), texts...)
	}
}

func TestHasRun(t *testing.T) {
	r, _ := newRuntime(t, Options{})
	m := one(nil, "", output(0, 0))
	if load(t, r, m).HasRun() {
		t.Error("a module without run has one")
	}
	m.Funcs = append(m.Funcs, entry(abi.ExportRun, output(0, 0)))
	if !load(t, r, m).HasRun() {
		t.Error("run was not found")
	}
}

// TestSameBinaryTwice: a reload overlaps with the capsule that it replaces.
func TestSameBinaryTwice(t *testing.T) {
	ctx := context.Background()
	r, _ := newRuntime(t, Options{CacheDir: t.TempDir() + "/cache"})
	m := one(nil, "hello", output(0, 5))
	old, err := r.Load(ctx, testCapsule(), m.Bytes())
	must(t, err)
	i := guest(t, r, m)
	must(t, old.Close(ctx))
	if out, err := invoke(i, ctx); out != "hello" || err != nil {
		t.Errorf("%q %v", out, err)
	}
	if out, err := invoke(guest(t, r, m), ctx); out != "hello" || err != nil {
		t.Errorf("%q %v", out, err)
	}
}

func TestMemoryLimitOption(t *testing.T) {
	grow := hosttest.Code(hosttest.Const32(1), []byte{0x40, 0x00}, []byte{0xac}) // memory.grow, i64.extend_i32_s
	for limit, want := range map[int64]string{0: "ok", 1 << 16: "no", 2 << 16: "ok", 3<<16 - 1: "ok", 1: "no", 1 << 62: "ok"} {
		r, _ := newRuntime(t, Options{MemoryLimit: limit})
		// if memory.grow(1) < 0 then "no" else "ok"
		m := one(nil, "nook", grow, hosttest.Const64(0), []byte{0x53, 0x04, hosttest.I64}, output(0, 2), []byte{0x05}, output(2, 2), []byte{0x0b})
		if out, err := invoke(guest(t, r, m), context.Background()); out != want || err != nil {
			t.Errorf("limit %d: %q %v, want %s", limit, out, err, want)
		}
	}
	r, _ := newRuntime(t, Options{MemoryLimit: 1 << 16})
	m := one(nil, "", output(0, 0))
	m.Pages = 2
	_, err := r.Load(context.Background(), testCapsule(), m.Bytes())
	wantError(t, err, "limit")
}

// A binary that was loaded before is not compiled again until it is needed. It is what it was, and one that
// became unreadable meanwhile says so.
func TestLoadLazily(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "cache")
	m := one(nil, "hello", output(0, 5))
	binary := m.Bytes()
	asked := 0
	again := func() ([]byte, error) { asked++; return binary, nil }
	load := func(bin []byte) *Engine {
		t.Helper()
		r, _ := newRuntime(t, Options{CacheDir: dir})
		e, err := r.LoadLazily(ctx, testCapsule(), bin, again)
		must(t, err)
		t.Cleanup(func() { must(t, e.Close(ctx)) })
		return e
	}
	first := load(binary)
	if first.compiled == nil {
		t.Error("a binary that nobody has seen before was not compiled")
	}
	e := load(binary)
	if e.compiled != nil || asked != 0 || !maps.Equal(e.entries, first.entries) || e.HasRun() {
		t.Errorf("%+v", e.contract)
	}
	var wg sync.WaitGroup
	for range 4 { // all at once: one of them compiles
		wg.Go(func() {
			i, err := e.Instantiate(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			if out, err := invoke(i.(*Instance), ctx); out != "hello" || err != nil {
				t.Errorf("%q %v", out, err)
			}
			if err := i.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if asked != 1 {
		t.Errorf("the binary was asked for %d times", asked)
	}

	// Damage to what is known, or to the compiled code, costs time and nothing else.
	for _, sub := range []string{knownDir, codeDir, nativeDir} {
		for _, f := range cacheFiles(t, dir, sub) {
			must(t, os.Truncate(f, 20))
		}
		must(t, load(binary).Prepare(ctx))
	}
	if e := load(binary); e.compiled != nil {
		t.Error("what is known was not kept again")
	}
	again = func() ([]byte, error) { return nil, errors.New("it was changed") }
	gone := load(binary)
	if err := gone.Prepare(ctx); err == nil || !strings.Contains(err.Error(), "it was changed") {
		t.Error(err)
	}
	if _, err := gone.Instantiate(ctx); err == nil {
		t.Error("an instance of nothing")
	}
}
