package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCommand: input, output, status, environment and directory.
func TestCommand(t *testing.T) {
	needBox(t)
	w := newWorld(t)
	w.o.Environ = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "LC_TIME=de_DE", "AWS_SECRET=x", "ASTRID_HOME=/x", "LD_PRELOAD=/x.so"}
	b := w.open()
	for _, c := range []struct {
		script string
		stdin  []byte
		code   int
		out    string
	}{
		{"cat; echo err >&2", []byte("in\n"), 0, "in\nerr\n"},
		{"cat", nil, 0, ""},
		{"exit 7", nil, 7, ""},
		{"kill -SEGV $$", nil, 139, ""},
		{"exec no-such-program", nil, 127, "no-such-program: not found"},
		{"pwd", nil, 0, w.o.Workspace + "\n"},
		{"env | grep -c -e AWS -e ASTRID -e LD_", nil, 1, "0\n"},
		{"echo $LANG $LC_TIME $TERM $TMPDIR", nil, 0, "C.UTF-8 de_DE dumb /tmp\n"},
		{"echo a > /tmp/x; cat /tmp/x; echo b > ~/y; cat ~/y", nil, 0, "a\nb\n"},
		{"cat /tmp/x", nil, 1, "No such file"}, // each has its own
		{"ulimit -c", nil, 0, "0\n"},
	} {
		child, err := b.Start(Command{Path: "/bin/sh", Argv: []string{"sh", "-c", c.script}, Stdin: c.stdin})
		ok(t, err)
		if code, out := finish(t, child); code != c.code || !strings.Contains(out, c.out) || c.out == "" && out != "" && c.code == 0 {
			t.Errorf("%s: status %d, %q; want %d, %q", c.script, code, out, c.code, c.out)
		}
	}
	// A program that cannot be started is an error with its reason, and not a status.
	child, err := b.Start(Command{Path: filepath.Join(w.o.Workspace, "none"), Argv: []string{"none"}})
	ok(t, err)
	<-child.Done()
	if e := child.Exit(); e.Err == nil || !strings.Contains(e.Err.Error(), "No such file") {
		t.Errorf("a program that is not there: %+v", e)
	}
	if _, err := b.Start(Command{Path: "/bin/sh", Argv: []string{"sh", "a\x00b"}}); err == nil {
		t.Error("an argument with NUL was taken")
	}
	if _, err := b.Start(Command{Path: "sh"}); err == nil {
		t.Error("a relative program was taken")
	}
}

