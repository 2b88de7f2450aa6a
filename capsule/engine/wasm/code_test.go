package wasm

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestSkeletonIsNotRun: whatever becomes of the cached code while it is loaded, what runs is the module's own.
func TestSkeletonIsNotRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	loadOnce(t, dir)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			files, _ := filepath.Glob(filepath.Join(dir, nativeDir, "*", "*"))
			for _, f := range files {
				if strings.HasSuffix(f, ".tmp") { // it is being written
					continue
				}
				if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			}
		}
	})
	for range 20 {
		loadOnce(t, dir)
	}
	// In one runtime, too, where modules of one binary share their code.
	r, _ := newRuntime(t, Options{CacheDir: dir})
	binary := one(nil, "hello", output(0, 5)).Bytes()
	var loads sync.WaitGroup
	for range 4 {
		loads.Go(func() {
			for range 10 {
				e, err := r.Load(ctx, testCapsule(), binary)
				if err != nil {
					t.Error(err)
					return
				}
				i, err := e.Instantiate(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				if out, err := invoke(i.(*Instance), ctx); out != "hello" || err != nil {
					t.Errorf("%q %v", out, err)
				}
				if err := errors.Join(i.Close(ctx), e.Close(ctx)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	loads.Wait()
	cancel()
	wg.Wait()
	if left, _ := filepath.Glob(filepath.Join(dir, "compile-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestCodeOfAnotherPlace: code that another processor or another wazero made is not taken for this one's.
func TestCodeOfAnotherPlace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	r, _ := newRuntime(t, Options{CacheDir: dir})
	r.place = "elsewhere"
	binary := one(nil, "hello", output(0, 5)).Bytes()
	m, err := r.build(context.Background(), binary)
	must(t, err)
	must(t, m.Close(context.Background()))
	// What is filed there would never be found here: a runtime that looked for it would compile the skeleton.
	for _, f := range cacheFiles(t, dir, nativeDir) {
		must(t, os.Rename(f, filepath.Join(filepath.Dir(f), "other")))
	}
	loadOnce(t, dir)
	if n := len(cacheFiles(t, dir, codeDir)); n != 2 {
		t.Errorf("%d records, want one for each place", n)
	}
}

// TestModuleWithoutCode: what has no functions needs no code, and loads as well.
func TestModuleWithoutCode(t *testing.T) {
	r, _ := newRuntime(t, Options{CacheDir: filepath.Join(t.TempDir(), "cache")})
	m, err := r.build(context.Background(), []byte("\x00asm\x01\x00\x00\x00"))
	must(t, err)
	must(t, m.Close(context.Background()))
}
