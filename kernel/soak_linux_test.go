package kernel

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// soak is how often something is done: full with ASTRID_SOAK set (make soak-kernel), else short.
func soak(short, full int) int {
	if os.Getenv("ASTRID_SOAK") != "" {
		return full
	}
	return short
}

// footprint is what a process holds.
type footprint struct {
	rss, goroutines, files int
}

func measure(t *testing.T) footprint {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	check(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	check(t, err)
	fds, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	return footprint{pages * os.Getpagesize(), runtime.NumGoroutine(), len(fds)}
}

// flat fails the test if more is held than before, but for what varies anyhow. What goes in the
// background is waited for.
func flat(t *testing.T, before footprint, what string) {
	t.Helper()
	var now footprint
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		now = measure(t)
		if now.rss <= before.rss+16<<20 && now.goroutines <= before.goroutines+2 && now.files <= before.files+2 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("%s: %+v, before %+v", what, now, before)
		}
	}
	t.Logf("%s: %d MiB, %d goroutines, %d files; before %d MiB, %d, %d", what, now.rss>>20, now.goroutines, now.files, before.rss>>20, before.goroutines, before.files)
}

// busy is a guest that subscribes, publishes, keeps a value and logs, and then traps if trap is set.
func busy(trap bool) []byte {
	n := func(at, n int) []byte { return hosttest.Code(hosttest.Const32(at), hosttest.Const32(n)) }
	code := hosttest.Code(
		n(0, 6), hosttest.Call(0), hosttest.Drop, n(32, 32), hosttest.Call(5), hosttest.Set(1), // subscribe to t.v1.a, take the handle
		n(0, 6), n(6, 1), hosttest.Call(1), hosttest.Drop, // publish 1 there
		n(0, 6), n(0, 6), hosttest.Call(2), hosttest.Drop, // keep a value
		hosttest.Const32(32), hosttest.Get(1), hosttest.Call(4), hosttest.Drop, // unsubscribe
		n(0, 0), n(0, 6), hosttest.Call(3), hosttest.Drop)
	if trap {
		code = hosttest.Code(code, hosttest.Trap)
	}
	return hosttest.Module{
		Imports: []hosttest.Import{hosttest.Native(abi.IpcSubscribe, 1), hosttest.Native(abi.IpcPublish, 2), hosttest.Native(abi.KvSet, 2), hosttest.Native(abi.Log, 2), hosttest.Native(abi.IpcUnsubscribe, 1), hosttest.Take},
		Pages:   1, Data: []byte("t.v1.a1"),
		Funcs: []hosttest.Func{{Export: abi.ExportHookTrigger, Params: []byte{hosttest.I32}, Results: []byte{hosttest.I64}, Locals: 1, Code: hosttest.Code(code, hosttest.Const64(0))}},
	}.Bytes()
}

// pdk is a guest of the Extism convention that makes a block and gives its input back.
func pdk() []byte {
	i64 := []byte{hosttest.I64}
	return hosttest.Module{
		Imports: []hosttest.Import{
			hosttest.Env("alloc", i64, i64), hosttest.Env("input_offset", nil, i64), hosttest.Env("input_length", nil, i64),
			hosttest.Env("output_set", []byte{hosttest.I64, hosttest.I64}, nil), hosttest.Extism(abi.ClockMs, 0, true),
		},
		Funcs: []hosttest.Func{{Export: abi.ExportHookTrigger, Results: []byte{hosttest.I32}, Code: hosttest.Code(
			hosttest.Const64(1<<16), hosttest.Call(0), hosttest.Drop, hosttest.Call(4), hosttest.Drop,
			hosttest.Call(1), hosttest.Call(2), hosttest.Call(3), hosttest.Const32(0))}},
	}.Bytes()
}

// TestSoakCalls: after thousands of calls of capsules of both conventions, some of which trap each time, the daemon
// holds what it held before.
func TestSoakCalls(t *testing.T) {
	guests := map[string][]byte{"busy": busy(false), "traps": busy(true), "pdk": pdk()}
	k := boot(t, func(o *Options) {
		hostileHome(t, o, hostileDeadline)
		for name, bin := range guests {
			installGuest(t, o.Home, name, bin)
		}
	})
	calls := func(n int) {
		for range n {
			for name := range guests {
				if _, err := callCapsule(k, name); (err != nil) != (name == "traps") {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
	}
	n := soak(900, 10_002) / len(guests)
	calls(n / 3)
	before, subs := measure(t), k.bus.Stats().Subscriptions
	calls(n)
	flat(t, before, strconv.Itoa(n*len(guests))+" calls")
	if now := k.bus.Stats().Subscriptions; now > subs {
		t.Errorf("%d subscriptions, before %d", now, subs)
	}
}

// TestSoakLoads: after loading and unloading a capsule hundreds of times, the daemon holds what it held before.
func TestSoakLoads(t *testing.T) {
	k := boot(t, func(o *Options) {
		hostileHome(t, o, hostileDeadline)
		installGuest(t, o.Home, "busy", busy(false))
		installGuest(t, o.Home, "recv-loop", hostileGuests(t)["recv-loop"])
	})
	p, err := k.opts.Home.Principal(home.DefaultPrincipal)
	check(t, err)
	manifests := capsule.Discover(p.CapsulesDir()).Manifests
	loads := func(n int) {
		for range n {
			for _, m := range manifests {
				k.unload(t.Context(), m.ID())
				c, err := k.loadOne(t.Context(), m)
				check(t, err)
				check(t, k.enter(t.Context(), c, k.fingerprint(m)))
			}
			if _, err := callCapsule(k, "busy"); err != nil {
				t.Fatal(err)
			}
		}
	}
	n := soak(100, 500) / len(manifests)
	loads(max(n/3, 10))
	before, subs := measure(t), k.bus.Stats().Subscriptions
	loads(n)
	flat(t, before, strconv.Itoa(n*len(manifests))+" loads")
	if now := k.bus.Stats().Subscriptions; now > subs+1 { // the run loop may be about to subscribe, or not yet
		t.Errorf("%d subscriptions, before %d", now, subs)
	}
	if left, err := filepath.Glob(filepath.Join(k.opts.Home.CacheDir(), "*", "new-*")); err != nil || len(left) > 0 {
		t.Errorf("left in the cache: %q %v", left, err)
	}
}