// TestLayers: what children write is in the upper directory and nowhere else.
func TestLayers(t *testing.T) {
	needBox(t)
	w := newWorld(t)
	ok(t, os.WriteFile(filepath.Join(w.o.Workspace, "a"), []byte("a"), 0o644))
	ok(t, os.WriteFile(filepath.Join(w.o.Workspace, "b"), []byte("b"), 0o644))
	b := w.open()
	code, out := finish(t, sh(t, b, "echo more >> a; rm b; echo c > c; cat a"))
	if code != 0 || out != "amore\n" {
		t.Errorf("status %d %q", code, out)
	}
	for name, want := range map[string]string{"a": "a", "b": "b"} {
		if got, err := os.ReadFile(filepath.Join(w.o.Workspace, name)); err != nil || string(got) != want {
			t.Errorf("workspace %s: %q %v", name, got, err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(b.Dir(), "c")); err != nil || string(got) != "c\n" {
		t.Errorf("through the mount: %q %v", got, err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(w.o.Upper, "b"), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != 0 {
		t.Errorf("whiteout: %o %d %v", st.Mode, st.Rdev, err)
	}
	ok(t, b.Close())
	ok(t, b.Close())
	if _, err := b.Start(Command{Path: "/bin/true"}); err == nil {
		t.Error("a closed box starts programs")
	}
}

// TestTree: everything that a child starts ends with it, whatever it does about that.
func TestTree(t *testing.T) {
	needBox(t)
	w := newWorld(t)
	b := w.open()
	mark := "987654" + strconv.Itoa(os.Getpid()) // found in command lines
	script := fmt.Sprintf("(setsid sleep %s & setsid sh -c 'trap \"\" TERM HUP INT; sleep %s; sleep %s' &) ; nohup sleep %s & echo up; sleep %s", mark, mark, mark, mark, mark)
	// It runs, is killed, and its tree with it.
	c := sh(t, b, script)
	waitFor(t, "the tree", func() bool { return len(running(t, mark)) >= 4 })
	c.Kill()
	<-c.Done()
	if left := running(t, mark); len(left) > 0 {
		t.Errorf("after Kill: %v", left)
	}
	if c.Exit().Code != -1 {
		t.Errorf("status %d", c.Exit().Code)
	}
	// It ends by itself, and what it left in the background with it.
	c = sh(t, b, fmt.Sprintf("setsid sleep %s & exit 3", mark))
	if code, _ := finish(t, c); code != 3 {
		t.Errorf("status %d", code)
	}
	if left := running(t, mark); len(left) > 0 {
		t.Errorf("after its end: %v", left)
	}
	// The box is closed.
	c = sh(t, b, script)
	waitFor(t, "the tree", func() bool { return len(running(t, mark)) >= 4 })
	ok(t, b.Close())
	if left := running(t, mark); len(left) > 0 {
		t.Errorf("after Close: %v", left)
	}
	<-c.Done()
	if c.Exit().Code != -1 {
		t.Errorf("status %d", c.Exit().Code)
	}
}

const ownerEnv = "ASTRID_TEST_BOX_OWNER"

func init() {
	if arg := os.Getenv(ownerEnv); arg != "" && os.Args[0] != keeperName {
		parts := strings.Split(arg, "\n")
		b, err := Open(context.Background(), Options{Workspace: parts[0], Upper: parts[1], Work: parts[2]})
		if err == nil {
			_, err = b.Start(Command{Path: "/bin/sh", Argv: []string{"sh", "-c", parts[3]}})
		}
		fmt.Println("started", err)
		select {}
	}
}

// TestKilledOwner: a daemon that is killed leaves nothing behind.
func TestKilledOwner(t *testing.T) {
	needBox(t)
	w := newWorld(t)
	mark := "876543" + strconv.Itoa(os.Getpid())
	script := fmt.Sprintf("setsid sleep %s & sleep %s", mark, mark)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), ownerEnv+"="+strings.Join([]string{w.o.Workspace, w.o.Upper, w.o.Work, script}, "\n"))
	ok(t, cmd.Start())
	waitFor(t, "its programs", func() bool { return len(running(t, mark)) == 2 })
	ok(t, cmd.Process.Kill())
	_ = cmd.Wait()
	waitFor(t, "the end of its programs", func() bool { return len(running(t, mark)) == 0 })
	// Its overlay can be used again.
	if code, out := finish(t, sh(t, w.open(), "echo again")); code != 0 || out != "again\n" {
		t.Errorf("%d %q", code, out)
	}
}

// TestKilledKeeper: a box whose keeper is gone says so, and its children have ended.
func TestKilledKeeper(t *testing.T) {
	needBox(t)
	b := newWorld(t).open()
	c := sh(t, b, "sleep 1000")
	b.kill()
	<-b.Gone()
	<-c.Done()
	if c.Exit().Code != -1 {
		t.Errorf("%+v", c.Exit())
	}
	waitFor(t, "the box to close", func() bool { return b.Refresh() != nil })
	if _, err := b.Start(Command{Path: "/bin/true"}); err == nil {
		t.Error("it starts programs")
	}
}

// TestLimits: a child cannot take the machine with it.
func TestLimits(t *testing.T) {
	needBox(t)
	w := newWorld(t)
	w.o.Limits = Limits{FileSize: 1 << 20, CPU: time.Second, Processes: 1, Memory: 1, Tmp: 1 << 20, OpenFiles: 1}
	b := w.open()
	for name, want := range map[string]struct{ script, output string }{
		"file size":  {"head -c 3000000 /dev/zero > f; ls -l f | awk '{print $5}'", "1048576"},
		"tmp":        {"head -c 3000000 /dev/zero > /tmp/f 2>/dev/null; echo $?", "1"},
		"cpu":        {"while :; do :; done", ""},
		"processes":  {"i=0; while [ $i -lt 500 ]; do sleep 5 & i=$((i+1)); done; echo all", "ork"},
		"memory":     {"head -c 400000000 /dev/zero | tail -c 400000000 | wc -c", "memory exhausted"},
		"open files": {"ulimit -n", "256"},
		"output":     {"head -c 5000000 /dev/zero; echo end", "end"},
	} {
		t.Run(name, func(t *testing.T) {
			c := sh(t, b, want.script)
			<-c.Done()
			out, errs, dropped, _ := c.Output()
			if s := string(out) + string(errs); !strings.Contains(s, want.output) {
				t.Errorf("%.300q, want %q", s, want.output)
			}
			switch name {
			case "cpu":
				if c.Exit().Code != 128+int(syscall.SIGKILL) && c.Exit().Code != 128+int(syscall.SIGXCPU) {
					t.Errorf("%+v", c.Exit())
				}
			case "output":
				if len(out) != MaxOutput || dropped != 5000000+4-MaxOutput || !strings.HasSuffix(string(out), "end\n") {
					t.Errorf("%d bytes, %d dropped", len(out), dropped)
				}
			}
		})
	}
}

// TestNetwork: without it there is only a loopback of its own; with it, there is the machine's.
func TestNetwork(t *testing.T) {
	needBox(t)
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("needs bash to open a connection")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, "hello")
			c.Close()
		}
	}()
	b := newWorld(t).open()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	for _, granted := range []bool{false, true} {
		c, err := b.Start(Command{Path: "/bin/bash", Argv: []string{"bash", "-c", "cat < /dev/tcp/127.0.0.1/" + port}, Network: granted})
		ok(t, err)
		if code, out := finish(t, c); (code == 0 && out == "hello\n") != granted {
			t.Errorf("granted %v: status %d, %q", granted, code, out)
		}
	}
}

