package wasm

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/ipc"
)

func cacheFiles(t *testing.T, dir, sub string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(filepath.Join(dir, sub), func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, p)
		}
		return err
	}))
	return out
}

// loadOnce compiles in a runtime of its own, as a daemon's start does.
func loadOnce(t *testing.T, dir string) {
	t.Helper()
	r, _ := newRuntime(t, Options{CacheDir: dir})
	i := guest(t, r, one(nil, "hello", output(0, 5)))
	if out, err := invoke(i, context.Background()); out != "hello" || err != nil {
		t.Errorf("%q %v", out, err)
	}
}

func TestCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	loadOnce(t, dir)
	metered, native := cacheFiles(t, dir, codeDir), cacheFiles(t, dir, nativeDir)
	if len(metered) != 1 || len(native) != 1 {
		t.Fatalf("cached %q and %q", metered, native)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", fi.Mode(), err)
	}
	// The second start uses both: it writes neither.
	for _, f := range append(metered, native...) {
		must(t, os.Chmod(f, 0o400))
	}
	before, err := os.Stat(metered[0])
	must(t, err)
	loadOnce(t, dir)
	after, err := os.Stat(metered[0])
	must(t, err)
	if !os.SameFile(before, after) || len(cacheFiles(t, dir, nativeDir)) != 1 {
		t.Error("the second start wrote the cache again")
	}
}

// TestDamagedCache: whatever a crash or a disk left of a cached file, the capsule loads,
// and the file is whole again.
func TestDamagedCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	loadOnce(t, dir)
	for _, sub := range []string{codeDir, nativeDir} {
		path := cacheFiles(t, dir, sub)[0]
		whole, err := os.ReadFile(path)
		must(t, err)
		for _, cut := range []int{0, 1, 7, 20, len(whole) / 2, len(whole) - 1} {
			must(t, os.WriteFile(path, whole[:cut], 0o600))
			loadOnce(t, dir)
			if b, err := os.ReadFile(path); err != nil || len(b) != len(whole) {
				t.Errorf("%s cut to %d bytes: then %d bytes, %v", sub, cut, len(b), err)
			}
		}
	}
	// A metered module that says something else is not believed.
	path := cacheFiles(t, dir, codeDir)[0]
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(b), "hello", "hacks", 1)), 0o600))
	loadOnce(t, dir)
}

func TestUnsafeCacheDir(t *testing.T) {
	h := host.New(host.Services{Bus: ipc.NewBus(ipc.BusOptions{})})
	for name, prepare := range map[string]func(dir string) error{
		"group may write":  func(dir string) error { return os.Chmod(dir, 0o770) },
		"others may write": func(dir string) error { return os.Chmod(dir, 0o702) },
		"machine code": func(dir string) error {
			sub := filepath.Join(dir, nativeDir)
			if err := os.Mkdir(sub, 0o700); err != nil {
				return err
			}
			return os.Chmod(sub, 0o777)
		},
		"rewritten modules elsewhere": func(dir string) error { return os.Symlink("/", filepath.Join(dir, codeDir)) },
		"not a directory": func(dir string) error {
			if err := os.Remove(dir); err != nil {
				return err
			}
			return os.WriteFile(dir, nil, 0o600)
		},
	} {
		dir := filepath.Join(t.TempDir(), "cache")
		must(t, os.Mkdir(dir, 0o700))
		must(t, prepare(dir))
		if _, err := NewRuntime(context.Background(), h, Options{CacheDir: dir}); err == nil || !strings.Contains(err.Error(), "compile cache") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
