package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host/hosttest"
	"github.com/unicity-astrid/astrid-go/capsule"
	capstore "github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// hostileDeadline is the shortest that a call may have.
const hostileDeadline = time.Second

// hostileHome makes a home whose capsules have little time and no questions to ask.
func hostileHome(t testing.TB, o *Options, deadline time.Duration) {
	t.Helper()
	check(t, o.Home.Ensure())
	check(t, os.WriteFile(o.Home.ConfigFile(), fmt.Appendf(nil, "[limits]\ncall_deadline_secs = %d\n[workspace]\nmode = \"autonomous\"\n", deadline/time.Second), 0o600))
	p, err := o.Home.Principal(home.DefaultPrincipal)
	check(t, err)
	check(t, p.Ensure())
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// installGuest puts a capsule into the home as an installation would.
func installGuest(t testing.TB, h home.Home, name string, wasm []byte) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	check(t, os.Mkdir(dir, 0o700))
	manifest := fmt.Sprintf(`[package]
name = %q
version = "0.1.0"
description = "A guest of a test"

[[component]]
id = "main"
file = "guest.wasm"

[capabilities]
net = ["127.0.0.1:9"]
fs_read = ["*"]
fs_write = ["*"]
ipc_publish = ["t.v1.*", "hostile.v1.*"]
ipc_subscribe = ["t.v1.*"]

[[interceptor]]
event = "hostile.v1.%s"
action = "go"
`, name, strings.TrimPrefix(name, "hooks-"))
	check(t, os.WriteFile(filepath.Join(dir, capsule.ManifestName), []byte(manifest), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "guest.wasm"), wasm, 0o600))
	p, err := h.Principal(home.DefaultPrincipal)
	check(t, err)
	st := capstore.Store{Dir: p.CapsulesDir(), BinDir: h.BinDir(), WitDir: h.WitDir()}
	_, err = st.InstallPath(context.Background(), dir, capstore.InstallOptions{})
	check(t, err)
}

func hostileGuests(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "testdata", "guests", "hostile", "*.wasm"))
	check(t, err)
	out := make(map[string][]byte)
	for _, f := range files {
		b, err := os.ReadFile(f)
		check(t, err)
		out[strings.TrimSuffix(filepath.Base(f), ".wasm")] = b
	}
	return out
}

// innocent is a guest that works for a moment and answers 1.
func innocent() []byte {
	return hosttest.Module{Pages: 1, Data: []byte("1"), Funcs: []hosttest.Func{{
		Export: abi.ExportHookTrigger, Params: []byte{hosttest.I32}, Results: []byte{hosttest.I64}, Locals: 1,
		Code: hosttest.Code(hosttest.Times(100_000, 1), hosttest.Const64(1)),
	}}}.Bytes()
}

// callCapsule calls a capsule as the kernel and tells how long that took.
func callCapsule(k *Kernel, name string) (time.Duration, error) {
	start := time.Now()
	_, err := k.dispatcher.Invoke(context.Background(), name, &capsule.Invocation{Action: "go", Payload: []byte("1"), Principal: home.DefaultPrincipal})
	return time.Since(start), err
}

// statusTime is how long `astrid status` waits for its answer.
func statusTime(t testing.TB, k *Kernel) time.Duration {
	t.Helper()
	start := time.Now()
	p := connect(t, k)
	defer p.conn.Close()
	p.send(`{"topic":"astrid.v1.request.x","payload":{"type":"raw_json","method":"GetStatus"}}`)
	for p.recv().Topic != "astrid.v1.response.x" {
	}
	return time.Since(start)
}

// TestHostileGuestsTogether: all of them at once, in one daemon, beside one that is innocent. Clients and the innocent one
// are answered, each attack ends, and nothing of it is left.
func TestHostileGuestsTogether(t *testing.T) {
	guests := hostileGuests(t)
	delete(guests, "functions")      // it takes seconds to compile; the engine's own test has it
	const together = 3 * time.Second // some thirty guests want all of the processors, and so may other tests
	k := boot(t, func(o *Options) {
		hostileHome(t, o, together)
		for name, bin := range guests {
			installGuest(t, o.Home, name, bin)
		}
		installGuest(t, o.Home, "innocent", innocent())
	})
	if st := k.Status(); len(st.Capsules) != len(guests)+1 {
		t.Fatalf("%d capsules, want %d", len(st.Capsules), len(guests)+1)
	}
	for _, c := range k.Status().Capsules {
		if c.State != "ready" {
			t.Errorf("%s is %s: %s", c.Name, c.State, c.Reason)
		}
	}
	var attacks sync.WaitGroup
	for name := range guests {
		attacks.Go(func() {
			took, err := callCapsule(k, name)
			switch {
			case name == "run-loop" || name == "recv-loop":
				if !errors.Is(err, capsule.ErrRunLoop) {
					t.Errorf("%s: %v", name, err)
				}
			case err == nil:
				t.Errorf("%s ended by itself", name)
			case took > together+30*time.Second:
				t.Errorf("%s ended after %s", name, took)
			}
		})
	}
	for range 5 {
		statusTime(t, k)
		if _, err := callCapsule(k, "innocent"); err != nil {
			t.Errorf("the innocent guest: %v", err)
		}
	}
	attacks.Wait()
	// A call of a hook that was given up before it began leaves an instance that is as good as new.
	want := map[string]int{"run-loop": 1, "recv-loop": 1, "innocent": 1, "hooks-a": 1, "hooks-b": 1}
	for _, c := range k.Status().Capsules {
		if c.Instances > want[c.Name] {
			t.Errorf("%s has %d instances", c.Name, c.Instances)
		}
	}
	// The kernel listens for tools that are cancelled, the two run loops have theirs, and the one that waits what it waits
	// on. Those of clients go a moment after them.
	for limit := time.Now().Add(10 * time.Second); k.bus.Stats().Subscriptions > 4; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d subscriptions are left", k.bus.Stats().Subscriptions)
		}
	}
}

