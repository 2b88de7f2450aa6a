package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// hideSecrets hides keys and anything called *.secret.
func hideSecrets(p string) bool { return p == "keys" || p == "a/b" || strings.HasSuffix(p, ".secret") }

func hiding(t *testing.T) (*HostVfs, string) {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"keys/sub", "a/b", "open"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	for _, f := range []string{"keys/k", "keys/sub/k", "a/b/k", "a/f", "open/x.secret", "open/X2.SECRET", "f"} {
		must(t, os.WriteFile(filepath.Join(dir, f), []byte("in "+f), 0o644))
	}
	for name, target := range map[string]string{"link": "keys", "klink": "keys/k", "a/up": "../keys/sub", "chain": "link", "newlink": "keys/new", "open/l": "x.secret"} {
		must(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	v, err := NewHost(dir, HostOptions{NoSync: true, Hide: hideSecrets})
	must(t, err)
	t.Cleanup(func() { v.Close() })
	return v, dir
}

func TestHide(t *testing.T) {
	names := []string{
		"keys", "/keys", "keys/", "./keys/k", "keys/k", "a/../keys/k", "keys/sub/k", "keys/new", "a/b", "a/b/k", "a/b/new/deep", "open/x.secret", "open/X2.SECRET",
		"open/new.secret/x", "link/k", "link/new", "klink", "a/up/k", "chain/k", "chain/sub/k", "newlink", "open/l", "KEYS", "KEYS/k", "\u212aeys/k", "key\u017f/k", "open/Y.\u017fecret",
	}
	for op, try := range tries {
		v, dir := hiding(t)
		before := secretsOf(t, dir)
		for _, name := range names {
			if got := try(v, name); strings.HasPrefix(got, "in ") {
				t.Errorf("%s %q read %q", op, name, got)
			}
		}
		// A directory that holds something hidden stays whole.
		for _, name := range []string{"a", "open"} {
			if err := v.RemoveAll(name); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("remove %s: %v", name, err)
			}
			if err := v.Rename(name, "moved"); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("rename %s: %v", name, err)
			}
		}
		if d := diffTrees(before, secretsOf(t, dir)); d != "" {
			t.Errorf("%s changed what is hidden:\n%s", op, d)
		}
	}
	v, _ := hiding(t)
	for _, name := range names {
		if abs, err := v.Resolve(name); err == nil {
			t.Errorf("resolve %q: %s", name, abs)
		}
	}
	if _, err := v.ReadFile("keys/k", 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read: %v", err)
	}
	if err := v.WriteFile("keys/k", nil, 0o644); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("write: %v", err)
	}
	entries, err := v.ReadDir(".")
	must(t, err)
	for _, e := range entries {
		if e.Name() == "keys" {
			t.Error("keys is listed")
		}
	}
	// What is not hidden works as before.
	must(t, v.WriteFile("a/f", []byte("new"), 0o644))
	must(t, v.Rename("a/f", "open/f"))
	must(t, v.MkdirAll("a/c/d", 0o755))
	must(t, v.RemoveAll("a/c"))
	if data, err := v.ReadFile("open/f", 0); err != nil || string(data) != "new" {
		t.Errorf("read: %q %v", data, err)
	}
}

// secretsOf is the picture of what hideSecrets hides.
func secretsOf(t *testing.T, dir string) map[string]string {
	out := map[string]string{}
	for p, s := range treeOf(t, dir) {
		for q := strings.ToLower(p); q != "."; q = path.Dir(q) {
			if hideSecrets(q) {
				out[p] = s
			}
		}
	}
	return out
}

// TestHostDevices: a device is refused although root may open it.
func TestHostDevices(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mknod(filepath.Join(dir, "zero"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
		t.Skip("cannot make a device: ", err)
	}
	host, err := NewHost(dir, HostOptions{})
	must(t, err)
	defer host.Close()
	over, err := NewOverlay(dir, filepath.Join(t.TempDir(), "upper"), OverlayOptions{})
	must(t, err)
	defer over.Close()
	for _, v := range []Vfs{host, over} {
		if _, err := v.ReadFile("zero", 10); !errors.Is(err, ErrSpecial) {
			t.Errorf("%T read: %v", v, err)
		}
		if _, err := v.OpenFile("zero", os.O_RDWR, 0); !errors.Is(err, ErrSpecial) {
			t.Errorf("%T open: %v", v, err)
		}
		if err := v.WriteFile("zero", nil, 0o644); !errors.Is(err, ErrSpecial) {
			t.Errorf("%T write: %v", v, err)
		}
	}
}

// TestHostWriteFile: the content is replaced at once, the mode stays, and nothing is left behind.
func TestHostWriteFile(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir)
	v, err := NewHost(dir, HostOptions{})
	must(t, err)
	defer v.Close()
	old, err := v.Open("a/b/a")
	must(t, err)
	defer old.Close()
	must(t, v.WriteFile("c/a", []byte("new"), 0o600)) // through a link
	data := make([]byte, 10)
	if n, _ := old.Read(data); string(data[:n]) != "deep\n" {
		t.Errorf("the old handle reads %q", data[:n])
	}
	if fi, err := v.Stat("a/b/a"); err != nil || fi.Mode() != 0o755 || fi.Size() != 3 {
		t.Errorf("after: %v %v", fi, err)
	}
	must(t, v.WriteFile("d/c", []byte("made"), 0o600)) // a dangling link's target is made
	if data, err := v.ReadFile("d/nowhere", 0); err != nil || string(data) != "made" {
		t.Errorf("through a dangling link: %q %v", data, err)
	}
	if err := v.WriteFile("missing/f", nil, 0o644); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("parents are not created in a host tree: %v", err)
	}
	for p := range tree(t, v) {
		if strings.Contains(p, tempPrefix) {
			t.Errorf("left behind: %s", p)
		}
	}
}
