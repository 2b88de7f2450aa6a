package vfs

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newOverlay opens an overlay over a planted workspace.
func newOverlay(t testing.TB, o OverlayOptions) (v *OverlayVfs, lower string) {
	t.Helper()
	dir := t.TempDir()
	lower = filepath.Join(dir, "lower")
	must(t, os.Mkdir(lower, 0o755))
	plant(t, lower)
	v, err := NewOverlay(lower, filepath.Join(dir, "upper"), o)
	must(t, err)
	t.Cleanup(func() { v.Close() })
	return v, lower
}

func TestCopyUpKeepsModeAndTime(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	old := time.Date(2020, 1, 2, 3, 4, 5, 123456789, time.UTC)
	must(t, os.Chtimes(filepath.Join(lower, "a/b/a"), old, old))
	f, err := v.OpenFile("c/a", os.O_RDWR, 0) // through a link
	must(t, err)
	defer f.Close()
	fi, err := v.Stat("a/b/a")
	must(t, err)
	if fi.Mode() != 0o755 || !fi.ModTime().Equal(old) {
		t.Errorf("copied up as %v %v", fi.Mode(), fi.ModTime())
	}
	if list, err := v.Changes(); err != nil || len(list) != 0 {
		t.Errorf("an untouched copy is a change: %v %v", list, err)
	}
	if fi, err := v.Lstat("a/b"); err != nil || fi.Mode() != fs.ModeDir|0o755 {
		t.Errorf("parent: %v %v", fi, err)
	}
}

func TestQuota(t *testing.T) {
	v, _ := newOverlay(t, OverlayOptions{Quota: 10000})
	must(t, v.WriteFile("one", make([]byte, 6000), 0o644))
	if err := v.WriteFile("two", make([]byte, 6000), 0o644); !errors.Is(err, ErrQuota) {
		t.Errorf("write: %v", err)
	}
	if _, err := v.OpenFile("d/a/b", os.O_RDWR, 0); !errors.Is(err, ErrQuota) { // 5000 bytes to copy up
		t.Errorf("copy-up: %v", err)
	}
	f, err := v.Create("three")
	must(t, err)
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 1<<30); !errors.Is(err, ErrQuota) {
		t.Errorf("write far out: %v", err)
	}
	if err := f.Truncate(5000); !errors.Is(err, ErrQuota) {
		t.Errorf("truncate: %v", err)
	}
	if _, err := f.Write(make([]byte, 3000)); err != nil {
		t.Errorf("write within the quota: %v", err)
	}
	if _, err := f.Write(make([]byte, 3000)); !errors.Is(err, ErrQuota) {
		t.Errorf("the second write: %v", err)
	}
	if _, ok := f.(interface{ ReadFrom(any) (int64, error) }); ok {
		t.Error("the file has a way around Write")
	}
	must(t, v.Remove("one"))
	must(t, v.WriteFile("two", make([]byte, 6000), 0o644)) // deleting gave room
	v.reopen(t)
	if err := v.WriteFile("four", make([]byte, 3000), 0o644); !errors.Is(err, ErrQuota) {
		t.Errorf("after reopening: %v", err)
	}
	// A directory that nobody may read counts all the same.
	must(t, v.MkdirAll("dark", 0o755))
	must(t, v.WriteFile("dark/f", make([]byte, 900), 0o644))
	must(t, v.Chmod("dark", 0))
	if err := v.WriteFile("five", make([]byte, 900), 0o644); !errors.Is(err, ErrQuota) {
		t.Errorf("after hiding content: %v", err)
	}
	if fi, err := v.Stat("dark"); err != nil || fi.Mode().Perm() != 0 {
		t.Errorf("counting changed the mode: %v %v", fi.Mode(), err)
	}
	must(t, v.RemoveAll("dark"))
}

func TestHandleLimit(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o644))
	host, err := NewHost(dir, HostOptions{MaxOpen: 2})
	must(t, err)
	over, _ := newOverlay(t, OverlayOptions{MaxOpen: 2})
	must(t, over.WriteFile("f", nil, 0o644))
	for _, v := range []Vfs{host, over} {
		a, err := v.Open("f")
		must(t, err)
		b, err := v.OpenFile("f", os.O_RDWR, 0)
		must(t, err)
		if _, err := v.Open("f"); !errors.Is(err, ErrTooManyOpen) {
			t.Errorf("%T: the third handle: %v", v, err)
		}
		a.Close()
		a.Close() // a second Close gives nothing back
		c, err := v.Open("f")
		must(t, err)
		if _, err := v.Open("f"); !errors.Is(err, ErrTooManyOpen) {
			t.Errorf("%T: after a double close: %v", v, err)
		}
		b.Close()
		c.Close()
	}
}

