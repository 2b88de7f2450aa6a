package wasm

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/capsule"
)

// Imports of guests of the Extism convention, in the order of the functions that call them.
var (
	e64, e32    = []byte{hosttest.I64}, []byte{hosttest.I32}
	envAlloc    = hosttest.Env("alloc", e64, e64)
	envLen      = hosttest.Env("input_length", nil, e64)
	envOffset   = hosttest.Env("input_offset", nil, e64)
	envOutput   = hosttest.Env("output_set", []byte{hosttest.I64, hosttest.I64}, nil)
	envError    = hosttest.Env("error_set", e64, nil)
	echoImports = []hosttest.Import{envOffset, envLen, envOutput, envError}
	// echoInput makes the input the output.
	echoInput = hosttest.Code(hosttest.Call(0), hosttest.Call(1), hosttest.Call(2))
)

// extismEntry makes an entry point of code that leaves an i32.
func extismEntry(name string, code ...[]byte) hosttest.Func {
	return hosttest.Func{Export: name, Results: e32, Code: hosttest.Code(code...)}
}

// extismOne is a module of one entry point for messages, in the Extism convention.
func extismOne(imports []hosttest.Import, code ...[]byte) hosttest.Module {
	return hosttest.Module{Imports: imports, Pages: 1, Funcs: []hosttest.Func{extismEntry(abi.ExportHookTrigger, code...)}}
}

func TestExtismEndings(t *testing.T) {
	exit := hosttest.Import{Module: abi.ModuleWASI, Name: "proc_exit", Params: e32}
	withExit := append(echoImports[:4:4], exit)
	ok := hosttest.Const32(0)
	setError := hosttest.Code(hosttest.Call(0), hosttest.Call(3))
	r, _ := newRuntime(t, Options{})
	for name, c := range map[string]struct {
		m    hosttest.Module
		out  string
		text string // of the error
		dead bool
	}{
		"echo":          {m: extismOne(echoImports, echoInput, ok), out: `{"arguments":[112],"name":"a"}`},
		"no result":     {m: hosttest.Module{Imports: echoImports, Funcs: []hosttest.Func{{Export: abi.ExportHookTrigger, Code: echoInput}}}, out: `{"arguments":[112],"name":"a"}`},
		"no output":     {m: extismOne(echoImports, ok)},
		"code":          {m: extismOne(echoImports, echoInput, hosttest.Const32(-1)), text: "returned non-zero exit code: -1"},
		"error":         {m: extismOne(echoImports, setError, hosttest.Const32(-1)), text: `astrid_hook_trigger: {"arguments":[112],"name":"a"}`},
		"error, code 0": {m: extismOne(echoImports, setError, ok), text: `{"arguments"`},
		"trap":          {m: extismOne(echoImports, hosttest.Trap), text: "unreachable", dead: true},
		"error, trap":   {m: extismOne(echoImports, setError, hosttest.Trap), text: `{"arguments":[112],"name":"a"}: `, dead: true},
		"exit with 0":   {m: extismOne(withExit, echoInput, ok, hosttest.Call(4), hosttest.Trap), out: `{"arguments":[112],"name":"a"}`},
		"exit with 3":   {m: extismOne(withExit, hosttest.Const32(3), hosttest.Call(4), hosttest.Trap), text: "exit_code(3)", dead: true},
		"refused call": {m: extismOne([]hosttest.Import{hosttest.Extism(abi.IpcPoll, 1, true)}, hosttest.Const64(0), hosttest.Call(0), hosttest.Drop, ok),
			text: "not a number", dead: true},
	} {
		i := guest(t, r, c.m)
		for range 2 { // what has not died does the same again
			out, err := invoke(i, context.Background())
			if out != c.out || (err != nil) != (c.text != "") || err != nil && !strings.Contains(err.Error(), c.text) || errors.Is(err, capsule.ErrInstanceDead) != c.dead {
				t.Errorf("%s: %q, %v; want %q, %q", name, out, err, c.out, c.text)
			}
		}
	}
	// Without the entry point there is nothing to call.
	i := guest(t, r, hosttest.Module{Imports: echoImports, Funcs: []hosttest.Func{extismEntry(abi.ExportInstall, echoInput, ok)}})
	if _, err := invoke(i, context.Background()); !errors.Is(err, capsule.ErrNoExport) {
		t.Error(err)
	}
	out, err := i.Call(context.Background(), &capsule.Invocation{Export: abi.ExportInstall, Payload: []byte(`{"prev_version":"1.0.0"}`)})
	if string(out) != `{"prev_version":"1.0.0"}` || err != nil {
		t.Errorf("%q %v", out, err)
	}
}

