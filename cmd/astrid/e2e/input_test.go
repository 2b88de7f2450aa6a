package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

// TestBadInput: prompts that cannot be sent are refused before anything starts.
func TestBadInput(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	long := strings.Repeat("a", cli.MaxPrompt+1)
	for _, c := range []struct {
		name, stdin string
		args        []string
		code        int
		says        string
	}{
		{"long stdin", long, []string{"-p", "x"}, 1, "standard input is longer than 4 MiB"},
		{"long together", long[:len(long)-1], []string{"-p", "xx"}, 1, "the limit is 4194304"},
		{"invalid UTF-8 on stdin", "abc\xff\xfe", []string{"-p", "x"}, 1, "standard input is not valid UTF-8 (byte 3)"},
		{"invalid UTF-8 in the prompt", "", []string{"-p", "a\xc3"}, 2, "the prompt is not valid UTF-8"},
		{"empty", "", []string{"-p", ""}, 2, "the prompt is empty"},
		{"blank", " \n", []string{"-p", " "}, 2, "the prompt is empty"},
		{"nothing", "", nil, 2, "the prompt is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := b.run(c.stdin, c.args...).want(t, c.code).says(t, c.says)
			if r.out != "" {
				t.Errorf("standard output: %q", r.out)
			}
		})
	}
	if pid(t, b.home) != 0 {
		t.Error("a daemon was started")
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd := b.cmd("-p", "hello")
	cmd.Stdin = null
	b.finish(cmd).want(t, 0, "I am the offline provider")
	// The longest prompt that is allowed arrives.
	b.run(strings.Repeat("é", cli.MaxPrompt/2-10), "-p", "list files").want(t, 0, "Files in .")
}

// TestClosedPipe: a reader that has seen enough ends the command, and nothing hangs.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	for _, format := range []string{"text", "stream-json"} {
		head := exec.Command("head", "-1")
		var out bytes.Buffer
		head.Stdout = &out
		read, in, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		head.Stdin = read
		if err := head.Start(); err != nil {
			t.Fatal(err)
		}
		read.Close() // head has its own
		cmd := b.cmd("--output-format", format, "-p", "scenario:big:200000")
		cmd.Stdout = in
		p := b.begin(cmd)
		in.Close() // the command has its own
		if err := head.Wait(); err != nil {
			t.Error(err)
		}
		p.wait() // by the signal or with an error: both say enough
		if strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%s: %q", format, out.String())
		}
	}
	b.run("", "-p", "hello").want(t, 0, "You said: hello")
}

// asNobody runs astrid as a user without rights, with a home of its choice.
func asNobody(t *testing.T, b *box, home string, args ...string) result {
	t.Helper()
	cmd := exec.Command("setpriv", append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", filepath.Join(binDir, "astrid")}, args...)...)
	cmd.Env = environ(home)
	cmd.Dir = "/"
	return b.finish(cmd)
}

func needRoot(t *testing.T, programs ...string) {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root on Linux")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs %s", p)
		}
	}
}

// TestUnreadableHome: a home that is not ours is refused with what to do.
func TestUnreadableHome(t *testing.T) {
	t.Parallel()
	needRoot(t, "setpriv")
	b := newBox(t, offline)
	if err := os.Chmod(filepath.Dir(b.home), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-p", "hello"}, {"start"}, {"status"}, {"stop"}, {"init", "--yes"}} {
		r := asNobody(t, b, b.home, args...).want(t, 1).says(t, b.home, "ASTRID_HOME")
		if strings.Count(r.err, "\n") != 1 || r.out != "" {
			t.Errorf("%v: standard output %q, standard error %q", args, r.out, r.err)
		}
	}
}

// TestReadOnlyHome: a home on a read-only disk is refused with what to do.
func TestReadOnlyHome(t *testing.T) {
	t.Parallel()
	needRoot(t, "unshare", "mount", "sh")
	b := newBox(t, offline)
	for _, args := range []string{"-p hello", "start", "status", "init --yes"} {
		cmd := exec.Command("unshare", "-m", "sh", "-c",
			`mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99; exec "$2"/astrid $3`, "sh", b.home, binDir, args)
		cmd.Env = environ(b.home)
		cmd.Dir = b.ws
		r := b.finish(cmd)
		if r.code == 99 {
			t.Skipf("cannot mount here: %s", r.err)
		}
		r.want(t, 1).says(t, "read-only file system", "ASTRID_HOME")
	}
}

// TestNoDaemonBinary: a missing companion is named.
func TestNoDaemonBinary(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	alone := filepath.Join(filepath.Dir(b.home), "bin")
	if err := os.Mkdir(alone, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(binDir, "astrid"), filepath.Join(alone, "astrid")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(alone, "astrid"), "start")
	cmd.Env = append(environ(b.home), "PATH=/usr/bin:/bin")
	cmd.Dir = b.ws
	b.finish(cmd).want(t, 1).says(t, "astrid-daemon was not found")
}

// TestWorkspaceGone: a directory that was removed under the shell is named.
func TestWorkspaceGone(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	cmd := exec.Command("sh", "-c", `mkdir gone && cd gone && rmdir ../gone && exec astrid -p hello`)
	cmd.Env, cmd.Dir = environ(b.home), b.ws
	began := time.Now()
	b.finish(cmd).want(t, 1).says(t, "current directory")
	if took := time.Since(began); took > patience {
		t.Errorf("it took %s", took)
	}
}
