package wasm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/capsule"
)

// allocate makes a memory as wazero would.
func allocate(limit uint64) (m *linearMemory) {
	return allocator(&m)(0, limit).(*linearMemory)
}

// TestLinearMemory: it grows where it is, is empty where it is new, has its limit, and is given back once nobody
// holds it.
func TestLinearMemory(t *testing.T) {
	const limit = 16 << 20
	m := allocate(limit)
	b := m.Reallocate(3 << 16)
	if len(b) != 3<<16 || cap(b) != len(b) {
		t.Fatalf("it has %d bytes of %d", len(b), cap(b))
	}
	b[0], b[len(b)-1] = 1, 2
	for _, size := range []uint64{4 << 16, 4 << 16, eager - 1<<16, eager + 5<<16, limit} {
		now := m.Reallocate(size)
		if uint64(len(now)) != size || &now[0] != &b[0] || now[0] != 1 || now[len(b)-1] != 2 {
			t.Errorf("with %d bytes it has moved or changed", size)
		}
		for at := len(b); at < len(now); at += 1 << 16 {
			if now[at] != 0 || now[at+1<<16-1] != 0 {
				t.Errorf("new memory is not empty at %d", at)
			}
		}
		now[len(now)-1] = 0
	}
	if m.Reallocate(limit+1) != nil {
		t.Error("it grew past its limit")
	}
	if !m.hold() {
		t.Error("it cannot be held")
	}
	m.drop() // of its maker
	m.Free()
	m.Free()
	if m.hold() || m.Reallocate(1<<16) != nil {
		t.Error("it can be used after it was freed")
	}
	b[0] = 3 // somebody still holds it
	m.drop()
	if m.all != nil {
		t.Error("it was not given back")
	}
	none := allocate(0)
	if b := none.Reallocate(0); len(b) != 0 || none.Reallocate(1) != nil {
		t.Error("a memory of no bytes has some")
	}
	none.drop()
	none.Free()
	var missing *linearMemory
	if !missing.hold() {
		t.Error("no memory cannot be held")
	}
	missing.drop()
	missing.Free()
}

// TestLinearMemoryHammer frees a memory while others use it.
func TestLinearMemoryHammer(t *testing.T) {
	for range 50 {
		m := allocate(8 << 20)
		b := m.Reallocate(1 << 16)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for m.hold() {
					_ = b[len(b)-1]
					m.drop()
				}
			})
		}
		wg.Go(func() {
			for n := uint64(2); n < 40; n++ {
				m.Reallocate(n << 16)
			}
			m.drop()
		})
		for range 2 {
			wg.Go(m.Free)
		}
		wg.Wait()
		if m.all != nil {
			t.Fatal("it was not given back")
		}
	}
}

// TestMemoryOutlivesModule: a module that ends in the middle of its code (as proc_exit lets it) does not take its memory
// away from who is still at work with it.
func TestMemoryOutlivesModule(t *testing.T) {
	var i *Instance
	yields := 0
	r, _ := newRuntime(t, Options{yield: func(ctx context.Context) {
		must(t, i.mod.Close(ctx))
		yields++
	}})
	m := one(nil, "", hosttest.Times(100_000, 1, hosttest.Const32(1<<16-4), hosttest.Get(1), []byte{0x36, 2, 0}), hosttest.Const64((1<<16-4)<<32|4))
	m.Funcs[0].Locals = 1
	i = guest(t, r, m)
	if _, err := invoke(i, context.Background()); !errors.Is(err, capsule.ErrInstanceDead) || yields < 2 {
		t.Errorf("after %d yields: %v", yields, err)
	}
	if i.lin.all != nil {
		t.Error("the memory was not given back")
	}
	if _, err := invoke(i, context.Background()); !errors.Is(err, capsule.ErrInstanceDead) {
		t.Errorf("a call after that: %v", err)
	}
}

