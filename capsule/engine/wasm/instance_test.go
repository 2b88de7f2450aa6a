package wasm

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// echo answers each entry point with its input.
func echo() hosttest.Module {
	take := hosttest.Code(hosttest.Const32(0), hosttest.Get(0), hosttest.Call(0), []byte{0xad}) // the length, as i64
	m := hosttest.Module{Imports: []hosttest.Import{hosttest.Take}, Pages: 2}
	for _, name := range entryPoints {
		m.Funcs = append(m.Funcs, entry(name, take))
	}
	return m
}

func TestCall(t *testing.T) {
	r, _ := newRuntime(t, Options{})
	m := echo()
	m.Funcs = append(m.Funcs, hosttest.Func{Export: "other", Params: []byte{hosttest.I32}})
	i := guest(t, r, m)
	ctx := context.Background()
	out, err := i.Call(ctx, &capsule.Invocation{Action: "on_x", Payload: []byte(`{"a":1}`)})
	if want := "\x04\x00\x00\x00on_x{\"a\":1}"; string(out) != want || err != nil {
		t.Errorf("%q %v", out, err)
	}
	out, err = i.Call(ctx, &capsule.Invocation{Export: abi.ExportUpgrade, Payload: []byte(`{"prev_version":"0.1.0"}`)})
	if string(out) != `{"prev_version":"0.1.0"}` || err != nil {
		t.Errorf("%q %v", out, err)
	}
	// The answer is the caller's: the next call does not change it.
	if _, err := i.Call(ctx, &capsule.Invocation{Export: abi.ExportInstall, Payload: []byte("XXXXXXXXXXXXXXXX")}); err != nil || out[0] != '{' {
		t.Errorf("%q %v", out, err)
	}
	for _, export := range []string{"missing", "other", "memory"} {
		if _, err := i.Call(ctx, &capsule.Invocation{Export: export}); !errors.Is(err, capsule.ErrNoExport) {
			t.Errorf("%s: %v", export, err)
		}
	}
	must(t, i.Run(ctx))
}

// TestOutput: what a guest prints is logged line by line, for the principal of the call.
func TestOutput(t *testing.T) {
	r, w := newRuntime(t, Options{})
	i := hosttest.I32
	text := "one\ntwo\n\nthree"
	iov := make([]byte, 8)
	binary.LittleEndian.PutUint32(iov, 8)
	binary.LittleEndian.PutUint32(iov[4:], uint32(len(text)))
	m := one([]hosttest.Import{wasi("fd_write", i, i, i, i)}, string(iov)+text,
		hosttest.Const32(2), hosttest.Const32(0), hosttest.Const32(1), hosttest.Const32(512), hosttest.Call(0), hosttest.Drop, output(0, 0))
	inst := guest(t, r, m)
	for _, p := range []string{"alice", ""} {
		if _, err := inst.Call(context.Background(), &capsule.Invocation{Principal: p}); err != nil {
			t.Fatal(err)
		}
	}
	want := "alice guest WARN one|alice guest WARN two|alice guest WARN three|default guest WARN one|default guest WARN two|default guest WARN three"
	if got := strings.Join(w.lines(), "|"); got != want {
		t.Errorf("logged %q", got)
	}
	var lines []string
	lw := &lineWriter{emit: func(l string) { lines = append(lines, l) }, over: func() error { return nil }}
	if n, err := lw.Write([]byte(strings.Repeat("x", 2*maxLine) + "\ny\n")); n != 2*maxLine+3 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if len(lines) != 3 || len(lines[0]) != maxLine || len(lines[1]) != maxLine || lines[2] != "y" {
		t.Errorf("%d lines", len(lines))
	}
}

// TestRealClocks: clocks and randomness are the machine's.
func TestRealClocks(t *testing.T) {
	r, _ := newRuntime(t, Options{})
	i, l := hosttest.I32, hosttest.I64
	m := one([]hosttest.Import{wasi("clock_time_get", i, l, i), wasi("random_get", i, i)}, "",
		hosttest.Const32(0), hosttest.Const64(1), hosttest.Const32(0), hosttest.Call(0), hosttest.Drop, // wall clock
		hosttest.Const32(1), hosttest.Const64(1), hosttest.Const32(8), hosttest.Call(0), hosttest.Drop, // monotonic
		hosttest.Const32(16), hosttest.Const32(16), hosttest.Call(1), hosttest.Drop,
		output(0, 32))
	inst := guest(t, r, m)
	a, err := invoke(inst, context.Background())
	must(t, err)
	b, err := invoke(inst, context.Background())
	must(t, err)
	wall := time.Unix(0, int64(binary.LittleEndian.Uint64([]byte(a))))
	if d := time.Since(wall).Abs(); d > time.Minute {
		t.Errorf("the guest's clock is off by %s", d)
	}
	if binary.LittleEndian.Uint64([]byte(a[8:])) >= binary.LittleEndian.Uint64([]byte(b[8:])) {
		t.Error("monotonic time stands still")
	}
	c, err := invoke(guest(t, r, m), context.Background())
	must(t, err)
	if a[16:] == b[16:] || a[16:] == c[16:] {
		t.Error("randomness repeats")
	}
}

