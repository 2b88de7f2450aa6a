package vfs

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const secret = "the secret outside"

// trap is a directory x/root with every way out that a file system can hold, and what lies outside beside it.
type trap struct{ outer, root string }

func newTrap(t *testing.T) trap {
	t.Helper()
	outer, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tr := trap{outer, filepath.Join(outer, "x/root")}
	for _, d := range []string{"x/root", "x/root2", "out/dir"} {
		must(t, os.MkdirAll(filepath.Join(outer, d), 0o755))
	}
	for _, f := range []string{"secret", "x/secret", "x/root2/secret", "out/secret", "out/dir/secret"} {
		must(t, os.WriteFile(filepath.Join(outer, f), []byte(secret), 0o644))
	}
	return tr
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
	must(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, "deep/er"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "a/f"), []byte("inside"), 0o644))
	links := map[string]string{
		"abs":           filepath.Join(tr.outer, "secret"),
		"absdir":        filepath.Join(tr.outer, "out"),
		"absroot":       "/",
		"absinside":     filepath.Join(tr.root, "a/f"),
		"rel":           "../secret",
		"up":            "..",
		"upslash":       "../",
		"upup":          "../..",
		"prefix":        "../root2/secret",
		"back":          "../root/../secret",
		"chain1":        "chain2",
		"chain2":        "a/../chain3",
		"chain3":        "../secret",
		"dirchain":      "deep/up2",
		"deep/up":       "../../secret",
		"deep/up2":      "../..",
		"deep/er/up3":   "../../../out/secret",
		"deep/abs":      filepath.Join(tr.outer, "out/dir"),
		"a/l":           "..",
		"a/ll":          "l/../secret",
		"climb":         "a/l/../secret",
		"dot":           ".",
		"dotup":         "dot/dot/dot/../secret",
		"procroot":      "/proc/self/root",
		"proccwd":       "/proc/self/cwd",
		"procfd":        "/proc/self/fd",
		"procfd0":       "/proc/self/fd/0",
		"relproc":       "../../../../../../../../../../proc/self/root/etc/passwd",
		"zero":          "/dev/zero",
		"tty":           "/dev/tty",
		"newabs":        filepath.Join(tr.outer, "created"),
		"newrel":        "../created",
		"a/newrel":      "../../created",
		"newdir":        "../made",
		"newchain":      "newrel",
		"newdeep":       "../made/by/guest",
		"loop1":         "loop2",
		"loop2":         "loop1",
		"self":          "self",
		"selfdir":       "selfdir/x",
		"slashes":       "a//..//..//secret",
		"gone":          "missing/../../secret",
		"gonein":        "missing/../a/f",
		"a/b/longclimb": strings.Repeat("../", 60) + strings.TrimPrefix(filepath.Join(tr.outer, "secret"), "/"),
	}
	for name, target := range links {
		must(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o666))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	defer unix.Close(fd)
	// A socket's path is short, so it is bound under a short name and moved.
	short := filepath.Join(os.TempDir(), tempName())
	must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: short}))
	must(t, os.Rename(short, filepath.Join(dir, "sock")))
}

// attempts is the written list of ways out: names that a guest may try.
func (tr trap) attempts() []string {
	list := []string{
		// the name alone
		"..", "../", "../.", "../secret", "../../secret", "/..", "/../secret", "//../secret", "./../secret", "./.././secret",
		"a/../../secret", "a/b/../../../secret", "a//..//..//secret", "a/./.././../secret", "a/../..", "a/f/../../../secret",
		"missing/../../secret", ".../../../secret", strings.Repeat("../", 100) + "etc/passwd", strings.Repeat("a/../", 50) + "../secret",
		"..\x00", "\x00", "a\x00/../../secret", "a/f\x00.txt", "\xff\xfe", "a/\xc0\xae\xc0\xae/secret", strings.Repeat("a/", 2049),
		strings.Repeat("n", 4097), "",
		// other systems' spellings, which are plain names here
		`..\secret`, `a\..\..\secret`, `C:\secret`, "%2e%2e/secret", "%2e%2e%2fsecret", "․․/secret", "‥/secret", "\u202e../secret",
		"file:///etc/passwd", "cwd://../../secret", "home://../secret", "~/secret", "~root/.ssh", "$HOME/secret",
		"/etc/passwd", "//etc/passwd", "/proc/self/root/etc/passwd", "/dev/zero", "/dev/stdin", tr.outer + "/secret", "/" + tr.outer + "/secret",
		tr.root + "/../secret", tr.root + "2/secret",
		// links
		"abs", "abs/", "abs/.", "absdir", "absdir/secret", "absdir/dir/secret", "absdir/new", "absdir/dir", "absroot", "absroot/etc/passwd", "absinside",
		"rel", "rel/", "up", "up/secret", "up/root/../secret", "up/created", "upslash/secret", "upup/secret", "upup/out/secret", "up/root2/secret",
		"prefix", "back", "chain1", "chain2", "chain3", "dirchain/secret", "dirchain/out/created", "deep/up", "deep/up2", "deep/up2/secret",
		"deep/er/up3", "deep/abs/secret", "deep/abs/new", "a/ll", "climb", "a/l/up/secret", "a/l/rel", "dot/rel", "dot/dot/up/secret", "dotup",
		"procroot", "procroot/etc/passwd", "proccwd", "proccwd/secret", "procfd", "procfd/0", "procfd0", "relproc", "zero", "tty",
		"newabs", "newrel", "a/newrel", "newdir", "newdir/x", "newchain", "newdeep", "newdeep/x",
		"loop1", "loop2/x", "self", "self/x", "selfdir", "slashes", "gone", "gonein", "a/b/longclimb", "fifo", "fifo/x", "sock",
	}
	return list
}

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
	pic := treeOf(t, tr.outer)
	maps.DeleteFunc(pic, func(p, _ string) bool {
		return below(p, "x/root") || below(p, "x/upper") || below(p, "x/upper.state")
	})
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
