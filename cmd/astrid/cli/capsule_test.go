package cli_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// toolTables make the guest a tool.
const toolTables = `
[[interceptor]]
event = "tool.v1.request.describe"
action = "tool_describe"
`

func TestCapsuleLife(t *testing.T) {
	p := newPlace(t).compiled()
	p.serve()
	one := p.pack("demo", "1.0.0", toolTables)
	two := p.pack("demo", "2.0.0", toolTables+"[capabilities]\nfs_read = [\"cwd://\"]\n")

	p.want(cli.ExitUsage, "capsule install "+one, "--yes")
	p.answer("n\n", cli.ExitError, "capsule install "+one, "handles tool.v1.request.describe", "nothing was installed")
	if p.state("demo") != "" {
		t.Fatal("a refused installation reached the daemon")
	}
	p.answer("y\n", cli.ExitOK, "capsule install "+one, "demo 1.0.0 is ready")
	p.want(cli.ExitOK, "capsule list", "demo", "1.0.0", "[user]", "exports: 0, imports: 0")
	p.want(cli.ExitOK, "capsule verify", "ok       demo 1.0.0")

	p.want(cli.ExitOK, "capsule update demo "+two+" --yes", "replaces version 1.0.0", "+ reads cwd://",
		"whose settings, secrets and grants it gets", "demo 2.0.0 is ready")
	p.want(cli.ExitError, "capsule install --yes "+one, "older than the installed 2.0.0", "--force")
	p.want(cli.ExitOK, "capsule install --yes --force "+one, "- reads cwd://", "demo 1.0.0 is ready")
	p.want(cli.ExitError, "capsule update other "+one+" --yes", "not installed", "installed are demo")

	info := decoded[struct {
		Name, Version string
		May           []string
		Running       struct{ State, Version string }
	}](p, "capsule info demo")
	if info.Name != "demo" || info.Version != "1.0.0" || info.Running.State != "ready" || !slices.Contains(info.May, "handles tool.v1.request.describe") {
		t.Errorf("info: %+v", info)
	}

	p.want(cli.ExitOK, "capsule disable demo", "disabled")
	if s := p.state("demo"); s != "disabled" {
		t.Errorf("disabled, the daemon says %q", s)
	}
	p.want(cli.ExitOK, "status", "disabled demo")
	p.want(cli.ExitOK, "capsule update demo "+two+" --yes", "it is disabled")
	if s := p.state("demo"); s != "disabled" {
		t.Errorf("updated while disabled, the daemon says %q", s)
	}
	p.want(cli.ExitOK, "capsule enable demo", "demo 2.0.0 is ready")

	p.want(cli.ExitOK, "capsule remove demo", "demo 2.0.0 is removed")
	if s := p.state("demo"); s != "" {
		t.Errorf("removed, the daemon says %q", s)
	}
	p.want(cli.ExitError, "capsule remove demo", "not installed")
	p.want(cli.ExitUsage, "capsule remove ../demo")
	if list := decoded[[]any](p, "capsule list"); len(list) != 0 {
		t.Errorf("still listed: %v", list)
	}
}

func TestCapsuleDependents(t *testing.T) {
	p := newPlace(t).compiled()
	p.serve()
	lib := p.pack("lib", "1.2.0", "[exports.test]\nthing = \"1.2.0\"\n")
	app := p.pack("app", "1.0.0", "[imports.test]\nthing = \"^1.0\"\nextra = { version = \"^1.0\", optional = true }\n")

	p.want(cli.ExitError, "capsule install --yes "+app, "app: it needs test/thing ^1.0", "--force")
	p.want(cli.ExitOK, "capsule install --yes "+lib)
	p.want(cli.ExitOK, "capsule install --yes "+app, "app 1.0.0 is ready")
	p.want(cli.ExitOK, "capsule tree", "exports: test/thing 1.2.0", "exported by: lib (1.2.0)", "exported by: none, optional")

	p.want(cli.ExitError, "capsule remove lib", "app needs test/thing ^1.0", "--force")
	if p.state("lib") != "ready" || !p.exists(".local", "capsules", "lib") {
		t.Fatal("a refused removal removed something")
	}
	p.want(cli.ExitError, "capsule install --yes "+p.pack("lib", "2.0.0", "[exports.test]\nthing = \"2.0.0\"\n"), "app: it needs")

	p.want(cli.ExitOK, "capsule install --yes "+p.pack("lib-too", "1.0.0", "[exports.test]\nthing = \"1.0.0\"\n"), "exported by lib 1.2.0 too")
	p.want(cli.ExitOK, "capsule remove lib-too")

	p.want(cli.ExitOK, "capsule disable lib", "app is refused")
	if s := p.state("app"); s != "refused" {
		t.Errorf("without its provider the app is %q", s)
	}
	p.want(cli.ExitOK, "capsule tree", "lib 1.2.0 (disabled)", "Unsatisfied imports", "app imports test/thing ^1.0")
	p.want(cli.ExitOK, "capsule enable lib")
	if s := p.state("app"); s != "ready" {
		t.Errorf("with its provider again the app is %q", s)
	}

	p.want(cli.ExitOK, "capsule remove lib --force", "app is refused")
	nodes := decoded[[]struct {
		Name    string
		Imports []struct{ Interface, Status string }
	}](p, "capsule tree")
	if len(nodes) != 1 || nodes[0].Imports[0].Status != "optional" || nodes[0].Imports[1].Status != "missing" {
		t.Errorf("tree: %+v", nodes)
	}
}

