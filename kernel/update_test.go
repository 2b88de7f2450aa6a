package kernel

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// demoGuest compiles a capsule with one tool, demo, which says its setting "greeting".
var demoGuest = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, "../cmd/astrid/cli/testdata/guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, text)
	}
	return os.ReadFile(out)
})

// putDemo installs a version of the demo capsule whose tool says greeting.
func putDemo(t *testing.T, h home.Home, version, greeting string) {
	t.Helper()
	putGuest(t, h, "demo", version, greeting)
}

// putGuest installs it under another name.
func putGuest(t *testing.T, h home.Home, name, version, greeting string) {
	t.Helper()
	wasm, err := demoGuest()
	if err != nil {
		t.Fatal(err)
	}
	manifest := fmt.Sprintf(`[package]
name = %q
version = %q
[[component]]
id = "demo"
file = "g.wasm"
[capabilities]
ipc_publish = ["tool.v1.execute.demo.result"]
[env]
greeting = { type = "string", default = %q }
[[interceptor]]
event = "tool.v1.execute.demo"
action = "tool_execute_demo"
`, name, version, greeting)
	var b bytes.Buffer
	if err := store.Pack(&b, []store.File{{Name: capsule.ManifestName, Data: []byte(manifest)}, {Name: "g.wasm", Data: wasm}}); err != nil {
		t.Fatal(err)
	}
	p, err := h.Principal(home.DefaultPrincipal)
	if err != nil {
		t.Fatal(err)
	}
	s := store.Store{Dir: p.CapsulesDir(), BinDir: h.BinDir(), WitDir: h.WitDir()}
	if _, err := s.InstallArchive(t.Context(), &b, store.InstallOptions{}); err != nil {
		t.Fatal(err)
	}
}

// A capsule is updated while 1,000 calls go to it: each is answered exactly once, in the words
// of one of the versions, and whatever is asked after the update in those of the new one.
func TestUpdateUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a guest")
	}
	const calls, at, inFlight = 1000, 300, 32
	k := boot(t, func(o *Options) {
		if err := o.Home.Ensure(); err != nil {
			t.Fatal(err)
		}
		putDemo(t, o.Home, "1.0.0", "one")
	})
	sub, err := k.bus.Subscribe(abi.TopicToolExecutePrefix+"demo.result", ipc.SubscribeOptions{Capacity: calls})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	slots := make(chan struct{}, inFlight)
	var mu sync.Mutex
	newAfter := make(map[string]bool) // calls that were made after the update
	updated := false
	var update sync.WaitGroup
	go func() {
		for n := range calls {
			if n == at {
				update.Go(func() {
					putDemo(t, k.opts.Home, "2.0.0", "two")
					if err := k.loadAll(k.ctx); err != nil {
						t.Error(err)
					}
					mu.Lock()
					updated = true
					mu.Unlock()
				})
			}
			if n == calls-100 {
				update.Wait() // there must be calls after it
			}
			slots <- struct{}{}
			id := fmt.Sprint("call-", n)
			mu.Lock()
			newAfter[id] = updated
			mu.Unlock()
			raw, err := json.Marshal(abi.ToolExecuteRequest{CallID: id, ToolName: "demo", Arguments: []byte("{}")})
			if err != nil {
				t.Error(err)
			}
			p, err := ipc.RawJSON(json.RawMessage(raw))
			if err == nil {
				err = k.publish(k.ctx, abi.TopicToolExecutePrefix+"demo", p)
			}
			if err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
	}()
	said := make(map[string]string)
	var words []string
	for len(said) < calls {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		m, err := sub.Recv(ctx)
		cancel()
		if err != nil {
			t.Fatalf("%d of %d calls were answered: %v", len(said), calls, err)
		}
		var r abi.ToolExecuteResult
		if err := json.Unmarshal(m.Payload.Tagged(), &r); err != nil {
			t.Fatal(err)
		}
		if before, twice := said[r.CallID]; twice {
			t.Fatalf("%s was answered twice: %s, %s", r.CallID, before, r.Result.Content)
		}
		said[r.CallID] = r.Result.Content
		if !slices.Contains(words, r.Result.Content) {
			words = append(words, r.Result.Content)
		}
		mu.Lock()
		if newAfter[r.CallID] && r.Result.Content != `"two"` {
			t.Errorf("%s came after the update, and was answered %q", r.CallID, r.Result.Content)
		}
		mu.Unlock()
		<-slots
	}
	if !slices.Equal(words, []string{`"one"`, `"two"`}) {
		t.Errorf("the answers were %q", words)
	}
}

// What changes on disk is taken without anybody saying so.
func TestInstalledIsWatched(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a guest")
	}
	k := boot(t)
	await := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s was not noticed", what)
			}
		}
	}
	version := func() string {
		c := k.registry.Get("demo")
		if c == nil {
			return ""
		}
		return c.Manifest().Package.Version.String()
	}
	putDemo(t, k.opts.Home, "1.0.0", "one")
	await("an installation", func() bool { return version() == "1.0.0" })
	putDemo(t, k.opts.Home, "1.1.0", "one")
	await("an update", func() bool { return version() == "1.1.0" })
	p, err := k.opts.Home.Principal(home.DefaultPrincipal)
	if err != nil {
		t.Fatal(err)
	}
	before := k.registry.Get("demo")
	if err := capsule.SaveEnv(capsule.EnvPath(p.Root(), "demo"), map[string]string{"greeting": "hello"}); err != nil {
		t.Fatal(err)
	}
	await("a setting", func() bool { return k.registry.Get("demo") != before })
	if err := os.RemoveAll(filepath.Join(p.CapsulesDir(), "demo")); err != nil {
		t.Fatal(err)
	}
	await("a removal", func() bool { return version() == "" })
}

// What is installed while the version before is being loaded is loaded by the next reload, whichever asks for it.
func TestInstalledWhileLoading(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a guest")
	}
	k := boot(t, func(o *Options) {
		if err := o.Home.Ensure(); err != nil {
			t.Fatal(err)
		}
		putDemo(t, o.Home, "1.0.0", "one")
	})
	manifest := k.registry.Get("demo").Manifest()
	from := k.fingerprint(manifest)
	c, err := k.loadOne(k.ctx, manifest)
	if err != nil {
		t.Fatal(err)
	}
	putDemo(t, k.opts.Home, "2.0.0", "two")
	if err := k.enter(k.ctx, c, from); err != nil {
		t.Fatal(err)
	}
	if err := k.loadAll(k.ctx); err != nil {
		t.Fatal(err)
	}
	if v := k.registry.Get("demo").Manifest().Package.Version.String(); v != "2.0.0" {
		t.Errorf("version %s runs", v)
	}
}
