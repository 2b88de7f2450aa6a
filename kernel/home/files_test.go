package home

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestWriteFileAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	must(t, WriteFileAtomic(path, []byte("one"), 0o600))
	wantPerm(t, path, 0o600)
	must(t, WriteFileAtomic(path, []byte("two"), 0o640))
	wantPerm(t, path, 0o640)
	if got, _ := os.ReadFile(path); string(got) != "two" {
		t.Errorf("contents are %q", got)
	}
	link := filepath.Join(dir, "link")
	fifo := filepath.Join(dir, "fifo")
	must(t, os.Symlink(path, link), syscall.Mkfifo(fifo, 0o600), os.Mkdir(filepath.Join(dir, "d"), 0o700))
	for _, bad := range []string{link, fifo, filepath.Join(dir, "d")} {
		if err := WriteFileAtomic(bad, nil, 0o600); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := WriteFileAtomic(filepath.Join(dir, "none", "f"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a directory that is not there: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestWriteFileAtomicHammer: readers only ever see whole contents.
func TestWriteFileAtomicHammer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	must(t, WriteFileAtomic(path, []byte(strings.Repeat("0", 5000)), 0o600))
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		writers.Go(func() {
			for range 20 {
				if err := WriteFileAtomic(path, []byte(strings.Repeat(fmt.Sprint(w), 5000)), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	readers.Go(func() {
		for {
			got, err := os.ReadFile(path)
			if err != nil || len(got) != 5000 || strings.Trim(string(got), string(got[0])) != "" {
				t.Errorf("read %d bytes, %v", len(got), err)
				return
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	writers.Wait()
	close(stop)
	readers.Wait()
}

func TestToken(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a.Equal(b) || !a.Equal(a) || a.Hex() == b.Hex() {
		t.Error("tokens do not differ")
	}
	if s := fmt.Sprintf("%v %s %+v %#v", a, a, a, a); strings.Contains(s, a.Hex()[:8]) || !strings.Contains(s, "SessionToken([REDACTED])") {
		t.Errorf("printed as %s", s)
	}
	path := filepath.Join(t.TempDir(), "system.token")
	if _, err := ReadToken(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	must(t, WriteToken(path, b), WriteToken(path, a))
	wantPerm(t, path, 0o600)
	if got, err := ReadToken(path); err != nil || !got.Equal(a) {
		t.Errorf("read back: %v", err)
	}
	must(t, os.WriteFile(path, []byte("  "+strings.ToUpper(a.Hex())+"\n"), 0o600))
	if got, err := ReadToken(path); err != nil || !got.Equal(a) {
		t.Errorf("upper case and white space: %v", err)
	}
	must(t, os.WriteFile(path, nil, 0o600))
	if _, err := ReadToken(path); err == nil || !strings.Contains(err.Error(), "must be 64 chars, got 0") {
		t.Errorf("an empty file: %v", err)
	}
	must(t, WriteToken(path, a), os.Chmod(path, 0o644))
	_, err := ReadToken(path)
	wantHomeError(t, err, path, "open to other users", "restart the daemon")
}

func FuzzParseToken(f *testing.F) {
	for _, s := range []string{"", strings.Repeat("a", 63), strings.Repeat("A", 64), strings.Repeat("g", 64), " " + strings.Repeat("0", 64) + "\n", strings.Repeat("é", 32)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := ParseToken(s)
		if err == nil && tok.Hex() != strings.ToLower(strings.TrimSpace(s)) {
			t.Errorf("%q became %s", s, tok.Hex())
		}
		if err != nil && !strings.Contains(err.Error(), "must be 64 chars, got ") && !strings.Contains(err.Error(), "invalid hex digit: 0x") {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.lock")
	if _, held, err := HolderOf(path); held || err != nil {
		t.Errorf("no file: %v, %v", held, err)
	}
	must(t, os.WriteFile(path, []byte("999999\n"), 0o600)) // left by a process that died
	if pid, held, err := HolderOf(path); held || err != nil {
		t.Errorf("a stale file: %d, %v, %v", pid, held, err)
	}
	l, err := AcquireLock(path)
	must(t, err)
	if pid, held, err := HolderOf(path); pid != os.Getpid() || !held || err != nil {
		t.Errorf("held: %d, %v, %v", pid, held, err)
	}
	_, err = AcquireLock(path)
	if e, ok := errors.AsType[*LockedError](err); !ok || !errors.Is(err, ErrLocked) || e.PID != os.Getpid() || !strings.Contains(err.Error(), "astrid stop") {
		t.Errorf("taken twice: %v", err)
	}
	must(t, l.Release())
	l, err = AcquireLock(path)
	must(t, err)
	must(t, l.Release())
	must(t, os.Remove(path), os.Symlink("/dev/null", path))
	if _, err := AcquireLock(path); err == nil {
		t.Error("followed a symlink")
	}
}

// TestLockProbes: any number of lookers never keep a daemon from starting, and exactly one of many starters wins.
func TestLockProbes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.lock")
	stop := make(chan struct{})
	var lookers, starters sync.WaitGroup
	for range 4 {
		lookers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := HolderOf(path); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		won := make(chan *Lock, 8)
		for range cap(won) {
			starters.Go(func() {
				l, err := AcquireLock(path)
				if err == nil {
					won <- l
				} else if !errors.Is(err, ErrLocked) {
					t.Error(err)
				}
			})
		}
		starters.Wait()
		if len(won) != 1 {
			t.Fatalf("%d starters hold the lock", len(won))
		}
		must(t, (<-won).Release())
	}
	close(stop)
	lookers.Wait()
}

// TestLockDies: the lock of a killed process is free.
func TestLockDies(t *testing.T) {
	if path := os.Getenv("HOME_TEST_LOCK"); path != "" {
		_, err := AcquireLock(path)
		fmt.Println("locked", err)
		select {}
	}
	path := filepath.Join(t.TempDir(), "daemon.lock")
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockDies$")
	cmd.Env = append(os.Environ(), "HOME_TEST_LOCK="+path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "locked <nil>\n" {
		t.Fatalf("the child says %q", line)
	}
	if pid, held, _ := HolderOf(path); pid != cmd.Process.Pid || !held {
		t.Errorf("held by %d, %v; want %d", pid, held, cmd.Process.Pid)
	}
	cmd.Process.Kill()
	cmd.Wait()
	l, err := AcquireLock(path)
	must(t, err)
	must(t, l.Release())
}

func TestReady(t *testing.T) {
	h := tempHome(t)
	must(t, h.Ensure())
	for range 2 {
		must(t, h.ClearReady())
		if h.Ready() {
			t.Error("ready without a file")
		}
		must(t, h.MarkReady(), h.MarkReady())
		if !h.Ready() {
			t.Error("not ready")
		}
		wantPerm(t, h.ReadyFile(), 0o600)
	}
}

func TestSocket(t *testing.T) {
	short := tempHome(t)
	long, err := New(filepath.Join(t.TempDir(), strings.Repeat("long", 30)))
	must(t, err)
	run := t.TempDir() // stands for XDG_RUNTIME_DIR
	must(t, os.Chmod(run, 0o700))
	for name, c := range map[string]struct {
		h   Home
		env func(string) (string, bool)
		in  string
	}{
		"short":              {short, env("XDG_RUNTIME_DIR", run), short.Run()},
		"long":               {long, env("XDG_RUNTIME_DIR", run), filepath.Join(run, "astrid")},
		"long, no xdg":       {long, env(), fmt.Sprintf("/tmp/astrid-%d", os.Geteuid())},
		"long, relative xdg": {long, env("XDG_RUNTIME_DIR", "run"), fmt.Sprintf("/tmp/astrid-%d", os.Geteuid())},
		"long, long xdg":     {long, env("XDG_RUNTIME_DIR", long.Root()), fmt.Sprintf("/tmp/astrid-%d", os.Geteuid())},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, c.h.Ensure())
			path, err := c.h.ListenPath(c.env)
			must(t, err)
			if !strings.HasPrefix(path, c.in+"/") {
				t.Errorf("listens at %s, want it in %s", path, c.in)
			}
			l, err := net.Listen("unix", path)
			must(t, err)
			defer l.Close()
			found, err := c.h.SocketPath() // a client, whose environment may differ
			if err != nil || found != path {
				t.Fatalf("a client finds %s, %v; the daemon listens at %s", found, err, path)
			}
			conn, err := net.Dial("unix", found)
			must(t, err)
			conn.Close()
			must(t, c.h.RemoveSocket(), c.h.RemoveSocket())
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the socket is still there: %v", err)
			}
			removeShort(path)
		})
	}
	if _, err := long.SocketPath(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no daemon: %v", err)
	}
	// A link into a directory that others may enter is not followed.
	open := filepath.Join(run, "open")
	must(t, os.Mkdir(open, 0o700), os.Chmod(open, 0o755), os.Symlink(filepath.Join(open, "s"), long.socketLink()))
	_, err = long.SocketPath()
	wantHomeError(t, err, open, "open to other users", "restart")
}

// TestSocketForeignDir: a directory that somebody else has put where ours should be is not used.
func TestSocketForeignDir(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give files to other users")
	}
	run := t.TempDir()
	dir := filepath.Join(run, "astrid")
	must(t, os.Mkdir(dir, 0o700), os.Chown(dir, 65534, 65534))
	long, _ := New(filepath.Join(t.TempDir(), strings.Repeat("long", 30)))
	must(t, long.Ensure())
	path, err := long.ListenPath(env("XDG_RUNTIME_DIR", run))
	must(t, err)
	if strings.HasPrefix(path, run) {
		t.Errorf("listens in another user's directory: %s", path)
	}
	removeShort(path)
}

// removeShort takes away what a test has left in /tmp, unless a daemon uses it too.
func removeShort(path string) {
	if strings.HasPrefix(path, "/tmp/astrid-") {
		os.Remove(filepath.Dir(path))
		os.Remove(filepath.Dir(filepath.Dir(path)))
	}
}
