package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// needPrograms skips a test where bubblewrap is missing, except where it is required.
func needPrograms(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("bwrap"); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("bubblewrap (bwrap) is missing")
	}
	t.Skip("bubblewrap (bwrap) is missing")
}

// TestRun: a command sees the session's files and leaves the user's alone; its failure and its refusal are told.
func TestRun(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	b := newBox(t, offline)
	b.write("a.txt", "hello\n")
	b.run("", "-p", "run cat a.txt; rm a.txt; echo new > b.txt; ls", "--yes").want(t, 0, "hello\nb.txt\n")
	if _, err := os.Stat(filepath.Join(b.ws, "a.txt")); err != nil {
		t.Errorf("the user's file is gone: %v", err)
	}
	b.run("", "diff", "--name-only").want(t, 0, "a.txt\nb.txt\n")
	b.run("", "commit").want(t, 0)
	if _, err := os.Stat(filepath.Join(b.ws, "a.txt")); err == nil {
		t.Error("the deletion was not committed")
	}
	b.run("", "-p", "run exit 3", "--yes").saysAny(t, "exit code 3")
	b.run("", "-p", "run sudo ls", "--yes").saysAny(t, "sudo is never allowed")
	b.run("", "-p", "run cat "+b.home+"/keys/runtime.key", "--yes").saysAny(t, "No such file or directory")
	r := b.run("", "-p", "run ls") // nobody is asked, nobody says yes
	if r.code != 5 {
		t.Errorf("exit code %d without an approval: %s%s", r.code, r.out, r.err)
	}
}

// saysAny looks for a text in either stream.
func (r result) saysAny(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(r.out+r.err, text) {
		t.Errorf("%q is not in\n%s%s", text, r.out, r.err)
	}
}

// TestRunWithoutSandbox: where bubblewrap is missing, a command is refused and the answer says what to install.
func TestRunWithoutSandbox(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	bin := filepath.Join(filepath.Dir(b.home), "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	b.env = []string{"PATH=" + bin}
	r := b.run("", "-p", "run echo it ran", "--yes")
	if r.code != 8 || !strings.Contains(r.err, "bubblewrap (bwrap) is not installed. Install it: `apt install bubblewrap`") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	if strings.Contains(r.out, "\nit ran") {
		t.Errorf("it ran: %s", r.out)
	}
}

// TestRunWithoutNamespaces: where a system forbids namespaces, a command is refused and the answer says what permits them. The
// daemon runs in a user namespace that may have none below.
func TestRunWithoutNamespaces(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	forbid := []string{"unshare", "--user", "--map-root-user", "sh", "-c", `echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" "$@"`}
	if out, err := exec.Command(forbid[0], append(slices.Clone(forbid[1:]), "true")...).CombinedOutput(); err != nil {
		t.Skipf("no user namespace here to forbid others in: %v %s", err, out)
	}
	b := newBox(t, offline)
	run := func(args ...string) result {
		t.Helper()
		cmd := b.cmd(args...)
		inside := exec.Command(forbid[0], slices.Concat(forbid[1:], cmd.Args)...)
		inside.Dir, inside.Env = cmd.Dir, cmd.Env
		return b.finish(inside)
	}
	r := run("-p", "run echo it ran", "--yes")
	if r.code != 8 || !strings.Contains(r.err, "does not let a user make namespaces and mounts") || !strings.Contains(r.err, "sysctl -w user.max_user_namespaces") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	if strings.Contains(r.out, "\nit ran") {
		t.Errorf("it ran: %s", r.out)
	}
	run("doctor").saysAny(t, "does not let a user make namespaces and mounts")
}

// TestGit: git works in the session's files on a copy of a real repository, and the result commits into the user's.
func TestGit(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	b := newBox(t, offline)
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", b.ws}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=u", "GIT_AUTHOR_EMAIL=u@example.org", "GIT_COMMITTER_NAME=u", "GIT_COMMITTER_EMAIL=u@example.org")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if out, err := exec.Command("git", "clone", "-q", "--no-local", "../../..", b.ws).CombinedOutput(); err != nil { // this repository
		git("init", "-q")
		for i := range 200 {
			b.write(fmt.Sprintf("f%d.txt", i), strings.Repeat("line\n", i))
		}
		git("add", ".")
		git("commit", "-q", "-m", "start")
		t.Logf("no clone of this repository here (%v %s): one of 200 files", err, out)
	}
	old := git("rev-parse", "HEAD")
	b.run("", "-p", "run git status --short && echo work > work.txt && git add work.txt && "+
		"git -c user.name=a -c user.email=a@example.org commit -q -m agent && git mv work.txt moved.txt && git status --short && git gc -q", "--yes").
		want(t, 0, "R  work.txt -> moved.txt\n")
	if now := git("rev-parse", "HEAD"); now != old {
		t.Errorf("the user's repository moved to %s", now)
	}
	b.run("", "commit").want(t, 0)
	if subject := git("log", "-1", "--format=%s %an"); subject != "agent a\n" {
		t.Errorf("the last commit is %q", subject)
	}
	if st := git("status", "--short"); st != "R  work.txt -> moved.txt\n" {
		t.Errorf("status %q", st)
	}
	git("fsck", "--full", "--strict", "--no-dangling")
	b.run("", "diff", "--name-only").saysAny(t, "no session of this directory has changes")
}

