package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// pipe runs a command with text on a standard input that is no terminal.
func (p *place) pipe(text string, args ...string) (code int, output string) {
	var out bytes.Buffer
	code = cli.Main(args, cli.System{
		Stdin: strings.NewReader(text), Stdout: &out, Stderr: &out,
		Getenv: p.getenv, Getwd: func() (string, error) { return p.cwd, nil }, IsTerminal: func(any) bool { return false },
	})
	return code, out.String()
}

func TestSecret(t *testing.T) {
	p := newPlace(t).compiled()
	p.want(cli.ExitOK, "capsule install --yes "+p.pack("demo", "1.0.0", envTables)+" --set key=first --set size=large")
	p.want(cli.ExitUsage, "secret set demo", "accepts 2 arg")
	p.want(cli.ExitUsage, "secret set demo key value", "accepts 2 arg") // never on the command line
	p.want(cli.ExitError, "secret set nothing key", "not installed")
	p.want(cli.ExitError, "secret set demo greeting", "a setting and no secret")
	if code, out := p.pipe("x", "secret", "set", "demo", "tokn"); code != cli.ExitOK || !strings.Contains(out, "declares no secret tokn (it has key)") {
		t.Errorf("one that is not declared: code %d: %s", code, out)
	}
	p.want(cli.ExitOK, "secret delete demo tokn")
	p.want(cli.ExitUsage, "secret set demo a:b", "must not contain ':'")

	if code, out := p.pipe("second\r\n", "secret", "set", "demo", "key"); code != cli.ExitOK || strings.Contains(out, "second") {
		t.Errorf("code %d: %s", code, out)
	}
	if got := p.env("demo")["key"]; got != "second" {
		t.Errorf("stored %q", got)
	}
	if code, out := p.pipe("", "secret", "set", "demo", "key"); code != cli.ExitError || !strings.Contains(out, "must not be empty") {
		t.Errorf("an empty one: code %d: %s", code, out)
	}
	p.answer("third\n", cli.ExitOK, "secret set demo key", "The key")
	if got := p.env("demo")["key"]; got != "third" {
		t.Errorf("typed, stored %q", got)
	}
	out, _ := p.want(cli.ExitOK, "secret list", "demo", "key")
	js, _ := p.want(cli.ExitOK, "secret list demo --json", `"name": "key"`, `"set_at"`)
	if strings.Contains(out+js, "third") {
		t.Errorf("a list shows the value: %s %s", out, js)
	}
	p.want(cli.ExitOK, "secret list --principal alice", "no secrets")
	p.want(cli.ExitOK, "secret delete demo key", "deleted")
	p.want(cli.ExitError, "secret delete demo key", "has no secret")
	p.want(cli.ExitOK, "capsule info demo", "key")

	// Secrets go when the capsule is purged.
	p.answer("fourth\n", cli.ExitOK, "secret set demo key")
	p.want(cli.ExitOK, "capsule remove demo")
	p.want(cli.ExitOK, "secret list", "demo")
	p.want(cli.ExitOK, "capsule remove demo --purge")
	p.want(cli.ExitOK, "secret list", "no secrets")
}

// TestSecretsMoveOver: what earlier versions kept in the env file is taken into the store.
func TestSecretsMoveOver(t *testing.T) {
	p := newPlace(t).compiled()
	p.want(cli.ExitOK, "capsule install --yes "+p.pack("demo", "1.0.0", envTables)+" --set key=k --set size=large")
	env := p.path(".config", "env", "demo.env.json")
	if err := os.WriteFile(env, []byte(`{"key":"old-plain","size":"small"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p.serve()
	raw, err := os.ReadFile(env)
	if err != nil || strings.Contains(string(raw), "old-plain") || !strings.Contains(string(raw), "small") {
		t.Errorf("the env file after a boot: %s, %v", raw, err)
	}
	if got := p.env("demo"); got["key"] != "old-plain" || got["size"] != "small" {
		t.Errorf("settings %v", got)
	}

	// What a capsule lacks is shown, and told to clients that come later.
	p.want(cli.ExitOK, "secret delete demo key")
	p.want(cli.ExitOK, "status", "it lacks settings: key")
	conn, err := client.Dial(t.Context(), p.home, cli.Version)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Subscribe(t.Context(), abi.ClientSubscribe{Topics: []string{abi.TopicOnboardingRequired}}); err != nil {
		t.Fatal(err)
	}
	var o abi.OnboardingRequired
	if err := json.Unmarshal((<-conn.Messages()).Payload, &o); err != nil || o.CapsuleID != "demo" || len(o.Fields) != 1 || o.Fields[0].FieldType.Name != "Secret" {
		t.Errorf("told %+v, %v", o, err)
	}
	p.answer("new one\n", cli.ExitOK, "secret set demo key")
	if out, _ := p.want(cli.ExitOK, "status"); strings.Contains(out, "lacks") {
		t.Errorf("after it was set: %s", out)
	}
}
