package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

func TestCapsuleTest(t *testing.T) {
	p := newPlace(t)
	p.programs("astrid-build")
	wasm, err := guest()
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(p.cwd, "demo", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("g.wasm", string(wasm))
	write("Capsule.toml", `[package]
name = "demo"
version = "1.0.0"
[[component]]
id = "demo"
file = "g.wasm"
[capabilities]
ipc_publish = ["tool.v1.execute.demo.result"]
[env]
greeting = { type = "string", default = "hi" }
fail = { type = "string", default = "" }
[[interceptor]]
event = "tool.v1.execute.demo"
action = "tool_execute_demo"
`)
	p.want(cli.ExitUsage, "capsule test demo", "there is no case")
	write("trials/says.toml", "tool = \"demo\"\nwant = '\"hello\"'\n[config]\ngreeting = \"hello\"\n")
	write("trials/installs.toml", "lifecycle = \"install\"\n[kv]\ncount = \"4\"\n")
	write("trials/refuses.toml", "lifecycle = \"install\"\nfails = true\n[config]\nfail = \"install\"\n")
	p.want(cli.ExitError, "capsule test demo", "FAIL  says", "not recorded yet")
	p.want(cli.ExitOK, "capsule test demo --update", "ok    says", "ok    installs", "ok    refuses")
	p.want(cli.ExitOK, "capsule test demo", "ok    says")
	calls := p.read(filepath.Join(p.cwd, "demo", "trials", "installs.calls"))
	for _, line := range []string{"kv_get", "log info install hook before=4", "kv_set"} {
		if !strings.Contains(calls, line) {
			t.Errorf("the record lacks %q:\n%s", line, calls)
		}
	}
	write("trials/installs.toml", "lifecycle = \"install\"\n[kv]\ncount = \"5\"\n")
	p.want(cli.ExitError, "capsule test demo", "FAIL  installs", "before=5", "recorded is", "1 of 3 cases failed")
	write("trials/installs.toml", "lifecycle = \"later\"\n")
	write("trials/says.toml", "tool = \"demo\"\nwand = 1\n")
	p.want(cli.ExitError, "capsule test demo", "a case has one of", "wand is no key")
}
