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
	cli.Program(t, "astrid-build")
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
ipc_publish = ["tool.v1.execute.*.result", "other.v1.request", "demo.v1.hook"]
ipc_subscribe = ["other.v1.response.*"]
net = ["api.example.org"]
host_process = ["git"]
identity = ["resolve"]
[env]
greeting = { type = "string", default = "hi" }
fail = { type = "string", default = "" }
[[interceptor]]
event = "tool.v1.execute.demo"
action = "tool_execute_demo"
[[interceptor]]
event = "tool.v1.execute.around"
action = "tool_execute_around"
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
	// What the world around it would answer is recorded too.
	around := `tool = "around"
want = '"201 {\"id\": 7}, 3 clean, hello, a+b, Ida true"'
[hooks]
"demo.v1.hook" = ['"a"', '"b"']
[users]
"chat/7" = "Ida"
[[http]]
method = "POST"
url = "https://api.example.org/v1/items?q=1"
body = '{"n": 1}'
status = 201
reply = '{"id": 7}'
[[run]]
argv = ["git", "status"]
exit = 3
stdout = "clean\n"
[[reply]]
to = "other.v1.request"
topic = "other.v1.response.{{ request_id }}"
payload = '{"text": "hello", "request_id": "{{ request_id }}"}'
`
	write("trials/around.toml", around)
	p.want(cli.ExitOK, "capsule test demo --update", "ok    around")
	calls = p.read(filepath.Join(p.cwd, "demo", "trials", "around.calls"))
	for _, line := range []string{"http POST https://api.example.org/v1/items?q=1 {\"n\": 1}: 201\n", "run [\"git\" \"status\"]: exit 3\n", "reply other.v1.response.r1 ", "hook demo.v1.hook null: \"a\", \"b\"\n"} {
		if !strings.Contains(calls, line) {
			t.Errorf("the record lacks %q:\n%s", line, calls)
		}
	}
	for _, c := range []struct{ old, with, says string }{
		{`"n": 1`, `"n": 2`, "no answer to POST https://api.example.org/v1/items?q=1"},
		{`"status"]`, `"diff"]`, "does not say what"},
		{`[[run]]`, "[[http]]\nurl = \"https://api.example.org/never\"\n[[run]]", "it never asked for GET https://api.example.org/never"},
		{`"chat/7"`, `"chat/8"`, "Ida true"},
		{`'"a"'`, `'a'`, "is not JSON"},
	} {
		write("trials/around.toml", strings.Replace(around, c.old, c.with, 1))
		p.want(cli.ExitError, "capsule test demo", "FAIL  around", c.says)
	}
	write("trials/around.toml", around)

	write("trials/installs.toml", "lifecycle = \"later\"\n")
	write("trials/says.toml", "tool = \"demo\"\nwand = 1\n")
	p.want(cli.ExitError, "capsule test demo", "a case has one of", "wand is no key")
}
