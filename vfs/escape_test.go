package vfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/unicity-astrid/astrid-go/testdata/escapes"
)

const secret = escapes.Secret

// trap is a directory x/root with every way out that a file system can hold, and what lies outside beside it.
type trap struct {
	escapes.Trap
	outer, root string
}

func newTrap(t *testing.T) trap {
	t.Helper()
	tr, err := escapes.New(t.TempDir())
	must(t, err)
	return trap{tr, tr.Outer, tr.Root}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// set plants the links in a directory, which stands for x/root.
func (tr trap) set(t *testing.T, dir string) {
	t.Helper()
	must(t, tr.Set(dir))
}

func (tr trap) attempts() []string { return tr.Names() }

// tries is what a guest can do with a name. Each returns what it read.
var tries = map[string]func(v Vfs, name string) string{
	"ReadFile": func(v Vfs, name string) string { b, _ := v.ReadFile(name, 100); return string(b) },
	"Open": func(v Vfs, name string) string {
		f, err := v.Open(name)
		if err != nil {
			return ""
		}
		defer f.Close()
		b := make([]byte, 100)
		n, _ := f.Read(b)
		return string(b[:n])
	},
	"Create": func(v Vfs, name string) string {
		if f, err := v.Create(name); err == nil {
			f.Write([]byte("by guest"))
			f.Close()
		}
		return ""
	},
	"Append": func(v Vfs, name string) string {
		if f, err := v.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0); err == nil {
			f.Write([]byte("by guest"))
			f.Close()
		}
		return ""
	},
	"WriteFile": func(v Vfs, name string) string { v.WriteFile(name, []byte("by guest"), 0o666); return "" },
	"MkdirAll":  func(v Vfs, name string) string { v.MkdirAll(name, 0o777); return "" },
	"Remove":    func(v Vfs, name string) string { v.Remove(name); return "" },
	"RemoveAll": func(v Vfs, name string) string { v.RemoveAll(name); return "" },
	"Chmod":     func(v Vfs, name string) string { v.Chmod(name, 0o4777); return "" },
	"Symlink":   func(v Vfs, name string) string { v.Symlink("/etc/passwd", name); v.Symlink("a/f", name); return "" },
	"RenameTo":  func(v Vfs, name string) string { v.Rename("a/f", name); return "" },
	"RenameOut": func(v Vfs, name string) string {
		v.Rename(name, "a/b/stolen")
		b, _ := v.ReadFile("a/b/stolen", 100)
		c, _ := v.ReadFile("a/b/stolen/secret", 100)
		return string(b) + string(c)
	},
	"Stat": func(v Vfs, name string) string {
		if fi, err := v.Stat(name); err == nil && fi.Size() == int64(len(secret)) {
			return secret
		}
		return ""
	},
	"ReadDir": func(v Vfs, name string) string {
		entries, _ := v.ReadDir(name)
		for _, e := range entries {
			if e.Name() == "secret" || e.Name() == "root2" {
				return secret
			}
		}
		return ""
	},
	"Readlink": func(v Vfs, name string) string { v.Readlink(name); return "" },
}

func TestEscapes(t *testing.T) {
	if n := len(trap{}.attempts()); n < 60 {
		t.Fatalf("only %d attempts", n)
	}
	kinds := map[string]func(t *testing.T, tr trap) Vfs{
		"host": func(t *testing.T, tr trap) Vfs {
			tr.set(t, tr.root)
			v, err := NewHost(tr.root, HostOptions{NoSync: true})
			must(t, err)
			return v
		},
		"overlay lower": func(t *testing.T, tr trap) Vfs {
			tr.set(t, tr.root)
			v, err := NewOverlay(tr.root, filepath.Join(tr.outer, "x/upper"), OverlayOptions{})
			must(t, err)
			return v
		},
		"overlay upper": func(t *testing.T, tr trap) Vfs { // what a hostile child may have made through a kernel mount
			up := filepath.Join(tr.outer, "x/upper")
			must(t, os.Mkdir(up, 0o755))
			tr.set(t, up)
			for _, name := range tr.HardLinks() { // which it cannot make of a file that it does not see
				must(t, os.Remove(filepath.Join(up, name)))
			}
			v, err := NewOverlay(tr.root, up, OverlayOptions{})
			must(t, err)
			return v
		},
	}
	for kind, open := range kinds {
		for op, try := range tries {
			t.Run(kind+"/"+op, func(t *testing.T) {
				t.Parallel()
				tr := newTrap(t)
				before := tr.outside(t)
				v := open(t, tr)
				defer v.Close()
				for _, name := range tr.attempts() {
					if got := try(v, name); strings.Contains(got, secret) || strings.Contains(got, "root:") {
						t.Errorf("%s %.80q reached the outside: %q", op, name, got)
					}
					if abs, err := v.Resolve(name); err == nil && abs != tr.root && !strings.HasPrefix(abs, tr.root+"/") {
						t.Errorf("resolve %.80q: %s is outside", name, abs)
					}
				}
				if o, ok := v.(*OverlayVfs); ok {
					if _, err := o.Commit(CommitOptions{OnConflict: Ours}); err != nil {
						t.Errorf("commit: %v", err)
					}
				}
				if d := diffTrees(before, tr.outside(t)); d != "" {
					t.Errorf("%s changed the outside:\n%s", op, d)
				}
			})
		}
	}
}