// BenchmarkHostileDaemon runs each guest in a daemon of its own: BENCH hostile_<what>_<guest> <ns> ns <limit> <ratio>, where
// what is status (the longest that a client waited), end (how long after its deadline the guest ended) or latency (the
// median of another capsule's calls, beside the median before).
func BenchmarkHostileDaemon(b *testing.B) {
	guests := hostileGuests(b)
	for _, name := range sortedKeys(guests) {
		b.Run(name, func(b *testing.B) {
			o := Options{Workspace: b.TempDir(), Version: "test"}
			dir, err := os.MkdirTemp("", "ak")
			check(b, err)
			defer os.RemoveAll(dir)
			o.Home, err = home.New(filepath.Join(dir, "home"))
			check(b, err)
			hostileHome(b, &o, hostileDeadline)
			installGuest(b, o.Home, name, guests[name])
			other := map[string]string{"hooks-a": "hooks-b", "hooks-b": "hooks-a"}[name]
			if other != "" {
				installGuest(b, o.Home, other, guests[other])
			}
			installGuest(b, o.Home, "innocent", innocent())
			loop := strings.HasSuffix(name, "-loop") && strings.HasPrefix(name, "r")
			k, err := Boot(context.Background(), o)
			check(b, err)
			defer func() { check(b, k.Shutdown("bench ended")) }()
			before := medianOf(func() bool { return false }, k, b)
			if loop { // it was running all the time: the comparison is with a daemon without it
				before = max(before, alone(b))
			}
			over := make(chan time.Duration, 1)
			done := make(chan struct{})
			go func() {
				defer close(done)
				if loop {
					time.Sleep(hostileDeadline)
					return
				}
				took, err := callCapsule(k, name)
				if err == nil {
					b.Errorf("%s ended by itself", name)
				}
				over <- took - hostileDeadline
			}()
			var status time.Duration
			during := medianOf(func() bool {
				status = max(status, statusTime(b, k))
				select {
				case <-done:
					return true
				default:
					return false
				}
			}, k, b)
			line := func(what string, v, ref time.Duration) {
				fmt.Printf("BENCH hostile_%s_%s %d ns %d %.3f\n", what, name, v.Nanoseconds(), ref.Nanoseconds(), float64(v)/float64(ref))
			}
			line("status", status, 200*time.Millisecond)
			line("latency", during, before)
			if !loop {
				line("end", max(<-over, 0), 100*time.Millisecond)
			}
		})
	}
}

// medianOf is the median latency of the innocent capsule over 40 calls, or as many as there are before end is true.
func medianOf(end func() bool, k *Kernel, b *testing.B) time.Duration {
	var all []time.Duration
	for len(all) < 40 && !(len(all) > 0 && end()) {
		d, err := callCapsule(k, "innocent")
		check(b, err)
		all = append(all, d)
		time.Sleep(10 * time.Millisecond)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// alone is the latency of the innocent capsule in a daemon without others.
var aloneOnce = struct {
	sync.Once
	d time.Duration
}{}

func alone(b *testing.B) time.Duration {
	aloneOnce.Do(func() {
		dir, err := os.MkdirTemp("", "ak")
		check(b, err)
		defer os.RemoveAll(dir)
		o := Options{Workspace: b.TempDir(), Version: "test"}
		o.Home, err = home.New(filepath.Join(dir, "home"))
		check(b, err)
		hostileHome(b, &o, hostileDeadline)
		installGuest(b, o.Home, "innocent", innocent())
		k, err := Boot(context.Background(), o)
		check(b, err)
		aloneOnce.d = medianOf(func() bool { return false }, k, b)
		check(b, k.Shutdown("measured"))
	})
	return aloneOnce.d
}

func sortedKeys(m map[string][]byte) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