// netTables declare hosts; agreeing makes tokens.
const netTables = "[capabilities]\nnet = [\"api.example.org:8443\"]\n"

func TestConsentAndItsEnd(t *testing.T) {
	p := newPlace(t).compiled()
	one := p.pack("demo", "1.0.0", netTables)
	p.serve()
	p.want(cli.ExitOK, "capsule install --yes "+one, "network api.example.org:8443")
	want := []string{"net:https://api.example.org:8443/**", "net:http://api.example.org:8443/**"}
	same := func(when string, want []string) {
		t.Helper()
		got := p.tokens("demo")
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: tokens %v, want %v", when, got, want)
		}
	}
	same("installed", want)

	// Agreeing anew changes nothing, also for the next daemon; agreeing to something else ends it.
	p.want(cli.ExitOK, "capsule install --yes "+one)
	same("agreed to twice", want)
	p.stop()
	p.want(cli.ExitOK, "capsule install --yes "+one)
	p.serve()
	same("agreed to three times", want)
	p.want(cli.ExitOK, "caps revoke --capsule demo")
	p.want(cli.ExitOK, "capsule install --yes "+one)
	same("agreed to after it was taken back", want)
	p.want(cli.ExitOK, "capsule install --yes "+p.pack("demo", "2.0.0", "[capabilities]\nnet = [\"other.example.org\"]\n"))
	same("something else", []string{"net:https://other.example.org:443/**", "net:http://other.example.org:80/**"})
	p.want(cli.ExitOK, "capsule install --yes --force "+one)
	same("what it was", want)

	p.want(cli.ExitOK, "capsule remove demo")
	same("removed under a daemon", nil)
	p.want(cli.ExitOK, "capsule install --yes "+one)
	same("installed again", want)

	// Nobody is there to take the tokens back when it is removed, nor when it returns.
	p.stop()
	p.want(cli.ExitOK, "capsule remove demo", "the next daemon ends its grants")
	p.want(cli.ExitOK, "capsule install --yes "+p.pack("demo", "1.0.0", toolTables), "no daemon is running")
	p.serve()
	same("another capsule of the name", nil)
	if s := p.state("demo"); s != "ready" {
		t.Errorf("it is %q", s)
	}
}

func TestPurge(t *testing.T) {
	p := newPlace(t).compiled()
	p.serve()
	archive := p.pack("demo", "1.0.0", "[env]\ngreeting = { type = \"string\", default = \"hi\" }\n")
	install := "capsule install --yes " + archive
	p.want(cli.ExitOK, install+" --set greeting=hello")
	p.want(cli.ExitOK, "capsule logs demo", "install hook before=0")
	p.want(cli.ExitOK, "capsule remove demo")
	if !p.exists(".config", "env", "demo.env.json") {
		t.Error("settings went without --purge")
	}
	p.want(cli.ExitOK, install)
	p.want(cli.ExitOK, "capsule logs demo -n 1", "install hook before=1") // its data was there
	p.want(cli.ExitOK, "capsule info demo", "greeting = hello")

	p.want(cli.ExitOK, "capsule remove demo --purge")
	if p.exists(".config", "env", "demo.env.json") {
		t.Error("settings are still there")
	}
	p.want(cli.ExitOK, install)
	if out, _ := p.want(cli.ExitOK, "capsule logs demo", "install hook before=0"); strings.Count(out, "\n") != 1 {
		t.Errorf("the log was not emptied:\n%s", out)
	}
	// What a removal kept can be purged later.
	p.want(cli.ExitOK, "capsule remove demo")
	p.want(cli.ExitOK, "capsule remove demo --purge", "what was left of demo is deleted")
	p.want(cli.ExitOK, install)
	p.want(cli.ExitOK, "capsule logs demo -n 1", "install hook before=0")
}

func TestLifecycleHooks(t *testing.T) {
	p := newPlace(t).compiled()
	p.serve()
	one, two := p.pack("demo", "1.0.0", ""), p.pack("demo", "2.0.0", "")
	p.want(cli.ExitOK, "capsule install --yes "+one)
	p.want(cli.ExitOK, "capsule install --yes "+one)
	p.stop()
	p.serve()
	if out, _ := p.want(cli.ExitOK, "capsule logs demo"); strings.Count(out, "install hook") != 1 {
		t.Errorf("the hook must run once for an installation:\n%s", out)
	}
	p.want(cli.ExitOK, "capsule update demo "+two+" --yes")
	p.want(cli.ExitOK, "capsule logs demo", "upgrade hook from=1.0.0")

	bad := p.pack("bad", "1.0.0", "[env]\nfail = { type = \"string\", default = \"install\" }\n")
	p.want(cli.ExitDegraded, "capsule install --yes "+bad, "hook astrid_install failed", "astrid capsule logs bad")
	p.want(cli.ExitOK, "capsule logs bad", "cannot be installed here")
	if s := p.state("bad"); s != "refused" {
		t.Errorf("a capsule whose hook failed is %q", s)
	}
	p.want(cli.ExitOK, "capsule install --yes "+bad+" --set fail=no", "bad 1.0.0 is ready")
}