// outside is the picture of everything beside the root and the overlay's own directories.
func (tr trap) outside(t *testing.T) map[string]string {
	pic, err := tr.Outside("x/upper", "x/upper.state")
	must(t, err)
	return pic
}

// TestEscapeErrors pins what the caller is told.
func TestEscapeErrors(t *testing.T) {
	tr := newTrap(t)
	tr.set(t, tr.root)
	host, err := NewHost(tr.root, HostOptions{})
	must(t, err)
	defer host.Close()
	over, err := NewOverlay(tr.root, filepath.Join(tr.outer, "x/upper"), OverlayOptions{})
	must(t, err)
	defer over.Close()
	cases := []struct {
		name string
		want error
	}{
		{"../secret", ErrEscape}, {"a/../../secret", ErrEscape}, {"abs", ErrEscape}, {"absinside", ErrEscape}, {"rel", ErrEscape},
		{"up/secret", ErrEscape}, {"climb", ErrEscape}, {"a/ll", ErrEscape}, {"newrel", ErrEscape}, {"procroot/etc/passwd", ErrEscape},
		{"a\x00b", ErrName}, {"\xff", ErrName}, {strings.Repeat("n", MaxName+1), ErrName},
		{"loop1", unix.ELOOP}, {"fifo", ErrSpecial}, {"sock", ErrSpecial}, {"a", unix.EISDIR}, {"missing", os.ErrNotExist}, {"a/f/x", unix.ENOTDIR},
	}
	for _, v := range []Vfs{host, over} {
		for _, c := range cases {
			_, err := v.ReadFile(c.name, 0)
			if errors.Is(err, c.want) {
				continue
			}
			// os.Root has an error of its own for too many links.
			if c.want == unix.ELOOP && err != nil {
				continue
			}
			t.Errorf("%T read %q: %v, want %v", v, c.name, err, c.want)
		}
	}
}

// TestHardLinks: another name of a file outside is not written through.
func TestHardLinks(t *testing.T) {
	tr := newTrap(t)
	must(t, os.Link(filepath.Join(tr.outer, "secret"), filepath.Join(tr.root, "hard")))
	upper := filepath.Join(tr.outer, "x/upper")
	must(t, os.Mkdir(upper, 0o755))
	must(t, os.Link(filepath.Join(tr.outer, "secret"), filepath.Join(upper, "uphard")))
	before := tr.outside(t)
	host, err := NewHost(tr.root, HostOptions{})
	must(t, err)
	defer host.Close()
	if _, err := host.OpenFile("hard", os.O_WRONLY|os.O_TRUNC, 0); !errors.Is(err, ErrHardLink) {
		t.Errorf("open for writing: %v", err)
	}
	must(t, host.WriteFile("hard", []byte("replaced"), 0o644)) // the name gets a file of its own
	over, err := NewOverlay(tr.root, upper, OverlayOptions{})
	must(t, err)
	defer over.Close()
	for _, name := range []string{"hard", "uphard"} {
		f, err := over.OpenFile(name, os.O_RDWR, 0)
		must(t, err)
		_, err = f.WriteAt([]byte("XX"), 0)
		must(t, err)
		must(t, f.Close())
	}
	_, err = over.Commit(CommitOptions{})
	must(t, err)
	if d := diffTrees(before, tr.outside(t)); d != "" {
		t.Errorf("the outside changed:\n%s", d)
	}
	if data, _ := os.ReadFile(filepath.Join(tr.root, "uphard")); !strings.HasPrefix(string(data), "XX") {
		t.Errorf("committed %q", data)
	}
}