func TestReadLimit(t *testing.T) {
	v, _ := newOverlay(t, OverlayOptions{})
	if _, err := v.ReadFile("d/a/b", 4999); !errors.Is(err, ErrTooLarge) {
		t.Errorf("beyond the limit: %v", err)
	}
	if data, err := v.ReadFile("d/a/b", 5000); err != nil || len(data) != 5000 {
		t.Errorf("at the limit: %d, %v", len(data), err)
	}
	// A reader that has more than its stat said.
	if _, err := readAll(strings.NewReader("longer than said"), 3, 10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("grown file: %v", err)
	}
	if data, err := readAll(strings.NewReader("longer than said"), 3, 100); err != nil || string(data) != "longer than said" {
		t.Errorf("grown file: %q, %v", data, err)
	}
}

func TestReadOnlyHost(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir)
	v, err := NewHost(dir, HostOptions{ReadOnly: true})
	must(t, err)
	defer v.Close()
	before := tree(t, v)
	_, openErr := v.OpenFile("b", os.O_RDONLY|os.O_TRUNC, 0)
	for name, err := range map[string]error{
		"write": v.WriteFile("x", nil, 0o644), "open": openErr, "mkdir": v.MkdirAll("x", 0o755), "remove": v.Remove("b"),
		"removeall": v.RemoveAll("a"), "rename": v.Rename("b", "x"), "symlink": v.Symlink("b", "x"), "chmod": v.Chmod("b", 0o777),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := diffTrees(before, tree(t, v)); d != "" {
		t.Error(d)
	}
}

func TestOneUserAtATime(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	if _, err := NewOverlay(lower, v.UpperDir(), OverlayOptions{}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second overlay: %v", err)
	}
	if _, err := NewOverlay(lower, filepath.Join(lower, "up"), OverlayOptions{}); err == nil {
		t.Error("an upper layer inside the workspace was accepted")
	}
	must(t, v.Close())
	if _, err := v.ReadFile("b", 0); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
	if _, err := NewOverlay(t.TempDir(), v.UpperDir(), OverlayOptions{}); err == nil {
		t.Error("another workspace's upper layer was accepted")
	}
}

// TestUpperIsOverlayfs looks at the marks on disk.
func TestUpperIsOverlayfs(t *testing.T) {
	v, _ := newOverlay(t, OverlayOptions{})
	if v.Format() != FormatOverlayfs {
		t.Skipf("this filesystem gives %s", v.Format())
	}
	must(t, v.Remove("b"))
	must(t, v.RemoveAll("a"))
	must(t, v.MkdirAll("a", 0o755))
	st, err := statAt(v.up, "b")
	must(t, err)
	if !st.devZero() {
		t.Errorf("whiteout is %v", st.mode)
	}
	fd, err := openDirAt(v.up, "a")
	must(t, err)
	defer unix.Close(fd)
	buf := make([]byte, 8)
	n, err := unix.Fgetxattr(fd, "user.overlay.opaque", buf)
	if err != nil || string(buf[:n]) != "y" {
		t.Errorf("opaque: %q %v", buf[:max(n, 0)], err)
	}
	names, err := os.ReadDir(v.UpperDir())
	must(t, err)
	if len(names) != 2 { // nothing of ours beside the marks
		t.Errorf("upper has %v", names)
	}
}