// TestBare: outside of the sandbox a program has the user's files, environment and network, but not Astrid's, and its changes to
// the workspace still go to the overlay.
func TestBare(t *testing.T) {
	needBox(t)
	w := newWorld(t)
	hidden, outside := filepath.Join(w.dir, "astrid"), filepath.Join(w.dir, "outside")
	ok(t, os.Mkdir(hidden, 0o755))
	ok(t, os.WriteFile(filepath.Join(hidden, "key"), []byte("secret"), 0o644))
	w.o.Hidden = []string{hidden}
	w.o.Environ = append(os.Environ(), "MY_VAR=mine", "ASTRID_HOME="+hidden)
	b := w.open()
	script := fmt.Sprintf("echo $MY_VAR $ASTRID_HOME; echo x > %s; echo y > file; cat %s/key; setsid sleep 765432 & exit 4", outside, hidden)
	c, err := b.Start(Command{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Bare: true})
	ok(t, err)
	code, out := finish(t, c)
	if code != 4 || !strings.HasPrefix(out, "mine\n") || strings.Contains(out, "secret") {
		t.Errorf("status %d, %q", code, out)
	}
	if got, err := os.ReadFile(outside); err != nil || string(got) != "x\n" {
		t.Errorf("outside: %q %v", got, err)
	}
	if _, err := os.Lstat(filepath.Join(w.o.Workspace, "file")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it wrote to the workspace itself: %v", err)
	}
	if left := running(t, "765432"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestNoBubblewrap: where it is missing or may not work, nothing is started and the error says what to do.
func TestNoBubblewrap(t *testing.T) {
	needBox(t)
	w := newWorld(t)
	bin := openDir(t)
	t.Setenv("PATH", bin)
	_, err := Open(context.Background(), w.o)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "apt install bubblewrap") {
		t.Errorf("missing: %v", err)
	}
	if r := Probe(context.Background()); r.Available || !strings.Contains(r.Remedy, "apt install bubblewrap") {
		t.Errorf("probe: %+v", r)
	}
	// One that the system does not let work.
	ok(t, os.WriteFile(filepath.Join(bin, "bwrap"), []byte("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"), 0o755))
	b := w.open()
	c, err := b.Start(Command{Path: "/bin/sh", Argv: []string{"sh", "-c", "echo ran > ran"}})
	ok(t, err)
	<-c.Done()
	if e := c.Exit(); e.Err == nil || !strings.Contains(e.Err.Error(), "No permissions") {
		t.Errorf("forbidden: %+v", e)
	}
	if r := Probe(context.Background()); r.Available || !strings.Contains(r.Remedy, "sysctl") || !strings.Contains(r.Problem, "No permissions") {
		t.Errorf("probe: %+v", r)
	}
	if _, err := os.Stat(filepath.Join(w.o.Upper, "ran")); err == nil {
		t.Error("it ran")
	}
}

// TestRefusedOptions: what could be mistaken is refused before anything happens.
func TestRefusedOptions(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*Options){
		"relative":                func(o *Options) { o.Workspace = "x" },
		"quote":                   func(o *Options) { o.Upper += "\"" },
		"hidden workspace":        func(o *Options) { o.Hidden = []string{filepath.Dir(o.Workspace)} },
		"hidden relative":         func(o *Options) { o.Hidden = []string{"x"} },
		"workspace that is not":   func(o *Options) { o.Workspace += "-none" },
		"upper that is not there": func(o *Options) { o.Upper += "-none" },
	} {
		o := w.o
		change(&o)
		if b, err := Open(context.Background(), o); err == nil {
			t.Errorf("%s: it opened", name)
			b.Close()
		}
	}
}