// TestKilledDaemonLeavesNothing: programs in the background and in the foreground end with a daemon that is killed.
func TestKilledDaemonLeavesNothing(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	b := newBox(t, offline)
	mark := fmt.Sprint(770000 + os.Getpid())
	b.run("", "-p", `use spawn_background_process with {"command":"setsid sleep `+mark+` & exec sleep `+mark+`"}`, "--yes", "--session", "s").want(t, 0)
	p := b.begin(b.cmd("-p", "run sleep "+mark, "--yes", "--session", "s2"))
	eventually(t, "three programs", func() bool { return sleeping(t, mark) == 3 })
	if err := syscall.Kill(pid(t, b.home), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.wait()
	eventually(t, "their end", func() bool { return sleeping(t, mark) == 0 })
}

// TestKilledClientLeavesNothing: kill -9 of the command line ends the program that its turn waits for, and a daemon that was started for
// it leaves with nothing behind.
func TestKilledClientLeavesNothing(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	b := newBox(t, offline)
	b.env = append(b.env, "ASTRID_IDLE_TIMEOUT_SECS=1") // how long programs stay without a client
	mark := fmt.Sprint(550000 + os.Getpid())
	p := b.begin(b.cmd("-p", "run setsid sleep "+mark+" & exec sleep "+mark, "--yes"))
	eventually(t, "two programs", func() bool { return sleeping(t, mark) == 2 })
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.wait()
	eventually(t, "their end", func() bool { return sleeping(t, mark) == 0 })
}

// TestKilledCapsuleLeavesNothing: a capsule that is switched off takes its programs with it.
func TestKilledCapsuleLeavesNothing(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	b := newBox(t, offline)
	mark := fmt.Sprint(660000 + os.Getpid())
	b.run("", "start").want(t, 0)
	b.run("", "-p", `use spawn_background_process with {"command":"exec sleep `+mark+`"}`, "--yes", "--session", "s").want(t, 0)
	eventually(t, "a program", func() bool { return sleeping(t, mark) == 1 })
	b.run("", "commit", "--session", "s").want(t, 1).saysAny(t, "still running: bash -c exec sleep")
	b.run("", "capsule", "disable", "astrid-capsule-shell").want(t, 0)
	eventually(t, "its end", func() bool { return sleeping(t, mark) == 0 })
}

func sleeping(t *testing.T, mark string) (n int) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range dirs {
		if c, err := os.ReadFile(p); err == nil && string(c) == "sleep\x00"+mark+"\x00" {
			n++
		}
	}
	return n
}