func TestChangesAndDiff(t *testing.T) {
	v, _ := newOverlay(t, OverlayOptions{})
	must(t, v.WriteFile("a/a", []byte("one\n2\n"), 0o644))
	must(t, v.WriteFile("new/file", []byte("n"), 0o644))
	must(t, v.WriteFile("bin", []byte("\x00\x01"), 0o644))
	must(t, v.Rename("a/b/a", "moved"))
	must(t, v.RemoveAll("d"))
	must(t, v.Chmod("b", 0o600))
	list, err := v.Changes()
	must(t, err)
	var got []string
	for _, c := range list {
		got = append(got, c.Op.String()+" "+c.Path)
	}
	want := []string{"modified a/a", "deleted a/b/a", "modified b", "added bin", "deleted d", "deleted d/a", "deleted d/a/b", "deleted d/c", "added moved", "added new", "added new/file"}
	if !slices.Equal(got, want) {
		t.Errorf("changes:\n got %v\nwant %v", got, want)
	}
	diff, err := v.Diff()
	must(t, err)
	for _, part := range []string{
		"diff --git a/a/a b/a/a\n--- a/a/a\n+++ b/a/a\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n",
		"old mode 100644\nnew mode 100600\n",
		"new file mode 100644\nBinary files /dev/null and b/bin differ\n",
		"+++ b/new/file\n@@ -0,0 +1 @@\n+n\n\\ No newline at end of file\n",
		"deleted file mode 120000\n--- a/d/c\n+++ /dev/null\n@@ -1 +0,0 @@\n-nowhere\n",
	} {
		if !strings.Contains(diff, part) {
			t.Errorf("diff lacks %q:\n%s", part, diff)
		}
	}
	if part, err := v.Diff("new"); err != nil || strings.Count(part, "diff --git") != 1 {
		t.Errorf("diff of a path: %q %v", part, err)
	}
}

func TestLargeCopyUp(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	must(t, os.WriteFile(filepath.Join(lower, "big"), big, 0o644))
	f, err := v.OpenFile("big", os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt([]byte("X"), 1<<20)
	must(t, err)
	must(t, f.Close())
	_, err = v.Commit(CommitOptions{})
	must(t, err)
	big[1<<20] = 'X'
	if got, _ := os.ReadFile(filepath.Join(lower, "big")); !bytes.Equal(got, big) {
		t.Error("the committed file differs")
	}
}

// TestSpecialFiles: the workspace's FIFOs and devices are seen and can be deleted, never opened or copied.
func TestSpecialFiles(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	must(t, unix.Mkfifo(filepath.Join(lower, "a/pipe"), 0o644))
	if fi, err := v.Lstat("a/pipe"); err != nil || fi.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("lstat: %v %v", fi, err)
	}
	if _, err := v.OpenFile("a/pipe", os.O_WRONLY, 0); !errors.Is(err, ErrSpecial) {
		t.Errorf("open: %v", err)
	}
	if err := v.Rename("a", "z"); !errors.Is(err, ErrSpecial) {
		t.Errorf("rename a directory with a FIFO: %v", err)
	}
	if fi, err := v.Lstat("a/b/a"); err != nil || fi.Mode() != 0o755 {
		t.Errorf("after the refused rename: %v", err)
	}
	must(t, v.Remove("a/pipe"))
	_, err := v.Commit(CommitOptions{})
	must(t, err)
	if _, err := os.Lstat(filepath.Join(lower, "a/pipe")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after commit: %v", err)
	}
	// One that a child made stays in the overlay.
	must(t, unix.Mkfifo(filepath.Join(v.UpperDir(), "made"), 0o644))
	res, err := v.Commit(CommitOptions{})
	if err != nil || len(res.Skipped) != 1 || len(res.Committed) != 0 {
		t.Errorf("commit of a FIFO: %+v %v", res, err)
	}
}

// TestRenameHides: a directory that takes a deleted one's place hides what that had, whichever way it was made.
func TestRenameHides(t *testing.T) {
	for _, format := range []Format{FormatOverlayfs, FormatXattr, FormatFiles} {
		for name, source := range map[string]func(t *testing.T, v *OverlayVfs) string{
			"new":    func(t *testing.T, v *OverlayVfs) string { must(t, v.WriteFile("new/x", nil, 0o644)); return "new" },
			"lower":  func(t *testing.T, v *OverlayVfs) string { return "d" },
			"merged": func(t *testing.T, v *OverlayVfs) string { must(t, v.WriteFile("d/x", nil, 0o644)); return "d" },
		} {
			for _, empty := range []bool{false, true} { // over a whiteout, or over an empty directory that has whiteouts
				v, lower := newOverlay(t, OverlayOptions{format: format})
				from := source(t, v)
				want := map[string]string{}
				for p, s := range tree(t, v) {
					if below(p, from) {
						want["a"+strings.TrimPrefix(p, from)] = s
					}
				}
				if empty {
					for _, p := range []string{"a/a", "a/b", "a/c"} {
						must(t, v.RemoveAll(p))
					}
				} else {
					must(t, v.RemoveAll("a"))
				}
				must(t, v.Rename(from, "a"))
				got := tree(t, v)
				for p := range got {
					if !below(p, "a") {
						delete(got, p)
					}
				}
				if d := diffTrees(want, got); d != "" {
					t.Errorf("%s, %s, empty %v:\n%s", format, name, empty, d)
				}
				if _, err := v.Lstat(from); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s, %s: the source: %v", format, name, err)
				}
				view := tree(t, v)
				_, err := v.Commit(CommitOptions{})
				must(t, err)
				if d := diffTrees(view, treeOf(t, lower)); d != "" {
					t.Errorf("%s, %s, committed:\n%s", format, name, d)
				}
			}
		}
	}
}