// TestFind finds programs where children see them and nowhere else.
func TestFind(t *testing.T) {
	w := newWorld(t)
	own := filepath.Join(w.dir, "bin")
	ok(t, os.Mkdir(own, 0o755))
	copyFile(t, "/bin/true", filepath.Join(own, "mine"))
	copyFile(t, "/bin/true", filepath.Join(w.o.Workspace, "planted"))
	o := w.o
	o.Environ = []string{"PATH=" + own + ":.:" + w.o.Workspace + ":/usr/bin:/bin"}
	for name, want := range map[string]bool{"sh": true, "/bin/sh": true, "mine": false, own + "/mine": false, "planted": false, "none": false, "": false, "./sh": false, "/bin/../bin/sh": false, "/etc/passwd": false} {
		if path, real, err := o.Find(name, false); (err == nil) != want {
			t.Errorf("%q: %s %s %v", name, path, real, err)
		}
	}
	if path, _, err := o.Find("mine", true); err != nil || path != filepath.Join(own, "mine") {
		t.Errorf("outside of the sandbox: %s %v", path, err)
	}
	o.Readable = []string{own}
	if path, _, err := o.Find("mine", false); err != nil || path != filepath.Join(own, "mine") {
		t.Errorf("a readable directory: %s %v", path, err)
	}
	o.Hidden = []string{own}
	if _, _, err := o.Find("mine", true); err == nil {
		t.Error("found in a hidden directory")
	}
}

// running lists the processes with a mark in their command line, whatever namespace they are in.
func running(t *testing.T, mark string) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ok(t, err)
	var found []string
	for _, p := range dirs {
		b, err := os.ReadFile(p)
		args := strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
		if err == nil && len(args) == 2 && args[0] == "sleep" && args[1] == mark {
			found = append(found, p)
		}
	}
	return found
}

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