// TestMemoryGivenBack: however an instance ends, its memory does with it.
func TestMemoryGivenBack(t *testing.T) {
	v := hosttest.I32
	exit := []hosttest.Import{{Module: abi.ModuleWASI, Name: "proc_exit", Params: []byte{v}}}
	failing := one(nil, "", hosttest.Const64(0))
	failing.Funcs = append(failing.Funcs, hosttest.Func{Code: hosttest.Trap})
	failing.Start = 1
	initTraps := one(nil, "", hosttest.Const64(0))
	initTraps.Funcs = append(initTraps.Funcs, hosttest.Func{Export: "_initialize", Code: hosttest.Trap})
	tooMuchData := one(nil, strings.Repeat("x", 1<<16+1), hosttest.Const64(0))
	r, _ := newRuntime(t, Options{})
	for name, m := range map[string]hosttest.Module{
		"returns": one(nil, "", hosttest.Const64(0)), "traps": one(nil, "", hosttest.Trap), "exits": one(exit, "", hosttest.Const32(0), hosttest.Call(0), hosttest.Trap),
		"start traps": failing, "_initialize traps": initTraps, "data lies outside": tooMuchData,
	} {
		e := load(t, r, m)
		before := mappings(t)
		for range 20 {
			inst, err := e.Instantiate(context.Background())
			if err != nil {
				continue
			}
			_, _ = invoke(inst.(*Instance), context.Background())
			must(t, inst.Close(context.Background()))
		}
		if now := mappings(t); now > before+5 { // Go's own may come and go
			t.Errorf("%s: %d mappings before, %d after", name, before, now)
		}
	}
}

// mappings is how many pieces the address space is in.
func mappings(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip(err)
	}
	return strings.Count(string(b), "\n")
}

// TestMemoryScarce: where the system has no more, one guest fails with the reason, and the daemon lives on. A process of
// its own tries it, because limits stay.
func TestMemoryScarce(t *testing.T) {
	if os.Getenv("MEMORY_SCARCE") == "" {
		for _, limit := range []string{"addresses", "data"} {
			cmd := exec.Command(os.Args[0], "-test.run=^TestMemoryScarce$", "-test.v")
			cmd.Env = append(os.Environ(), "MEMORY_SCARCE="+limit)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", limit, err, out)
			}
		}
		return
	}
	r, _ := newRuntime(t, Options{})
	m := one(nil, "", hosttest.Const64(5))
	m.Pages = 512 // 32 MiB
	e := load(t, r, m)
	grows := load(t, r, one(nil, "", hosttest.Const32(1000), hosttest.Grow, []byte{0xac})) // i64.extend_i32_s
	small := instantiate(t, grows)
	limit, what := unix.RLIMIT_AS, "reserve 64 MiB"
	if os.Getenv("MEMORY_SCARCE") == "data" {
		limit, what = unix.RLIMIT_DATA, "use 32 MiB"
	}
	var size, resident, shared, text, lib, data uint64 // in pages
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	_, err = fmt.Sscan(string(b), &size, &resident, &shared, &text, &lib, &data)
	must(t, err)
	if limit == unix.RLIMIT_DATA {
		size = data
	}
	most := size*uint64(os.Getpagesize()) + 200<<20
	must(t, unix.Setrlimit(limit, &unix.Rlimit{Cur: most, Max: most}))
	for n := 0; ; n++ {
		if n == 100 {
			t.Fatal("the limit was never met")
		}
		i, err := e.Instantiate(context.Background())
		if err == nil {
			defer i.Close(context.Background())
			continue
		}
		wantError(t, err, "capsule guest: instantiate", what, "cannot allocate memory", "ulimit")
		if !errors.Is(err, unix.ENOMEM) {
			t.Errorf("%v is not ENOMEM", err)
		}
		break
	}
	if limit == unix.RLIMIT_DATA { // memory.grow fails, and nothing else does
		res, err := small.mod.ExportedFunction(abi.ExportHookTrigger).Call(context.Background(), 0)
		if err != nil || int64(res[0]) != -1 {
			t.Errorf("memory.grow: %v %v", res, err)
		}
	}
	if e.Usage().Instances() == 0 {
		t.Error("no instance was made")
	}
}