// TestRenameErrors are rename(2)'s.
func TestRenameErrors(t *testing.T) {
	v, _ := newOverlay(t, OverlayOptions{})
	before := tree(t, v)
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"missing", "x", unix.ENOENT}, {"a", "a/b/x", unix.EINVAL}, {"a/b", "a", unix.ENOTEMPTY}, {"b", "a", unix.EISDIR}, {"a", "b", unix.ENOTDIR},
		{"a", "d", unix.ENOTEMPTY}, {"b", "missing/x", unix.ENOENT}, {"b", "../x", ErrEscape}, {".", "x", ErrRoot}, {"b", ".", ErrRoot}, {"b", "b", nil},
	} {
		if err := v.Rename(c.from, c.to); !errors.Is(err, c.want) {
			t.Errorf("rename %s %s: %v, want %v", c.from, c.to, err, c.want)
		}
	}
	if d := diffTrees(before, tree(t, v)); d != "" {
		t.Errorf("refused renames changed the tree:\n%s", d)
	}
}

// TestUnreadable: what the process may not read can be seen and deleted, and is an error otherwise.
func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	v, lower := newOverlay(t, OverlayOptions{})
	must(t, os.Chmod(filepath.Join(lower, "b"), 0))
	must(t, os.Mkdir(filepath.Join(lower, "locked"), 0o755))
	must(t, os.WriteFile(filepath.Join(lower, "locked/f"), []byte("old"), 0o644))
	must(t, os.Chmod(filepath.Join(lower, "locked"), 0o555))
	defer os.Chmod(filepath.Join(lower, "locked"), 0o755)
	if _, err := v.ReadFile("b", 0); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("read: %v", err)
	}
	if err := v.WriteFile("b", nil, 0o644); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("write: %v", err)
	}
	if err := v.Chmod("b", 0o644); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("chmod: %v", err)
	}
	if err := v.WriteFile("locked/new", nil, 0o644); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("create in a read-only directory: %v", err)
	}
	if err := v.Remove("locked/f"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("remove from a read-only directory: %v", err)
	}
	must(t, v.WriteFile("locked/f", []byte("new"), 0o644)) // the file itself may be written
	if fi, err := v.Stat("locked"); err != nil || fi.Mode().Perm() != 0o555 {
		t.Errorf("the directory's mode: %v %v", fi.Mode(), err)
	}
	must(t, v.Remove("b"))
	_, err := v.Commit(CommitOptions{Paths: []string{"b"}})
	must(t, err)
	if _, err := os.Lstat(filepath.Join(lower, "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after commit: %v", err)
	}
	if _, err := v.Commit(CommitOptions{}); !errors.Is(err, fs.ErrPermission) { // a new file cannot be made beside locked/f
		t.Errorf("commit into a read-only directory: %v", err)
	}
	must(t, v.Discard())
	if names, _ := os.ReadDir(v.UpperDir()); len(names) != 0 {
		t.Errorf("left after discard: %v", names)
	}
}

// TestDescriptorsAreClosed counts this process's descriptors around a busy overlay.
func TestDescriptorsAreClosed(t *testing.T) {
	count := func() int {
		names, err := os.ReadDir("/dev/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(names)
	}
	before := count()
	tr := newTrap(t)
	tr.set(t, tr.root)
	for seed := range uint64(5) {
		v, err := NewOverlay(tr.root, filepath.Join(tr.outer, "x/upper"), OverlayOptions{})
		must(t, err)
		randomChanges(rand.New(rand.NewPCG(seed, 3)), v, 100)
		attempts := tr.attempts()
		if seed > 0 { // once is enough for all of them
			attempts = attempts[:10]
		}
		for _, name := range attempts {
			v.Stat(name)
			v.ReadFile(name, 0)
			v.WriteFile(name, nil, 0o644)
			v.Rename(name, "a/b/c")
		}
		v.Commit(CommitOptions{Paths: []string{"a"}})
		v.Discard("deep/er")
		v.Commit(CommitOptions{OnConflict: Ours})
		must(t, v.Close())
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