// TestExtismTooMuchOutput: it is an error, not the end.
func TestExtismTooMuchOutput(t *testing.T) {
	r, _ := newRuntime(t, Options{})
	const n = 11 << 20
	store := hosttest.Code([]byte{0x37, 3, 0}) // i64.store
	load := hosttest.Code(hosttest.Const32(0), []byte{0x29, 3, 0})
	i := guest(t, r, extismOne([]hosttest.Import{envAlloc, envOutput},
		hosttest.Const32(0), hosttest.Const64(n), hosttest.Call(0), store, load, hosttest.Const64(n), hosttest.Call(1), hosttest.Const32(0)))
	_, err := invoke(i, context.Background())
	wantError(t, err, "output of 11534336 bytes, the limit is")
	if errors.Is(err, capsule.ErrInstanceDead) {
		t.Error(err)
	}
}

// TestExtismStarts: the start function, and what a guest wants run first, once for each instance.
func TestExtismStarts(t *testing.T) {
	r, _ := newRuntime(t, Options{})
	mark := func(at int) []byte {
		return hosttest.Code(hosttest.Const32(at), hosttest.Const32(1), []byte{0x3a, 0, 0})
	}
	for name, c := range map[string]struct {
		exports []string
		want    string
	}{
		"none":  {nil, "0"},
		"ctors": {[]string{"__wasm_call_ctors"}, "1"}, "initialize": {[]string{"_initialize"}, "1"},
		"both": {[]string{"__wasm_call_ctors", "_initialize"}, "1"}, "command": {[]string{"_start"}, "0"},
	} {
		// The result code is how many have run.
		m := extismOne(echoImports, hosttest.Const32(0), []byte{0x2d, 0, 0}, hosttest.Const32(1), []byte{0x2d, 0, 0}, []byte{0x6a})
		for i, e := range c.exports {
			m.Funcs = append(m.Funcs, hosttest.Func{Export: e, Code: mark(i)})
		}
		_, err := invoke(guest(t, r, m), context.Background())
		if c.want == "0" && err != nil || c.want == "1" && (err == nil || !strings.Contains(err.Error(), "exit code: 1")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := extismOne(echoImports, hosttest.Const32(0))
	m.Funcs = append(m.Funcs, hosttest.Func{Export: "_initialize", Code: hosttest.Forever()})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := load(t, r, m).Instantiate(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// TestExtismMemoryTogether: a guest's memory and its Extism memory share one limit, whichever grows.
func TestExtismMemoryTogether(t *testing.T) {
	r, _ := newRuntime(t, Options{CallDeadline: 20 * time.Second})
	alloc := hosttest.Code(hosttest.Const64(40<<20), hosttest.Call(0), hosttest.Drop)
	grow := hosttest.Code(hosttest.Const32(40<<4), []byte{0x40, 0}, hosttest.Drop) // 40 MiB
	spin := hosttest.Forever()
	for name, code := range map[string][]byte{"alloc, then grow": hosttest.Code(alloc, grow, spin), "grow, then alloc": hosttest.Code(grow, alloc, spin)} {
		e := load(t, r, extismOne([]hosttest.Import{envAlloc}, code))
		_, err := invoke(instantiate(t, e), context.Background())
		if !errors.Is(err, capsule.ErrInstanceDead) || !strings.Contains(err.Error(), "oom") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What fits is counted, and given back after the call.
	e := load(t, r, extismOne([]hosttest.Import{envAlloc}, alloc, hosttest.Const32(0)))
	if _, err := invoke(instantiate(t, e), context.Background()); err != nil {
		t.Error(err)
	}
	if u := e.Usage().Memory(); u != 1<<16 {
		t.Errorf("an idle instance has %d bytes", u)
	}
	// An input that does not fit harms nothing.
	i := guest(t, r, extismOne(echoImports, echoInput, hosttest.Const32(0)))
	if _, err := i.Call(context.Background(), &capsule.Invocation{Action: "a", Payload: make([]byte, 40<<20)}); err == nil || errors.Is(err, capsule.ErrInstanceDead) {
		t.Error(err)
	}
	if _, err := invoke(i, context.Background()); err != nil {
		t.Error(err)
	}
}

// TestExtismEnds: a guest that is blocked in a host function, or goes on making memory, ends with its call.
func TestExtismEnds(t *testing.T) {
	r, _ := newRuntime(t, Options{CallDeadline: 50 * time.Millisecond})
	free := hosttest.Env("free", e64, nil)
	for name, m := range map[string]hosttest.Module{
		"loop":       extismOne(echoImports, hosttest.Forever()),
		"big allocs": extismOne([]hosttest.Import{envAlloc, free}, hosttest.Forever(hosttest.Const64(30<<20), hosttest.Call(0), hosttest.Call(1))),
	} {
		start := time.Now()
		_, err := invoke(guest(t, r, m), context.Background())
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, capsule.ErrInstanceDead) {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(start); d > slack {
			t.Errorf("%s: it took %s", name, d)
		}
	}
}

// TestExtismRunLoop: a run loop is blocked in recv until it is cancelled; an endless one ends too.
func TestExtismRunLoop(t *testing.T) {
	r, w := newRuntime(t, Options{})
	// A block "t.v1.a" from a word and a half, then a number of 60 s.
	store := hosttest.Env("store_u64", []byte{hosttest.I64, hosttest.I64}, nil)
	imports := []hosttest.Import{envAlloc, store, hosttest.Extism(abi.IpcSubscribe, 1, true), hosttest.Extism(abi.IpcRecv, 2, true)}
	text := func(s string, at int) []byte { // leaves the block's offset in memory at at
		w := 0
		for i := len(s) - 1; i >= 0; i-- {
			w = w<<8 | int(s[i])
		}
		load := hosttest.Code(hosttest.Const32(at), []byte{0x29, 3, 0})
		return hosttest.Code(hosttest.Const32(at), hosttest.Const64(len(s)), hosttest.Call(0), []byte{0x37, 3, 0}, load, hosttest.Const64(w), hosttest.Call(1))
	}
	at := func(at int) []byte { return hosttest.Code(hosttest.Const32(at), []byte{0x29, 3, 0}) }
	m := hosttest.Module{Imports: imports, Pages: 1, Funcs: []hosttest.Func{extismEntry(abi.ExportRun,
		text("t.v1.a", 0), text("60000", 8),
		hosttest.Const32(16), at(0), hosttest.Call(2), []byte{0x37, 3, 0},
		hosttest.Forever(at(16), at(8), hosttest.Call(3), hosttest.Drop))}}
	e := load(t, r, m)
	if !e.HasRun() {
		t.Fatal("no run loop")
	}
	i := instantiate(t, e)
	why := errors.New("unloaded")
	ctx, cancel := context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	for w.bus.Stats().Subscriptions == 0 {
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel(why)
	if err := <-done; !errors.Is(err, why) || !errors.Is(err, capsule.ErrInstanceDead) {
		t.Error(err)
	}
	must(t, i.Close(context.Background()))
	if n := w.bus.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
}
