package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// The parts of a module that exports what a capsule must export.
var (
	wasmHead = "\x00asm\x01\x00\x00\x00" +
		"\x01\x09\x02\x60\x01\x7f\x01\x7e\x60\x00\x00" + // types (i32) -> i64 and () -> ()
		"\x03\x03\x02\x00\x01" + "\x05\x03\x01\x00\x01" + // two functions, one page of memory
		"\x07\x2e\x03\x06memory\x02\x00\x13astrid_hook_trigger\x00\x00\x0b_initialize\x00\x01"
	wasmQuiet    = wasmHead + "\x0a\x09\x02\x04\x00\x42\x00\x0b\x02\x00\x0b" // both return
	wasmTrapHook = wasmHead + "\x0a\x08\x02\x03\x00\x00\x0b\x02\x00\x0b"
)

// plant puts a capsule into a home as an installer would have left it. change spoils its record.
func (b *box) plant(name, manifest, wasm string, change func(meta map[string]any)) {
	b.t.Helper()
	dir := filepath.Join(b.home, "home/default/.local/capsules", name)
	meta := map[string]any{
		"version": "0.1.0", "installed_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "wasm_hash": capsule.Hash([]byte(wasm)),
	}
	if change != nil {
		change(meta)
	}
	record, err := json.Marshal(meta)
	err = errors.Join(err, os.MkdirAll(dir, 0o700),
		os.WriteFile(filepath.Join(dir, "Capsule.toml"), []byte(manifest), 0o600),
		os.WriteFile(filepath.Join(dir, "main.wasm"), []byte(wasm), 0o600),
		os.WriteFile(filepath.Join(dir, "meta.json"), record, 0o600))
	if err != nil {
		b.t.Fatal(err)
	}
}

// manifest is that of a capsule with the given name, and more.
func manifest(name, more string) string {
	return "[package]\nname = \"" + name + "\"\nversion = \"0.1.0\"\n\n[[component]]\nid = \"main\"\nfile = \"main.wasm\"\n\n" + more
}

// TestRefusedCapsules: what is wrong with a capsule keeps it, and only it, from starting;
// status names it and the reason.
func TestRefusedCapsules(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	hook := "[[interceptor]]\nevent = \"x.v1.y\"\naction = \"a\"\n"
	for _, c := range []struct {
		name, manifest, wasm string
		change               func(map[string]any)
	}{
		{"good", manifest("good", hook), wasmQuiet, nil},
		{"wrong-hash", manifest("wrong-hash", hook), wasmQuiet, func(m map[string]any) { m["wasm_hash"] = capsule.Hash([]byte("other")) }},
		{"no-hash", manifest("no-hash", hook), wasmQuiet, func(m map[string]any) { delete(m, "wasm_hash") }},
		{"unknown-key", manifest("unknown-key", "colour = \"blue\"\n"), wasmQuiet, nil},
		{"lonely", manifest("lonely", "[imports.astrid]\nteleport = \"^1.0\"\n"), wasmQuiet, nil},
		{"ring-a", manifest("ring-a", "[imports.test]\nb = \"^1.0\"\n[exports.test]\na = \"1.0.0\"\n"), wasmQuiet, nil},
		{"ring-b", manifest("ring-b", "[imports.test]\na = \"^1.0\"\n[exports.test]\nb = \"1.0.0\"\n"), wasmQuiet, nil},
		{"no-wasm", manifest("no-wasm", hook), "this is not WebAssembly", nil},
		{"needs-bad", manifest("needs-bad", "[imports.test]\ngone = \"^1.0\"\n"), wasmQuiet, nil},
		{"bad-exporter", manifest("bad-exporter", "[exports.test]\ngone = \"1.0.0\"\n"), "neither", nil},
	} {
		b.plant(c.name, c.manifest, c.wasm, c.change)
	}
	reasons := map[string]string{
		"wrong-hash": "main.wasm has hash", "no-hash": "records none", "unknown-key": "colour",
		"lonely": "astrid/teleport", "ring-a": "cycle", "ring-b": "cycle",
		"no-wasm": "no wasm 1.0 header", "needs-bad": "gone", "bad-exporter": "no wasm 1.0 header",
	}
	r := b.run("", "start").want(t, 0, "started")
	for name := range reasons {
		r.says(t, "astrid: capsule "+name+" is ")
	}
	stock, err := filepath.Glob(filepath.Join(offline, "home/default/.local/capsules/astrid-*"))
	if err != nil {
		t.Fatal(err)
	}
	all := len(stock) + len(reasons) + 1
	text := b.run("", "status").want(t, 6, fmt.Sprintf("%d of %d ready", len(stock)+1, all)).out
	st := b.status()
	states := map[string]string{}
	for _, c := range st.Capsules {
		states[c.Name] = c.State
		want, bad := reasons[c.Name]
		if !bad {
			if c.State != "ready" {
				t.Errorf("%s is %s: %s", c.Name, c.State, c.Reason)
			}
			continue
		}
		if c.State == "ready" {
			t.Errorf("%s is ready", c.Name)
		}
		if !strings.Contains(c.Reason, want) {
			t.Errorf("%s: the reason is %q", c.Name, c.Reason)
		}
		if first, _, _ := strings.Cut(c.Reason, "\n"); !strings.Contains(text, first) {
			t.Errorf("status does not show the reason of %s", c.Name)
		}
	}
	if states["good"] != "ready" || len(states) != all {
		t.Errorf("states: %v", states)
	}
	b.run("", "-p", "hello").want(t, 0, "I am the offline provider")
}

// TestTampered: an installed binary or manifest that was changed is not loaded, and says so;
// without the agent loop a prompt fails at once, with what to do.
func TestTampered(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	dir := filepath.Join(b.home, "home/default/.local/capsules/astrid-capsule-react")
	text, err := os.ReadFile(filepath.Join(dir, "Capsule.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Capsule.toml"), append(text, "# more\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	b.run("", "start").want(t, 0).says(t, "capsule astrid-capsule-react is refused", "install it again")
	b.run("", "-p", "hello").want(t, 1).says(t, "no capsule handles user.v1.prompt", "astrid status", "astrid init")
	b.run("", "init", "--yes").want(t, 0)
	b.run("", "-p", "hello").want(t, 0, "I am the offline provider")
	b.run("", "status").want(t, 0)
}

// TestLoopDies: when the capsule that has the turns dies, clients hear of it at once.
func TestLoopDies(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	if err := os.RemoveAll(filepath.Join(b.home, "home/default/.local/capsules/astrid-capsule-react")); err != nil {
		t.Fatal(err)
	}
	b.plant("dying-loop", manifest("dying-loop", "[[interceptor]]\nevent = \"user.v1.prompt\"\naction = \"a\"\n"), wasmTrapHook, nil)
	r := b.run("", "-p", "hello").want(t, 4).says(t, "dying-loop", "unreachable")
	if r.out != "" {
		t.Errorf("standard output: %q", r.out)
	}
	b.run("", "--output-format", "json", "-p", "hello").want(t, 4, `"stop_reason": "error"`, "dying-loop")
}
