package cli_test

import (
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/secrets"
)

const envTables = `[env]
key = { type = "secret", request = "The key" }
size = { type = "string", enum_values = ["small", "large"] }
tags = { type = "array", default = "[]" }
greeting = { type = "string", default = "hi" }
`

func (p *place) env(name string) map[string]string {
	p.t.Helper()
	m, err := capsule.LoadManifest(p.path(".local", "capsules", name, capsule.ManifestName))
	if err != nil {
		p.t.Fatal(err)
	}
	env, err := capsule.Settings{Principal: home.DefaultPrincipal, Home: p.path(), Secrets: secrets.Open(p.home, secrets.Options{})}.Load(m)
	if err != nil {
		p.t.Fatal(err)
	}
	return env
}

func TestSettingsFromFlags(t *testing.T) {
	p := newPlace(t).compiled()
	install := "capsule install --yes " + p.pack("demo", "1.0.0", envTables)
	p.want(cli.ExitUsage, install, "demo needs key, size", "--set")
	p.want(cli.ExitUsage, install+" --set key=k --set size=huge", "one of small, large")
	p.want(cli.ExitUsage, install+" --set nothing=1", "greeting, key, size, tags")
	p.want(cli.ExitUsage, install+" --set key=k --set size=large --set tags=a", "JSON array")
	p.want(cli.ExitUsage, install+" --set key= --set size=large", "demo needs key")
	if p.exists(".local", "capsules", "demo") || p.exists(".config", "env", "demo.env.json") {
		t.Fatal("a refused installation left something")
	}
	_, stderr := p.want(cli.ExitOK, install+" --set key=geheim --set size=large")
	if want := map[string]string{"key": "geheim", "size": "large"}; !maps.Equal(p.env("demo"), want) {
		t.Errorf("settings: %v, want %v", p.env("demo"), want)
	}
	fi, err := os.Stat(p.path(".config", "env", "demo.env.json"))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the file of the settings: %v, %v", fi, err)
	}
	if raw, err := os.ReadFile(p.path(".config", "env", "demo.env.json")); err != nil || strings.Contains(string(raw), "geheim") {
		t.Errorf("the secret lies in the file of the settings: %s, %v", raw, err)
	}
	// A new version keeps them, and no output has the secret.
	out, more := p.want(cli.ExitOK, "capsule update demo --yes "+p.pack("demo", "2.0.0", envTables))
	info, _ := p.want(cli.ExitOK, "capsule info demo", "size = large", "greeting = hi (default)")
	js, _ := p.want(cli.ExitOK, "capsule info demo --json")
	for _, text := range []string{stderr, out, more, info, js} {
		if strings.Contains(text, "geheim") {
			t.Errorf("the secret is shown: %s", text)
		}
	}
}

func TestSettingsFromQuestions(t *testing.T) {
	p := newPlace(t).compiled()
	archive := p.pack("demo", "1.0.0", envTables)
	// By key: greeting takes its default, key is empty once, size is wrong once, tags are typed.
	p.answer("y\n\n\nk\nhuge\nlarge\na, b\n", cli.ExitOK, "capsule install "+archive, "The key", "(small, large)", "[hi]", "a value is needed", "one of small, large")
	if want := map[string]string{"key": "k", "size": "large", "tags": `["a","b"]`}; !maps.Equal(p.env("demo"), want) {
		t.Errorf("settings: %v, want %v", p.env("demo"), want)
	}
	// Who goes away in the middle has installed nothing, and lost nothing.
	p.answer("y\n", cli.ExitError, "capsule install "+p.pack("demo", "2.0.0", envTables+"more = { type = \"string\" }\n"), "no answer")
	p.want(cli.ExitOK, "capsule list", "1.0.0")
	if env := p.env("demo"); env["key"] != "k" {
		t.Errorf("settings: %v", env)
	}
}
