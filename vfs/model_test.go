package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// plant makes a workspace with one of everything.
func plant(t rapid.TB, dir string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755))
	must(os.MkdirAll(filepath.Join(dir, "d/a"), 0o750))
	must(os.WriteFile(filepath.Join(dir, "b"), []byte("bee\n"), 0o644))
	must(os.WriteFile(filepath.Join(dir, "a/a"), []byte("one\ntwo\n"), 0o600))
	must(os.WriteFile(filepath.Join(dir, "a/b/a"), []byte("deep\n"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "a/b/c/d"), nil, 0o644))
	must(os.WriteFile(filepath.Join(dir, "d/a/b"), []byte(strings.Repeat("x", 5000)), 0o644))
	must(os.Symlink("a/b", filepath.Join(dir, "c")))
	must(os.Symlink("../b", filepath.Join(dir, "a/c")))
	must(os.Symlink("nowhere", filepath.Join(dir, "d/c")))
}

// tree is a picture of everything below a root: type, permission and content by path.
func tree(t rapid.TB, v Vfs) map[string]string {
	t.Helper()
	pic := map[string]string{}
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := v.ReadDir(dir)
		if err != nil {
			t.Fatalf("list %s: %v", dir, err)
		}
		for _, e := range entries {
			p := path.Join(dir, e.Name())
			fi, err := v.Lstat(p)
			if err != nil {
				t.Fatalf("lstat %s: %v", p, err)
			}
			s := fmt.Sprint(fi.Mode().Type()|fi.Mode().Perm(), " ")
			switch {
			case fi.IsDir():
				walk(p)
			case fi.Mode().IsRegular():
				data, err := v.ReadFile(p, 0)
				if err != nil {
					t.Fatalf("read %s: %v", p, err)
				}
				s += string(data)
			case fi.Mode()&fs.ModeSymlink != 0:
				target, err := v.Readlink(p)
				if err != nil {
					t.Fatalf("readlink %s: %v", p, err)
				}
				s = "link " + target
			}
			pic[p] = s
		}
	}
	walk(".")
	return pic
}

