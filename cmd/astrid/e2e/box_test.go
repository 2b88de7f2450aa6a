package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// patience is how long a test waits for what should happen soon. The machine may be slow and busy; who waits in
// vain has failed anyway.
const patience = 90 * time.Second

// box is one test's world: a home and a workspace.
type box struct {
	t    testing.TB
	home string
	ws   string
	env  []string // beside environ
}

// newBox copies a template. The daemon, if one is there at the end, is stopped.
func newBox(t testing.TB, template string) *box {
	t.Helper()
	dir, err := os.MkdirTemp(scratch, "t-")
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, home: filepath.Join(dir, "h"), ws: filepath.Join(dir, "ws")}
	t.Cleanup(func() {
		endDaemon(t, b.home)
		if t.Failed() {
			b.showLog()
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if template != "" {
		if err := copyHome(template, b.home); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(b.ws, 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

// copyHome copies a home. What is never changed in place (binaries, compiled code) is linked.
func copyHome(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(dst, 0o700)
		case strings.HasPrefix(rel, "var/cache/") || strings.HasPrefix(rel, "bin/"):
			return os.Link(path, dst)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(dst, b, 0o600)
	})
}

func environ(home string) []string {
	return []string{
		"PATH=" + binDir + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + filepath.Dir(home), "ASTRID_HOME=" + home, "ASTRID_SECRETS_STORE=file",
		"TMPDIR=/tmp", "LANG=C.UTF-8", "ASTRID_IDLE_TIMEOUT_SECS=60",
	}
}

// result is a command that ended.
type result struct {
	out, err string
	code     int
}

func (b *box) cmd(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(binDir, "astrid"), args...)
	cmd.Dir = b.ws
	cmd.Env = append(environ(b.home), b.env...)
	return cmd
}

// run runs astrid to its end, with text on standard input.
func (b *box) run(stdin string, args ...string) result {
	b.t.Helper()
	cmd := b.cmd(args...)
	cmd.Stdin = strings.NewReader(stdin)
	return b.finish(cmd)
}

func (b *box) finish(cmd *exec.Cmd) result {
	b.t.Helper()
	p := b.begin(cmd)
	return p.wait()
}

// process is a command that runs.
type process struct {
	t        testing.TB
	cmd      *exec.Cmd
	out, err bytes.Buffer
	done     chan error
}

func (b *box) begin(cmd *exec.Cmd) *process {
	b.t.Helper()
	p := &process{t: b.t, cmd: cmd, done: make(chan error, 1)}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.out
	}
	cmd.Stderr = &p.err
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() { p.done <- cmd.Wait() }()
	return p
}

func (p *process) wait() result {
	p.t.Helper()
	select {
	case err := <-p.done:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			p.t.Errorf("%s: %v", p.cmd, err)
		}
		return result{p.out.String(), p.err.String(), p.cmd.ProcessState.ExitCode()}
	case <-time.After(3 * patience):
		_ = p.cmd.Process.Kill()
		<-p.done
		p.t.Errorf("%s did not end\nstdout: %s\nstderr: %s", p.cmd, p.out.String(), p.err.String())
		return result{p.out.String(), p.err.String(), -1}
	}
}

// want checks the exit code, and that texts are in standard output.
func (r result) want(t testing.TB, code int, texts ...string) result {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, clip(r.out), clip(r.err))
	}
	for _, s := range texts {
		if !strings.Contains(r.out, s) {
			t.Errorf("standard output lacks %q:\n%s\nstderr: %s", s, clip(r.out), clip(r.err))
		}
	}
	return r
}

// says checks that texts are in standard error.
func (r result) says(t testing.TB, texts ...string) result {
	t.Helper()
	for _, s := range texts {
		if !strings.Contains(r.err, s) {
			t.Errorf("standard error lacks %q:\n%s", s, clip(r.err))
		}
	}
	return r
}

func clip(s string) string {
	if len(s) > 2000 {
		return s[:2000] + "…"
	}
	return s
}

// eventually polls until ok, and fails the test when that takes too long.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for: %s", patience, what)
		}
	}
}

// status asks the daemon.
func (b *box) status() *abi.DaemonStatus {
	b.t.Helper()
	st := new(abi.DaemonStatus)
	r := b.run("", "status", "--json")
	if err := json.Unmarshal([]byte(r.out), st); err != nil {
		b.t.Fatalf("status: %v\nstdout: %s\nstderr: %s", err, r.out, r.err)
	}
	return st
}

// pid is the process that holds the daemon's lock, 0 if none does.
func pid(t testing.TB, dir string) int {
	t.Helper()
	h, err := home.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	id, held, err := home.HolderOf(h.LockFile())
	if err != nil || !held {
		return 0
	}
	return id
}

// endDaemon ends the daemon of a home, in order if it can.
func endDaemon(t testing.TB, dir string) {
	t.Helper()
	id := pid(t, dir)
	if id == 0 {
		return
	}
	_ = syscall.Kill(id, syscall.SIGTERM)
	for deadline := time.Now().Add(patience); pid(t, dir) == id; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("daemon %d did not end on SIGTERM", id)
			_ = syscall.Kill(id, syscall.SIGKILL)
			return
		}
	}
}

func (b *box) showLog() {
	logs, err := filepath.Glob(filepath.Join(b.home, "log", "*.log"))
	if err != nil {
		return
	}
	for _, path := range logs {
		if text, err := os.ReadFile(path); err == nil {
			b.t.Logf("%s:\n%s", filepath.Base(path), text[max(0, len(text)-4000):])
		}
	}
}

func (b *box) write(name, text string) {
	b.t.Helper()
	path := filepath.Join(b.ws, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		b.t.Fatal(err)
	}
}
