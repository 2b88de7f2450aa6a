package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// TestDesertedPrograms: when the last client of a session has left for a while, its programs end; those of another session go on.
func TestDesertedPrograms(t *testing.T) {
	needSandbox(t)
	k := boot(t, func(o *Options) { o.IdleTimeout = 100 * time.Millisecond })
	first, second := connect(t, k), connect(t, k)
	for _, p := range []*peer{first, second} {
		if e := p.ack(`{"topic":"` + abi.TopicClientSubscribe + `","payload":{"topics":["agent.v1.response"],"sessions":["s"]}}`); e != "" {
			t.Fatal(e)
		}
	}
	deserted, other := runIn(t, k, "s", "sleep 1000", true), runIn(t, k, "other", "sleep 1000", true)
	first.conn.Close()
	select {
	case <-deserted.Done():
		t.Fatal("it ended while a client was there")
	case <-time.After(300 * time.Millisecond):
	}
	second.conn.Close()
	<-deserted.Done()
	if code, err := deserted.Exit(); code != -1 || err != errDeserted {
		t.Errorf("%d %v", code, err)
	}
	select {
	case <-other.Done():
		t.Error("the other session's program ended, too")
	default:
	}
}

// TestProgramsEndWithTheDaemon: shutting down ends programs and unmounts, and the next daemon finds their changes.
func TestProgramsEndWithTheDaemon(t *testing.T) {
	needSandbox(t)
	o := options(t)
	k, err := Boot(t.Context(), o)
	noError(t, err)
	p := runIn(t, k, "s", "echo kept > f; echo up; sleep 1000", true)
	waitOutput(t, p, "up")
	noError(t, k.Shutdown("test"))
	<-p.Done()
	k, err = Boot(t.Context(), o)
	noError(t, err)
	defer k.Shutdown("test ended")
	if got := output(t, k, "s", "cat f"); got != "kept\n" {
		t.Errorf("the next daemon's program reads %q", got)
	}
}

// TestQuotaEndsPrograms: a program that fills the session's layer is ended, with the reason.
func TestQuotaEndsPrograms(t *testing.T) {
	needSandbox(t)
	k := boot(t)
	k.files.quota = 1 << 20
	p := runIn(t, k, "s", "i=0; while :; do head -c 300000 /dev/zero > f$i; i=$((i+1)); sleep 0.2; done", true)
	<-p.Done()
	if code, err := p.Exit(); code != -1 || err == nil || !strings.Contains(err.Error(), "the limit is 1048576") {
		t.Errorf("%d %v", code, err)
	}
}

// TestNoSandboxNoProgram: without bubblewrap a program is refused with the remedy, and the session's files stay usable.
func TestNoSandboxNoProgram(t *testing.T) {
	needSandbox(t)
	k := boot(t)
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	_, err := tryRun(t, k, "s", "echo x > f", false)
	if abiCode(err) != abi.CodeUnsupported || !strings.Contains(err.Error(), "apt install bubblewrap") {
		t.Errorf("%v", err)
	}
	tree, _, err := k.files.Workspace(t.Context(), "default", "s")
	noError(t, err)
	noError(t, tree.WriteFile("g", []byte("g"), 0o644))
	t.Setenv("PATH", path)
	if got := output(t, k, "s", "cat g; ls f 2>&1 || true"); !strings.HasPrefix(got, "g") || !strings.Contains(got, "No such file") {
		t.Errorf("%q", got)
	}
}

func abiCode(err error) abi.Code {
	var e *abi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return abi.OK
}

// TestPlantedEscapes: what a child leaves in the workspace leads nobody else out: not the guests of its session, not a commit.
func TestPlantedEscapes(t *testing.T) {
	needSandbox(t)
	k := boot(t)
	outside := filepath.Join(t.TempDir(), "outside")
	noError(t, os.Mkdir(outside, 0o755))
	write(t, filepath.Join(outside, "secret"), "secret")
	ws := k.opts.Workspace
	noError(t, os.MkdirAll(filepath.Join(ws, "dir/sub"), 0o755))
	write(t, filepath.Join(ws, "dir/sub/file"), "lower")
	output(t, k, "s", fmt.Sprintf(`
ln -s %[1]s abs; ln -s %[1]s/secret absfile; ln -s ../../../../../../../..%[1]s rel; ln -s /proc/self/root root; ln -s /proc/self/fd fd
ln -s .. up; ln -s ../.. dir/upup; rm -r dir/sub; ln -s %[1]s dir/sub; ln -s loop loop; ln -s dir/up2 chain; ln -s %[1]s dir/up2
mkfifo fifo; ln -s fifo tofifo; mkdir -p a/b/c; ln -s ../../../.. a/b/c/d; ln -s "%[1]s/new" dangling; ln -s $PWD/dir self
touch "$(printf 'bad\377name')"; touch "new
line"; mkdir ' '; touch ' /..x' '...'; chmod 4755 '...'; ln '...' hard; chmod 000 a/b`, outside))
	tree, _, err := k.files.Workspace(t.Context(), "default", "s")
	noError(t, err)
	for _, name := range []string{"abs/secret", "absfile", "rel/secret", "root/etc/passwd", "fd/0", "up/x", "dir/upup/x", "dir/sub/secret", "loop", "chain/secret",
		"dangling", "tofifo", "fifo", "self/sub/secret", "abs/../abs/secret"} {
		if b, err := tree.ReadFile(name, 0); err == nil {
			t.Errorf("a guest reads %s: %q", name, b)
		}
		if err := tree.WriteFile(name, []byte("breach"), 0o644); err == nil && name != "up/x" && name != "dir/upup/x" {
			t.Errorf("a guest writes %s", name)
		}
	}
	// The same while a program runs, when writes go through the kernel's mount.
	p := runIn(t, k, "s", "chmod 755 a/b; echo up; sleep 1000", true)
	waitOutput(t, p, "up")
	for _, name := range []string{"abs/new", "absfile", "rel/new", "root/tmp/x", "up/x", "dir/upup/x", "dir/sub/new", "chain/new", "dangling", "fifo", "a/b/c/d/x", "../x", "/proc/self/root/x"} {
		if err := tree.WriteFile(name, []byte("breach"), 0o644); err == nil && name != "/proc/self/root/x" {
			t.Errorf("a guest writes %s through the mount", name)
		}
		if err := tree.MkdirAll(name+"/d", 0o755); err == nil && name != "/proc/self/root/x" {
			t.Errorf("a guest makes a directory in %s through the mount", name)
		}
	}
	p.Kill()
	<-p.Done()
	out := commitAll(t, k, "s")
	if out.SkippedCount != 1 || out.Skipped[0].Path != "fifo" {
		t.Errorf("skipped %+v", out.Skipped)
	}
	e, err := os.ReadDir(outside)
	if b, _ := os.ReadFile(filepath.Join(outside, "secret")); err != nil || len(e) != 1 || string(b) != "secret" {
		t.Errorf("outside: %v %v %q", e, err, b)
	}
	if e, err := os.ReadDir(filepath.Dir(ws)); err == nil {
		for _, d := range e {
			if d.Name() == "x" {
				t.Error("something was written beside the workspace")
			}
		}
	}
	if to, err := os.Readlink(filepath.Join(ws, "dir/sub")); err != nil || to != outside {
		t.Errorf("the link was committed as %q %v", to, err)
	}
	if fi, err := os.Stat(filepath.Join(ws, "...")); err != nil || fi.Mode()&os.ModeSetuid != 0 {
		t.Errorf("a set-id bit was committed: %v %v", fi.Mode(), err)
	}
}