// treeOf is the picture of a plain directory.
func treeOf(t rapid.TB, dir string) map[string]string {
	t.Helper()
	v, err := NewHost(dir, HostOptions{MaxOpen: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	return tree(t, v)
}

func diffTrees(want, got map[string]string) string {
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[p]; !ok {
			fmt.Fprintf(&b, "missing %s: %.60q\n", p, want[p])
		} else if g != want[p] {
			fmt.Fprintf(&b, "%s: want %.60q, got %.60q\n", p, want[p], g)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[p]; !ok {
			fmt.Fprintf(&b, "surplus %s: %.60q\n", p, got[p])
		}
	}
	return b.String()
}

// model is the plain directory beside the overlay, driven through os.Root.
type model struct {
	dir       string
	r         *os.Root
	committed bool
}

func (m *model) writeFile(name string, data []byte, perm fs.FileMode) error {
	if err := m.mkdirAll(path.Dir(name), 0o777); err != nil {
		return err
	}
	return m.r.WriteFile(name, data, perm)
}

// mkdirAll is os.MkdirAll within the root: unlike Root.MkdirAll it does not create what a dangling link points to.
func (m *model) mkdirAll(name string, perm fs.FileMode) error {
	at := "."
	for part := range strings.SplitSeq(name, "/") {
		at = path.Join(at, part)
		if fi, err := m.r.Stat(at); err == nil && fi.IsDir() {
			continue
		}
		if err := m.r.Mkdir(at, perm); err != nil {
			return err
		}
	}
	return nil
}

// rename is rename(2): Root.Rename refuses an empty directory as the destination.
func (m *model) rename(from, to string) error {
	h := &HostVfs{root: m.r, abs: m.dir}
	a, err := h.follow(path.Dir(from))
	if err != nil {
		return err
	}
	b, err := h.follow(path.Dir(to))
	if err != nil {
		return err
	}
	return unix.Rename(filepath.Join(m.dir, a, path.Base(from)), filepath.Join(m.dir, b, path.Base(to)))
}

func drawName(t *rapid.T, label string) string {
	n := rapid.IntRange(1, 3).Draw(t, label+" depth")
	parts := make([]string, n)
	for i := range parts {
		parts[i] = rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, label)
	}
	return strings.Join(parts, "/")
}

// randomStep does one random operation on both sides and compares what they say.
func randomStep(t *rapid.T, v *OverlayVfs, m *model) {
	name := drawName(t, "name")
	var got, want error
	op := rapid.SampledFrom([]string{"write", "append", "create", "mkdir", "remove", "removeall", "rename", "rename", "symlink", "chmod", "stat", "read", "list", "reopen", "commit"}).Draw(t, "op")
	switch op {
	case "write":
		data := []byte(rapid.StringN(0, 20, -1).Draw(t, "data"))
		perm := rapid.SampledFrom([]fs.FileMode{0o644, 0o600, 0o755}).Draw(t, "perm")
		got, want = v.WriteFile(name, data, perm), m.writeFile(name, data, perm)
	case "append", "create":
		flag := os.O_WRONLY | os.O_APPEND
		if op == "create" {
			flag = os.O_RDWR | os.O_CREATE | rapid.SampledFrom([]int{0, os.O_TRUNC, os.O_EXCL}).Draw(t, "flag")
		}
		var f File
		if f, got = v.OpenFile(name, flag, 0o640); got == nil {
			f.Write([]byte("more"))
			f.Close()
		}
		var g *os.File
		if g, want = m.r.OpenFile(name, flag, 0o640); want == nil {
			g.Write([]byte("more"))
			g.Close()
		}
	case "mkdir":
		perm := rapid.SampledFrom([]fs.FileMode{0o755, 0o700}).Draw(t, "perm")
		got, want = v.MkdirAll(name, perm), m.mkdirAll(name, perm)
	case "remove":
		got, want = v.Remove(name), m.r.Remove(name)
	case "removeall":
		got, want = v.RemoveAll(name), m.r.RemoveAll(name)
	case "rename":
		to := drawName(t, "to")
		got, want = v.Rename(name, to), m.rename(name, to)
		name += " to " + to
	case "symlink":
		target := rapid.SampledFrom([]string{"a", "b/c", "../b", "../a/b", "x", "."}).Draw(t, "target")
		if got = v.Symlink(target, name); errors.Is(got, ErrEscape) {
			return // os.Root does not look at the text; the model must not have such a link
		}
		want = m.r.Symlink(target, name)
		name += " -> " + target
	case "chmod":
		mode := rapid.SampledFrom([]fs.FileMode{0o755, 0o700, 0o711}).Draw(t, "mode")
		if got = v.Chmod(name, mode); errors.Is(got, ErrRoot) {
			return // through a link
		}
		want = m.r.Chmod(name, mode)
	case "stat":
		_, got = v.Stat(name)
		_, want = m.r.Stat(name)
	case "read":
		var a, b []byte
		a, got = v.ReadFile(name, 0)
		b, want = m.r.ReadFile(name)
		if string(a) != string(b) {
			t.Fatalf("read %s: got %q, want %q", name, a, b)
		}
	case "list":
		_, got = v.ReadDir(name)
		var f *os.File
		if f, want = m.r.Open(name); want == nil {
			_, want = f.ReadDir(-1)
			f.Close()
		}
	case "reopen":
		v.reopen(t)
		return
	case "commit": // of a part: the view stays as it is
		if _, err := v.Commit(CommitOptions{Paths: []string{name}}); err != nil {
			t.Fatalf("commit %s: %v", name, err)
		}
		m.committed = true
		return
	}
	if (got == nil) != (want == nil) {
		t.Fatalf("%s %s: got %v, want %v", op, name, got, want)
	}
}

// reopen closes the overlay and opens it anew in place.
func (v *OverlayVfs) reopen(t rapid.TB) {
	t.Helper()
	lower, upper, o := v.lowerDir, v.upperDir, v.opts
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	n, err := NewOverlay(lower, upper, o)
	if err != nil {
		t.Fatal(err)
	}
	v.marks, v.low, v.up, v.stage, v.replaced, v.lock, v.base, v.created, v.closed = n.marks, n.low, n.up, n.stage, n.replaced, n.lock, n.base, n.created, false
	v.closing.Store(false)
}

// checkDiscard discards one path, then the rest: the workspace stays as it is, and shows through.
func checkDiscard(t *rapid.T, v *OverlayVfs, lower string) {
	before, view := treeOf(t, lower), tree(t, v)
	name := drawName(t, "discard")
	if err := v.Discard(name); err != nil {
		t.Fatalf("discard %s: %v", name, err)
	}
	after := tree(t, v)
	for p := range view {
		if !below(p, name) && after[p] != view[p] && !below(name, p) {
			t.Fatalf("discard %s changed %s: %q to %q", name, p, view[p], after[p])
		}
	}
	if left, err := v.Changes(name); err != nil || len(left) > 0 {
		for _, c := range left {
			if c.Op != Deleted || c.Path == name { // a file in the place of a parent still hides it
				if fi, err := v.Lstat(path.Dir(name)); err == nil && fi.IsDir() {
					t.Fatalf("after discard %s: %v, %v", name, left, err)
				}
			}
		}
	}
	if err := v.Discard(); err != nil {
		t.Fatal(err)
	}
	if left, err := v.Changes(); err != nil || len(left) > 0 {
		t.Fatalf("after discard: %v, %v", left, err)
	}
	if d := diffTrees(before, tree(t, v)); d != "" {
		t.Fatalf("after discard the view differs from the workspace:\n%s", d)
	}
	if d := diffTrees(before, treeOf(t, lower)); d != "" {
		t.Fatalf("discard changed the workspace:\n%s", d)
	}
	if len(v.base.recs) > 0 {
		t.Fatalf("records left: %v", v.base.recs)
	}
}

// checkCommit commits everything: the workspace is as the model, and the upper layer is empty.
func checkCommit(t *rapid.T, v *OverlayVfs, lower, plain string) {
	if _, err := v.Commit(CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	if d := diffTrees(treeOf(t, plain), treeOf(t, lower)); d != "" {
		t.Fatalf("the committed workspace differs from the model:\n%s", d)
	}
	if d := diffTrees(treeOf(t, plain), tree(t, v)); d != "" {
		t.Fatalf("the view differs after the commit:\n%s", d)
	}
	if left, err := v.Changes(); err != nil || len(left) > 0 {
		t.Fatalf("after commit: %v, %v", left, err)
	}
	if names, _ := namesAt(v.stage); len(names) > 0 {
		t.Fatalf("left in the staging directory: %v", names)
	}
}

// withModel plants a workspace twice: below an overlay, and as the plain directory that is its model.
func withModel(t *testing.T, rt *rapid.T, format Format) (v *OverlayVfs, m *model, lower string) {
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		rt.Fatal(err)
	}
	rt.Cleanup(func() { os.RemoveAll(dir) })
	lower, plain := filepath.Join(dir, "lower"), filepath.Join(dir, "plain")
	for _, d := range []string{lower, plain} {
		os.Mkdir(d, 0o755)
		plant(rt, d)
	}
	if v, err = NewOverlay(lower, filepath.Join(dir, "upper"), OverlayOptions{format: format}); err != nil {
		rt.Fatal(err)
	}
	rt.Cleanup(func() { v.Close() })
	r, err := os.OpenRoot(plain)
	if err != nil {
		rt.Fatal(err)
	}
	rt.Cleanup(func() { r.Close() })
	return v, &model{dir: plain, r: r}, lower
}

func TestOverlayModel(t *testing.T) {
	for _, format := range []Format{FormatOverlayfs, FormatXattr, FormatFiles} {
		t.Run(string(format), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				v, m, lower := withModel(t, rt, format)
				plain, before := m.dir, treeOf(rt, lower)
				for range rapid.IntRange(1, 25).Draw(rt, "steps") {
					randomStep(rt, v, m)
					if d := diffTrees(treeOf(rt, plain), tree(rt, v)); d != "" {
						rt.Fatalf("the overlay differs from the model:\n%s", d)
					}
				}
				if d := diffTrees(before, treeOf(rt, lower)); d != "" && !m.committed {
					rt.Fatalf("the lower layer changed:\n%s", d)
				}
				if rapid.Bool().Draw(rt, "discard") {
					checkDiscard(rt, v, lower)
				} else {
					checkCommit(rt, v, lower, plain)
				}
			})
		})
	}
}
