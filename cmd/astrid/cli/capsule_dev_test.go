package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

// heard is output that grows while a command runs.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

func TestCapsuleDev(t *testing.T) {
	p := newPlace(t).compiled()
	wasm, err := guest()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(p.cwd, "demo")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := capsule.WriteFileAtomic(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	manifest := func(version, more string) string {
		return "[package]\nname = \"demo\"\nversion = \"" + version + "\"\n[[component]]\nid = \"demo\"\nfile = \"g.wasm\"\n" + more
	}
	write("g.wasm", string(wasm))
	write("Capsule.toml", manifest("1.0.0", ""))
	p.serve()
	p.want(cli.ExitUsage, "capsule dev nowhere --yes", "is not a directory")
	p.want(cli.ExitUsage, "capsule dev demo", "nobody can be asked")

	said := new(heard)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- cli.Run(ctx, []string{"capsule", "dev", "demo", "--yes"}, cli.System{
			Stdin: strings.NewReader(""), Stdout: said, Stderr: said, Getenv: p.getenv,
			Getwd: func() (string, error) { return p.cwd, nil }, IsTerminal: func(any) bool { return false },
		})
	}()
	await := func(words string) {
		t.Helper()
		for end := time.Now().Add(60 * time.Second); !strings.Contains(said.String(), words); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it never said %q:\n%s", words, said)
			}
		}
	}
	await("watching " + dir)
	await("demo 1.0.0 is ready")
	write("Capsule.toml", manifest("1.1.0", ""))
	await("demo 1.1.0 is ready")
	write("Capsule.toml", manifest("1.2.0", "[capabilities]\nfs_read = [\"cwd://\"]\n"))
	await("+ reads cwd://")
	await("it wants more than was agreed to")
	write("Capsule.toml", "[package")
	await("the version before stays")
	write("Capsule.toml", manifest("1.3.0", ""))
	await("demo 1.3.0 is ready")
	cancel()
	if code := <-done; code != cli.ExitInterrupted && code != cli.ExitOK {
		t.Errorf("exit %d\n%s", code, said)
	}
	await("demo stays installed")
	p.want(cli.ExitOK, "capsule list", "1.3.0")
}
