package wasm

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// BenchmarkInstantiate compares making an instance of a Go guest with what wazero alone takes for the same module, not
// metered: BENCH instantiate_go <ns> ns <ns> <ratio>.
func BenchmarkInstantiate(b *testing.B) {
	ctx := context.Background()
	bin := goGuest(b)
	r, _ := newRuntime(b, Options{})
	e, err := r.Load(ctx, testCapsule(), bin)
	must(b, err)
	defer e.Close(ctx)
	bare := wazero.NewRuntimeWithConfig(ctx, features(wazero.NewRuntimeConfig()))
	defer bare.Close(ctx)
	_, err = wasi_snapshot_preview1.Instantiate(ctx, bare)
	must(b, err)
	h := host.New(host.Services{Bus: ipc.NewBus(ipc.BusOptions{})})
	must(b, h.LinkNative(ctx, bare, func(context.Context) {}))
	compiled, err := bare.CompileModule(ctx, bin)
	must(b, err)
	hi, err := h.NewInstance(testCapsule(), false)
	must(b, err)
	inside := host.Enter(ctx, hi, &host.Call{Principal: "default"})
	ours, ref := time.Hour, time.Hour
	for range 40 { // they take turns, so that a slow spell of the machine hits both
		start := time.Now()
		i, err := e.Instantiate(ctx)
		must(b, err)
		ours = min(ours, time.Since(start))
		must(b, i.Close(ctx))
		start = time.Now()
		m, err := bare.InstantiateModule(inside, compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize").
			WithSysWalltime().WithSysNanotime().WithRandSource(rand.Reader))
		must(b, err)
		ref = min(ref, time.Since(start))
		must(b, m.Close(ctx))
	}
	fmt.Printf("BENCH instantiate_go %d ns %d %.2f\n", ours.Nanoseconds(), ref.Nanoseconds(), float64(ours)/float64(ref))
}

// BenchmarkIdleCapsule is what a loaded Go guest that does nothing adds to the daemon, once its code is in memory, against
// the size of its own memory: BENCH idle_capsule <bytes> bytes <bytes> <ratio>.
func BenchmarkIdleCapsule(b *testing.B) {
	ctx := context.Background()
	r, _ := newRuntime(b, Options{})
	e, err := r.Load(ctx, testCapsule(), goGuest(b))
	must(b, err)
	defer e.Close(ctx)
	first, err := e.Instantiate(ctx)
	must(b, err)
	defer first.Close(ctx)
	own := e.Usage().Memory()
	before := resident(b)
	const n = 20
	for range n {
		i, err := e.Instantiate(ctx)
		must(b, err)
		defer i.Close(ctx)
	}
	each := max(resident(b)-before, 0) / n
	fmt.Printf("BENCH idle_capsule %d bytes %d %.2f\n", each, own, float64(each)/float64(own))
}

// resident is the memory that the process holds.
func resident(b *testing.B) int {
	runtime.GC()
	debug.FreeOSMemory()
	s, err := os.ReadFile("/proc/self/statm")
	must(b, err)
	pages, err := strconv.Atoi(strings.Fields(string(s))[1])
	must(b, err)
	return pages * os.Getpagesize()
}
