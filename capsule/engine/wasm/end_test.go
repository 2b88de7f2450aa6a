package wasm

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/capsule"
)

// slack is how much later than its deadline a guest may end here. On an idle machine it
// is about a millisecond; this is for a loaded one.
const slack = 5 * time.Second

// recvModule subscribes and waits for a message for a minute.
func recvModule() hosttest.Module {
	return one([]hosttest.Import{hosttest.Native(abi.IpcSubscribe, 1), hosttest.Native(abi.IpcRecv, 2)}, "t.v1.a160000",
		hosttest.Const32(0), hosttest.Const32(6), hosttest.Call(0), hosttest.Drop,
		hosttest.Const32(6), hosttest.Const32(1), hosttest.Const32(7), hosttest.Const32(5), hosttest.Call(1),
		hosttest.Drop, hosttest.Forever())
}

// sleepModule sleeps for an hour through WASI.
func sleepModule() hosttest.Module {
	sub := make([]byte, 48) // a subscription to the monotonic clock
	binary.LittleEndian.PutUint32(sub[16:], 1)
	binary.LittleEndian.PutUint64(sub[24:], uint64(time.Hour))
	i := hosttest.I32
	return one([]hosttest.Import{wasi("poll_oneoff", i, i, i, i)}, string(sub),
		hosttest.Const32(0), hosttest.Const32(64), hosttest.Const32(1), hosttest.Const32(128), hosttest.Call(0), hosttest.Drop,
		hosttest.Forever())
}

func recursion() hosttest.Module {
	m := one(nil, "", hosttest.Get(0), hosttest.Call(0), []byte{0x42, 1, 0x7c}) // f(x) + 1
	return m
}

// exponential calls itself twice, 60 deep: no loop, no stack overflow, no end.
func exponential() hosttest.Module {
	down := hosttest.Code(hosttest.Get(0), hosttest.Const32(1), []byte{0x6b}) // x - 1
	body := hosttest.Code(
		hosttest.Get(0), []byte{0x45, 0x04, hosttest.I64}, hosttest.Const64(1), // if x == 0: 1
		[]byte{0x05}, down, hosttest.Call(1), down, hosttest.Call(1), []byte{0x7c, 0x0b}) // else f(x-1)+f(x-1)
	return hosttest.Module{Pages: 1, Funcs: []hosttest.Func{
		entry(abi.ExportHookTrigger, hosttest.Const32(60), hosttest.Call(1)),
		entry("", body),
	}}
}

// TestEnds: wherever a guest is, it ends with its call, and says why.
func TestEnds(t *testing.T) {
	why := errors.New("session is over")
	for name, m := range map[string]hosttest.Module{
		"loop":             one(nil, "", hosttest.Forever()),
		"recursion":        exponential(),
		"recv":             recvModule(),
		"sleep":            sleepModule(),
		"loop of calls":    one([]hosttest.Import{hosttest.Native(abi.ClockMs, 0)}, "", hosttest.Forever(hosttest.Call(0), hosttest.Drop)),
		"loop of big fill": one(nil, "", hosttest.Forever(hosttest.Const32(0), hosttest.Const32(0), hosttest.Const32(1<<16), []byte{0xfc, 0x0b, 0x00})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hasty, _ := newRuntime(t, Options{CallDeadline: 30 * time.Millisecond})
			r, w := newRuntime(t, Options{})
			check := func(how string, i *Instance, err error, start time.Time, want error) {
				t.Helper()
				if !errors.Is(err, capsule.ErrInstanceDead) || !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", how, err, want)
				}
				if d := time.Since(start); d > 30*time.Millisecond+slack {
					t.Errorf("%s: it took %s", how, d)
				}
				if _, again := invoke(i, context.Background()); !errors.Is(again, capsule.ErrInstanceDead) {
					t.Errorf("%s: a dead instance ran: %v", how, again)
				}
			}
			i, start := guest(t, hasty, m), time.Now()
			_, err := invoke(i, context.Background())
			check("deadline", i, err, start, context.DeadlineExceeded)
			i = guest(t, r, m)
			ctx, cancel := context.WithCancelCause(context.Background())
			start = time.Now()
			time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
			_, err = invoke(i, ctx)
			check("cancel", i, err, start, why)
			must(t, i.Close(context.Background()))
			if n := w.bus.Stats().Subscriptions; n != 0 {
				t.Errorf("%d subscriptions are left", n)
			}
		})
	}
}

