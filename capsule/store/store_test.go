package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
)

var start = time.Date(2026, 3, 24, 10, 11, 12, 123456789, time.UTC)

// fixture is a store with directories of its own and a clock that stands still.
type fixture struct {
	*Store
	t    *testing.T
	root string
	time time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	root := t.TempDir()
	f := &fixture{t: t, root: root, time: start}
	f.Store = &Store{
		Dir:    filepath.Join(root, "home", ".local", "capsules"),
		BinDir: filepath.Join(root, "bin"),
		WitDir: filepath.Join(root, "wit"),
		Now:    func() time.Time { return f.time },
	}
	return f
}

// manifest makes a Capsule.toml with one component and more tables.
func manifest(name, version, more string) string {
	return fmt.Sprintf("[package]\nname = %q\nversion = %q\n[[component]]\nfile = \"main.wasm\"\n%s", name, version, more)
}

// dir writes a prepared capsule directory.
func (f *fixture) dir(files map[string]string) string {
	f.t.Helper()
	dir := f.t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			f.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			f.t.Fatal(err)
		}
	}
	return dir
}

func (f *fixture) mustInstall(files map[string]string) Installed {
	f.t.Helper()
	i, err := f.InstallPath(context.Background(), f.dir(files), InstallOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	if i.Err != nil {
		f.t.Fatal(i.Err)
	}
	return i
}

// snapshot lists everything below the fixture's root with its content.
func (f *fixture) snapshot() []string {
	f.t.Helper()
	var out []string
	err := filepath.WalkDir(f.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() == ".lock" {
			return err
		}
		rel, _ := filepath.Rel(f.root, path)
		if e.IsDir() {
			out = append(out, rel+"/")
			return nil
		}
		data, err := os.ReadFile(path)
		out = append(out, rel+" "+capsule.Hash(data))
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *fixture) mustBeUnchanged(before []string) {
	f.t.Helper()
	if after := f.snapshot(); !slices.Equal(before, after) {
		f.t.Fatalf("the store changed:\nbefore\n%s\nafter\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

// header is one entry of a test archive.
type header struct {
	name string
	body string
	kind byte
	link string
	mode int64
}

func archive(t testing.TB, entries ...header) []byte {
	t.Helper()
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Size: int64(len(e.body)), Mode: e.mode}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return gzipped(t, raw.Bytes())
}

func gzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