func TestVerifyFindsDamage(t *testing.T) {
	p := newPlace(t).compiled()
	p.want(cli.ExitOK, "capsule install --yes "+p.pack("demo", "1.0.0", ""))
	p.want(cli.ExitOK, "capsule install --yes "+p.pack("other", "1.0.0", ""))
	if err := os.WriteFile(p.path(".local", "capsules", "demo", "notes.txt"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.want(cli.ExitError, "capsule verify", "damaged  demo 1.0.0", "ok       other 1.0.0", "notes.txt", "1 of 2")
	p.want(cli.ExitError, "capsule verify demo")
	p.want(cli.ExitOK, "capsule verify other")
}

func TestInstallRefuses(t *testing.T) {
	p := newPlace(t).compiled()
	good := p.pack("demo", "1.0.0", "")
	b, err := os.ReadFile(filepath.Join(p.cwd, good))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"cut.capsule": b[:len(b)/2], "not.capsule": []byte("hello"), "raw.wasm": []byte("\x00asm")} {
		if err := os.WriteFile(filepath.Join(p.cwd, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for source, words := range map[string]string{
		"@org/name@x": "x", "http://example.org/x.capsule": "https",
		"missing": "nothing to install", "raw.wasm": "want a .capsule file", "cut.capsule": "", "not.capsule": "",
	} {
		code, _, stderr := p.run("", "capsule", "install", "--yes", source)
		if code != cli.ExitError && code != cli.ExitUsage || !strings.Contains(stderr, words) {
			t.Errorf("%s: exit %d: %s", source, code, stderr)
		}
	}
	if list := decoded[[]any](p, "capsule list"); len(list) != 0 || p.exists(".config", "env", "demo.env.json") {
		t.Errorf("something was installed: %v", list)
	}
}

func TestGC(t *testing.T) {
	p := newPlace(t)
	p.want(cli.ExitOK, "capsule install --yes "+p.pack("demo", "1.0.0", ""))
	stale := strings.Repeat("ab", 32)
	old := time.Now().Add(-2 * time.Hour)
	plant := func(path string) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	gone := []string{
		plant(filepath.Join(p.home.BinDir(), stale+".wasm")),
		plant(filepath.Join(p.home.CacheDir(), "code", stale+"-1-0a1b2c3d")),
		plant(filepath.Join(p.home.CacheDir(), "compile-1", "wazero", stale)),
	}
	gone = append(gone, filepath.Join(p.home.CacheDir(), "compile-1"), filepath.Join(p.home.CacheDir(), "compile-2"))
	if err := os.Mkdir(gone[len(gone)-1], 0o700); err != nil {
		t.Fatal(err)
	}
	running := plant(filepath.Join(p.home.CacheDir(), "compile-3", "running"))
	for _, dir := range []string{p.home.BinDir(), p.home.CacheDir()} {
		if err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			return os.Chtimes(path, old, old)
		}); err != nil {
			t.Fatal(err)
		}
	}
	other := plant(filepath.Join(p.home.CacheDir(), "needs.json"))
	if err := os.Chtimes(other, old, old); err != nil {
		t.Fatal(err)
	}
	code := machineCode(t, p.home)
	if now := time.Now(); os.Chtimes(running, now, now) != nil {
		t.Fatal(running)
	}
	young := plant(filepath.Join(p.home.BinDir(), strings.Repeat("cd", 32)+".wasm"))

	p.want(cli.ExitOK, "gc --dry-run", "would delete", "bin/"+stale+".wasm", "code/"+stale)
	for _, path := range append(gone, young) {
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("a dry run deleted %s", path)
		}
	}
	p.want(cli.ExitOK, "gc", "bin/"+stale+".wasm")
	for _, path := range gone {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	if _, err := os.Stat(other); err != nil {
		t.Error("what is no compiled code was deleted")
	}
	if _, err := os.Stat(running); err != nil {
		t.Error("what a running compilation has just written was deleted")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("what an installation may be about to record was deleted")
	}
	p.want(cli.ExitOK, "capsule verify demo")
	p.want(cli.ExitOK, "gc", "deleted 0 files")
	if got := machineCode(t, p.home); len(code) == 0 || !slices.Equal(got, code) {
		t.Errorf("compiled code is %q, it was %q", got, code)
	}
}

// machineCode lists the machine code in a home's cache.
func machineCode(t *testing.T, h home.Home) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(h.CacheDir(), "native", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}
