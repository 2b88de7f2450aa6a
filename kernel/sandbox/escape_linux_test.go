package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/unicity-astrid/astrid-go/testdata/escapes"
)

const escapeArg = "escape"

// This test's own program, in the sandbox, tries each name of the list with each call that a program has.
func init() {
	if len(os.Args) != 3 || os.Args[1] != escapeArg {
		return
	}
	var names []string
	if err := json.Unmarshal([]byte(os.Args[2]), &names); err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	look := func(name string) {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		b := make([]byte, 256)
		if n, _ := unix.Read(fd, b); strings.Contains(string(b[:max(n, 0)]), escapes.Secret) {
			fmt.Printf("BREACH\tread\t%.80q\n", name)
		}
	}
	for _, name := range names {
		look(name)
		if l, err := os.Readlink(name); err == nil {
			look(l)
		}
		entries, _ := os.ReadDir(name)
		for _, e := range entries {
			if e.Name() == "root2" {
				fmt.Printf("BREACH\tlist\t%.80q\n", name)
			}
		}
	}
	for _, flag := range []int{unix.O_WRONLY | unix.O_APPEND, unix.O_RDWR, unix.O_WRONLY | unix.O_CREAT, unix.O_WRONLY | unix.O_TRUNC} {
		for _, name := range names {
			if fd, err := unix.Open(name, flag|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o666); err == nil {
				unix.Write(fd, []byte("by child"))
				unix.Close(fd)
			}
		}
	}
	for _, name := range names {
		for _, try := range []func(string) error{
			func(n string) error { return os.Chmod(n, 0o777) },
			func(n string) error { return os.Mkdir(n, 0o777) },
			func(n string) error { return os.Link("a/f", n) },
			func(n string) error { return os.Symlink("/etc/passwd", n) },
			func(n string) error { return os.Link(n, "stolen") },
			func(n string) error { return syscall.Mknod(n, syscall.S_IFIFO|0o666, 0) },
			func(n string) error { return unix.Setxattr(n, "user.x", []byte("y"), 0) },
			func(n string) error { return os.Rename("a/f", n) },
			func(n string) error { return os.Rename(n, "a/taken") },
			os.Remove,
		} {
			_ = try(name)
		}
		look("stolen")
		look("a/taken")
		look("a/taken/secret")
		_ = os.Remove("stolen")
	}
	fmt.Println("tried", len(names))
	os.Exit(0)
}

// TestEscapes: a program that tries every name of the list, in a workspace full of exits, reads nothing beside it and leaves both the
// outside and the workspace as they were.
func TestEscapes(t *testing.T) {
	dir := openDir(t)
	tr, err := escapes.New(dir)
	ok(t, err)
	w := &world{t: t, dir: dir}
	w.o = Options{Workspace: tr.Root, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work"), Home: filepath.Join(dir, "nobody")}
	for _, d := range []string{w.o.Upper, w.o.Work} {
		ok(t, os.Mkdir(d, 0o755))
	}
	ok(t, tr.Set(tr.Root))
	self := filepath.Join(tr.Root, "attacker")
	copyFile(t, "/proc/self/exe", self)
	outside, err := tr.Outside("upper", "work")
	ok(t, err)
	lower, err := escapes.Trap{Outer: tr.Root, Root: filepath.Join(tr.Root, "x/root")}.Outside()
	ok(t, err)
	// What has a NUL cannot be a system call's argument.
	var names []string
	for _, n := range tr.Names() {
		if !strings.Contains(n, "\x00") {
			names = append(names, n)
		}
	}
	var linked []Covered // whoever opens a box finds those out
	for _, name := range tr.HardLinks() {
		linked = append(linked, Covered{Path: filepath.Join(tr.Root, name)})
	}
	b := w.open()
	for i := 0; i < len(names); i += 50 { // arguments are at most 128 KiB each
		arg, err := json.Marshal(names[i:min(i+50, len(names))])
		ok(t, err)
		c, err := b.Start(Command{Path: self, Argv: []string{"attacker", escapeArg, string(arg)}, Covered: linked})
		ok(t, err)
		code, out := finish(t, c)
		if code != 0 || !strings.Contains(out, "tried") || strings.Contains(out, "BREACH") {
			t.Errorf("status %d: %.2000s", code, out)
		}
	}
	ok(t, b.Close())
	after, err := tr.Outside("upper", "work")
	ok(t, err)
	if !maps.Equal(outside, after) {
		t.Errorf("the outside changed:\n%v\n%v", outside, after)
	}
	now, err := escapes.Trap{Outer: tr.Root, Root: filepath.Join(tr.Root, "x/root")}.Outside()
	ok(t, err)
	if !maps.Equal(lower, now) {
		t.Error("the workspace changed")
	}
}
