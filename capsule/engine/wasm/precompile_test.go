package wasm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestPrecompile: what was compiled ahead is not compiled again, and one bad binary does
// not keep the others from it.
func TestPrecompile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	good, other := one(nil, "hello", output(0, 5)), one(nil, "other", output(0, 5))
	var done []int
	err := Precompile(context.Background(), dir, [][]byte{good.Bytes(), []byte("no module"), other.Bytes()}, func(i int) { done = append(done, i) })
	wantError(t, err, "malformed")
	slices.Sort(done)
	if !slices.Equal(done, []int{0, 2}) {
		t.Errorf("compiled %v", done)
	}
	before := map[string]os.FileInfo{}
	for _, f := range append(cacheFiles(t, dir, codeDir), cacheFiles(t, dir, nativeDir)...) {
		fi, err := os.Stat(f)
		must(t, err)
		before[f] = fi
	}
	if len(before) != 4 {
		t.Fatalf("%d files are cached, want 4", len(before))
	}
	r, _ := newRuntime(t, Options{CacheDir: dir})
	e, err := r.LoadLazily(context.Background(), testCapsule(), good.Bytes(), func() ([]byte, error) { return good.Bytes(), nil })
	must(t, err)
	if e.compiled != nil {
		t.Error("what was compiled ahead is not known")
	}
	must(t, e.Close(context.Background()))
	loadOnce(t, dir)
	for _, f := range append(cacheFiles(t, dir, codeDir), cacheFiles(t, dir, nativeDir)...) {
		if fi, err := os.Stat(f); err != nil || before[f] == nil || !os.SameFile(fi, before[f]) {
			t.Errorf("loading wrote %s", f)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Precompile(ctx, dir, [][]byte{good.Bytes()}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := Precompile(context.Background(), dir, [][]byte{good.Bytes()}, nil); err != nil {
		t.Error(err)
	}
}