// TestUsage: guest time is counted, also while a run loop runs; waiting is not.
func TestUsage(t *testing.T) {
	r, w := newRuntime(t, Options{})
	m := recvModule()
	m.Funcs[0].Export = abi.ExportRun
	e := load(t, r, m)
	i := instantiate(t, e)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	for w.bus.Stats().Subscriptions == 0 {
		runtime.Gosched()
	}
	time.Sleep(200 * time.Millisecond) // a wait that must not be counted
	waited := e.Usage().CPU()
	payload, err := ipc.Custom(1)
	must(t, err)
	must(t, w.bus.Publish(context.Background(), &ipc.Message{Topic: "t.v1.a", Payload: payload}))
	// Now it spins: its time is seen before it ends.
	for limit := time.Now().Add(10 * time.Second); e.Usage().CPU() < waited+20*time.Millisecond; runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatal("the time of a running guest is not counted")
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if waited > 150*time.Millisecond {
		t.Errorf("a guest that waited used %s", waited)
	}
}

// TestNothingIsLeft: after a thousand calls and instances all is as before.
func TestNothingIsLeft(t *testing.T) {
	r, w := newRuntime(t, Options{CallDeadline: time.Millisecond})
	ctx := context.Background()
	patient, _ := newRuntime(t, Options{})
	waits, traps, works := load(t, r, recvModule()), load(t, r, one(nil, "", hosttest.Trap)), load(t, patient, echo())
	runtime.GC()
	before := runtime.NumGoroutine()
	for range 100 {
		for _, e := range []*Engine{waits, traps} {
			i, err := e.Instantiate(ctx)
			must(t, err)
			if _, err := invoke(i.(*Instance), ctx); err == nil {
				t.Fatal("it did not end")
			}
			must(t, i.Close(ctx))
		}
	}
	i, err := works.Instantiate(ctx)
	must(t, err)
	for range 800 {
		if _, err := i.Call(ctx, &capsule.Invocation{Export: abi.ExportInstall, Payload: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	must(t, i.Close(ctx))
	if n := w.bus.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
	for _, e := range []*Engine{waits, traps, works} {
		if e.Usage().Instances() != 0 || e.Usage().Memory() != 0 {
			t.Errorf("%d instances with %d bytes are left", e.Usage().Instances(), e.Usage().Memory())
		}
	}
	for limit := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// TestManyInstances: instances of one engine run side by side and share nothing.
func TestManyInstances(t *testing.T) {
	r, _ := newRuntime(t, Options{})
	e := load(t, r, echo())
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			for range 20 {
				i, err := e.Instantiate(context.Background())
				if err != nil {
					t.Error(err)
					return
				}
				for range 10 {
					want := strings.Repeat(string(rune('a'+n)), 100)
					out, err := i.Call(context.Background(), &capsule.Invocation{Export: abi.ExportInstall, Payload: []byte(want)})
					if string(out) != want || err != nil {
						t.Errorf("%q %v", out, err)
					}
				}
				if err := i.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if e.Usage().Instances() != 0 || e.Usage().Memory() != 0 {
		t.Errorf("%d instances with %d bytes", e.Usage().Instances(), e.Usage().Memory())
	}
}

// TestStateIsKept: an instance keeps its memory between calls, and to itself.
func TestStateIsKept(t *testing.T) {
	r, _ := newRuntime(t, Options{})
	// Counts its calls in memory.
	count := hosttest.Code(hosttest.Const32(0), hosttest.Const32(0), []byte{0x2d, 0, 0}, hosttest.Const32(1), []byte{0x6a, 0x3a, 0, 0})
	e := load(t, r, one(nil, "0", count, output(0, 1)))
	a, b := instantiate(t, e), instantiate(t, e)
	for _, want := range []string{"1", "2", "3"} {
		if out, err := invoke(a, context.Background()); out != want || err != nil {
			t.Errorf("%q %v, want %s", out, err, want)
		}
	}
	if out, err := invoke(b, context.Background()); out != "1" || err != nil {
		t.Errorf("another instance: %q %v", out, err)
	}
}