func TestTraps(t *testing.T) {
	i := hosttest.I32
	r, _ := newRuntime(t, Options{})
	for name, c := range map[string]struct {
		m    hosttest.Module
		text string
	}{
		"unreachable":    {one(nil, "", hosttest.Trap), "unreachable"},
		"stack":          {recursion(), "stack overflow"},
		"memory":         {one(nil, "", hosttest.Const32(-1), []byte{0x29, 0, 0}), "out of bounds"}, // i64.load
		"divide":         {one(nil, "", hosttest.Const64(1), hosttest.Const64(0), []byte{0x7f}), "divide by zero"},
		"exit":           {one([]hosttest.Import{{Module: abi.ModuleWASI, Name: "proc_exit", Params: []byte{i}}}, "", hosttest.Const32(3), hosttest.Call(0), hosttest.Trap), "exit_code(3)"},
		"exit with zero": {one([]hosttest.Import{{Module: abi.ModuleWASI, Name: "proc_exit", Params: []byte{i}}}, "", hosttest.Const32(0), hosttest.Call(0), hosttest.Trap), "exit_code(0)"},
		"output outside": {one(nil, "", output(1<<16, 1)), "outside its memory"},
		"output wraps":   {one(nil, "", hosttest.Const64(-1<<32|16)), "outside its memory"},
	} {
		e := load(t, r, c.m)
		i := instantiate(t, e)
		_, err := invoke(i, context.Background())
		if !errors.Is(err, capsule.ErrInstanceDead) {
			t.Errorf("%s: %v is not a dead instance", name, err)
		}
		wantError(t, err, c.text, "capsule guest: astrid_hook_trigger")
		if _, again := invoke(i, context.Background()); again == nil || again.Error() != err.Error() {
			t.Errorf("%s: then %v", name, again)
		}
	}
	// Too much output is an error, not the end.
	inst := guest(t, r, one(nil, "", output(0, abi.MaxValue+1)))
	_, err := invoke(inst, context.Background())
	wantError(t, err, "the limit is")
	if errors.Is(err, capsule.ErrInstanceDead) {
		t.Error(err)
	}
}

// TestMemoryCeiling: 64 MiB, the initial size included.
func TestMemoryCeiling(t *testing.T) {
	r, _ := newRuntime(t, Options{})
	// Grow page by page until it fails, then answer with the size: in pages, as a length.
	body := hosttest.Code(
		[]byte{0x03, 0x40}, hosttest.Const32(1), []byte{0x40, 0x00}, hosttest.Const32(0), []byte{0x4e, 0x0d, 0x00, 0x0b}, // loop: if grow(1) >= 0 again
		[]byte{0x3f, 0x00, 0xad}) // memory.size, i64.extend_i32_u
	m := one(nil, "", body)
	m.Pages = 17
	e := load(t, r, m)
	i := instantiate(t, e)
	if u := e.Usage().Memory(); u != 17<<16 {
		t.Errorf("a new instance uses %d bytes", u)
	}
	out, err := invoke(i, context.Background())
	if err != nil || len(out) != abi.MaxMemoryPages {
		t.Errorf("it got %d pages, want %d: %v", len(out), abi.MaxMemoryPages, err)
	}
	if u := e.Usage().Memory(); u != 64<<20 || e.Usage().Instances() != 1 {
		t.Errorf("%d bytes in %d instances", u, e.Usage().Instances())
	}
	must(t, i.Close(context.Background()))
	must(t, i.Close(context.Background()))
	if e.Usage().Memory() != 0 || e.Usage().Instances() != 0 {
		t.Errorf("%d bytes in %d instances after Close", e.Usage().Memory(), e.Usage().Instances())
	}
}

// TestInit: start function and _initialize run before the first call, within their deadline.
func TestInit(t *testing.T) {
	r, _ := newRuntime(t, Options{})
	store := func(at, c int) []byte {
		return hosttest.Code(hosttest.Const32(at), hosttest.Const32(c), []byte{0x3a, 0, 0})
	}
	m := one(nil, "..", output(0, 2))
	m.Funcs = append(m.Funcs, hosttest.Func{Export: "_initialize", Code: store(1, 'b')}, hosttest.Func{Code: store(0, 'a')}, hosttest.Func{Export: "_start", Code: hosttest.Trap})
	m.Start = 2
	if out, err := invoke(guest(t, r, m), context.Background()); out != "ab" || err != nil {
		t.Errorf("%q %v", out, err)
	}
	for name, init := range map[string][]byte{"loops": hosttest.Forever(), "traps": hosttest.Trap} {
		for _, where := range []string{"_initialize", "start"} {
			m := one(nil, "", output(0, 0))
			f := hosttest.Func{Code: init}
			if where == "start" {
				m.Start = 1
			} else {
				f.Export = where
			}
			m.Funcs = append(m.Funcs, f)
			e := load(t, r, m)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			_, err := e.Instantiate(ctx)
			cancel()
			wantError(t, err, "instantiate")
			if name == "loops" && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s %s: %v", where, name, err)
			}
			if e.Usage().Instances() != 0 || e.Usage().Memory() != 0 {
				t.Errorf("%s %s: %+v", where, name, e.Usage())
			}
		}
	}
}

// TestDoneBefore: a call that is over before it begins harms nothing.
func TestDoneBefore(t *testing.T) {
	r, _ := newRuntime(t, Options{})
	i := guest(t, r, one(nil, "hello", output(0, 5)))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := invoke(i, ctx); !errors.Is(err, context.Canceled) || errors.Is(err, capsule.ErrInstanceDead) {
		t.Errorf("%v", err)
	}
	if out, err := invoke(i, context.Background()); out != "hello" || err != nil {
		t.Errorf("%q %v", out, err)
	}
}
