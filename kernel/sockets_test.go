package kernel

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

func newSockets(t *testing.T, dir string) (*sockets, home.Home) {
	t.Helper()
	h, err := home.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Ensure(); err != nil {
		t.Fatal(err)
	}
	return &sockets{home: h}, h
}

func TestCapsuleSocket(t *testing.T) {
	s, h := newSockets(t, filepath.Join(shortDir(t), "home"))
	path := filepath.Join(h.Run(), "capsules", "demo", "box.sock")
	// What a killed daemon left is replaced.
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	ln, err := s.Listen("demo", "box")
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700, filepath.Dir(filepath.Dir(path)): 0o700} {
		if fi, err := os.Stat(p); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", p, fi.Mode(), err)
		}
	}
	if _, err := s.Listen("demo", "box"); !errors.Is(err, abi.ErrExists) {
		t.Errorf("bound twice: %v", err)
	}
	other, err := s.Listen("other", "box")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
	if ln, err = s.Listen("demo", "box"); err != nil {
		t.Fatalf("bound again: %v", err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	// Something that is no socket is nothing to replace.
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Listen("demo", "box"); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("over a file: %v", err)
	}
}

// TestCapsuleSocketLongHome: a home with a long path has its sockets elsewhere, and a link to each.
func TestCapsuleSocketLongHome(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", shortDir(t))
	s, h := newSockets(t, filepath.Join(shortDir(t), strings.Repeat("long", 30)))
	ln, err := s.Listen("demo", "box")
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(h.Run(), "capsules", "demo", "box.sock")
	path, err := os.Readlink(link)
	if err != nil || len(path) > 100 {
		t.Fatalf("%s leads to %s, %v", link, path, err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{link, path} {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s stays: %v", p, err)
		}
	}
}

// TestCapsuleSocketOtherUser: another user reaches no socket, and if the directories were open, would be turned away.
func TestCapsuleSocketOtherUser(t *testing.T) {
	if path := os.Getenv("ASTRID_TEST_DIAL"); path != "" {
		conn, err := net.Dial("unix", path)
		if err != nil {
			os.Stdout.WriteString("dial: " + err.Error() + "\n")
			os.Exit(0)
		}
		_, err = conn.Read(make([]byte, 1)) // it is closed, or answered
		os.Stdout.WriteString("read: " + err.Error() + "\n")
		os.Exit(0)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	base := shortDir(t)
	s, h := newSockets(t, filepath.Join(base, "home"))
	ln, err := s.Listen("demo", "box")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	path := filepath.Join(h.Run(), "capsules", "demo", "box.sock")
	bin := filepath.Join(base, "test")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip(err)
	}
	if err := errors.Join(os.WriteFile(bin, self, 0o755), os.Chmod(base, 0o755)); err != nil {
		t.Fatal(err)
	}
	nobody := func() string {
		t.Helper()
		cmd := exec.Command(bin, "-test.run", "^TestCapsuleSocketOtherUser$")
		cmd.Dir, cmd.Env = "/", []string{"ASTRID_TEST_DIAL=" + path}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if out := nobody(); !strings.Contains(out, "dial: ") || !strings.Contains(out, "permission denied") {
		t.Errorf("another user: %s", out)
	}
	for p := path; p != base; p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		if conn, err := ln.Accept(); err == nil {
			accepted <- conn
		}
	}()
	if out := nobody(); !strings.Contains(out, "read: EOF") {
		t.Errorf("another user through open doors: %s", out)
	}
	select {
	case <-accepted:
		t.Error("another user was accepted")
	default:
	}
}
