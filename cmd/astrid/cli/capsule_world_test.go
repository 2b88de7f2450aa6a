package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
	engine "github.com/unicity-astrid/astrid-go/capsule/engine/wasm"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
	"github.com/unicity-astrid/astrid-go/kernel"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/testdata/compiled"
)

// place is a home without any capsule, in which commands run in this process.
type place struct {
	t    *testing.T
	home home.Home
	cwd  string
	k    *kernel.Kernel
	// environ are variables that commands see besides the home.
	environ map[string]string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles a guest")
	}
	dir, err := os.MkdirTemp("", "ac") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h, err := home.New(filepath.Join(dir, "h"))
	if err != nil {
		t.Fatal(err)
	}
	return &place{t: t, home: h, cwd: t.TempDir()}
}

// compiledGuest is a compile cache with the guest in it, made once.
var compiledGuest = sync.OnceValues(func() (string, error) {
	wasm, err := guest()
	if err != nil {
		return "", err
	}
	dir, err := cli.Scratch("guest")
	if err != nil {
		return "", err
	}
	return dir, engine.Precompile(context.Background(), dir, [][]byte{wasm}, nil)
})

// compiled gives the place a cache that has the guest: compiling takes longer than a test.
func (p *place) compiled() *place {
	p.t.Helper()
	dir, err := compiledGuest()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := compiled.Link(dir, p.home); err != nil {
		p.t.Fatal(err)
	}
	return p
}

// serve boots a daemon for the home, in this process.
func (p *place) serve() {
	p.t.Helper()
	k, err := kernel.Boot(p.t.Context(), kernel.Options{Home: p.home, Workspace: p.cwd, Version: cli.Version})
	if err != nil {
		p.t.Fatal(err)
	}
	p.k = k
	p.t.Cleanup(p.stop)
}

func (p *place) stop() {
	if p.k == nil {
		return
	}
	if err := p.k.Shutdown("test"); err != nil {
		p.t.Errorf("shutdown: %v", err)
	}
	p.k = nil
}

// getenv is the environment of commands.
func (p *place) getenv(name string) (string, bool) {
	switch name {
	case "ASTRID_HOME":
		return p.home.Root(), true
	case "ASTRID_SECRETS_STORE":
		return "file", true // not in the keyring of whoever runs the tests
	}
	v, ok := p.environ[name]
	return v, ok
}

// run runs a command line; stdin counts as a terminal when there is something in it.
func (p *place) run(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	in := strings.NewReader(stdin)
	code = cli.Main(args, cli.System{
		Stdin: in, Stdout: &out, Stderr: &errs,
		Getenv:     p.getenv,
		Getwd:      func() (string, error) { return p.cwd, nil },
		IsTerminal: func(s any) bool { return s == any(in) && stdin != "" },
	})
	return code, out.String(), errs.String()
}

// want runs a command line that must end with a code, and say each of the words, on either
// stream.
func (p *place) want(code int, command string, words ...string) (stdout, stderr string) {
	p.t.Helper()
	return p.answer("", code, command, words...)
}

// answer is want with somebody at the terminal.
func (p *place) answer(stdin string, code int, command string, words ...string) (stdout, stderr string) {
	p.t.Helper()
	got, stdout, stderr := p.run(stdin, strings.Fields(command)...)
	if got != code {
		p.t.Fatalf("astrid %s: exit %d, want %d\n%s%s", command, got, code, stdout, stderr)
	}
	for _, w := range words {
		if !strings.Contains(stdout+stderr, w) {
			p.t.Errorf("astrid %s did not say %q:\n%s%s", command, w, stdout, stderr)
		}
	}
	return stdout, stderr
}

// decoded runs a command line with --json and decodes what it printed.
func decoded[T any](p *place, command string) T {
	p.t.Helper()
	out, _ := p.want(cli.ExitOK, command+" --json")
	var v T
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		p.t.Fatalf("astrid %s: %v in %s", command, err, out)
	}
	return v
}

// state is what the daemon says about a capsule, "" when it does not know it.
func (p *place) state(name string) string {
	p.t.Helper()
	var state string
	for _, c := range p.k.Status().Capsules {
		if c.Name == name && state != "refused" {
			state = c.State
		}
	}
	return state
}

// path is a file below the principal's home.
func (p *place) path(elem ...string) string {
	return filepath.Join(append([]string{p.home.PrincipalsDir(), home.DefaultPrincipal}, elem...)...)
}

func (p *place) exists(elem ...string) bool {
	_, err := os.Stat(p.path(elem...))
	return err == nil
}

// guest compiles the guest of the tests, once.
var guest = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, "./testdata/guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, text)
	}
	return os.ReadFile(out)
})

// pack makes an archive of the guest with a manifest that begins with name and version.
func (p *place) pack(name, version, more string) string {
	p.t.Helper()
	wasm, err := guest()
	if err != nil {
		p.t.Fatal(err)
	}
	manifest := fmt.Sprintf("[package]\nname = %q\nversion = %q\n\n[[component]]\nid = %q\nfile = \"g.wasm\"\n\n%s\n", name, version, name, more)
	var b bytes.Buffer
	if err := store.Pack(&b, []store.File{{Name: capsule.ManifestName, Data: []byte(manifest)}, {Name: "g.wasm", Data: wasm}, {Name: "notes.txt", Data: []byte(version)}}); err != nil {
		p.t.Fatal(err)
	}
	path := filepath.Join(p.cwd, name+"-"+version+".capsule")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return filepath.Base(path)
}

// tokens lists the active grants of a capsule.
func (p *place) tokens(name string) []string {
	p.t.Helper()
	var out []string
	for _, g := range decoded[[]abi.GrantInfo](p, "caps") {
		if g.Capsule == name && g.Status == "active" {
			out = append(out, g.Pattern)
		}
	}
	return out
}
