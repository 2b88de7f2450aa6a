package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestRecover(t *testing.T) {
	f := newFixture(t)
	if restored, err := f.Recover(); err != nil || restored != nil {
		t.Fatalf("a store that does not exist: %v %v", restored, err)
	}
	f.capsule("kept", "")
	f.capsule("half", "")
	f.capsule("done", "")
	before := f.snapshot()
	// A crash while unpacking, one between the two renames of a replacement, and one after them.
	for _, dir := range []string{".staging-123/sub", ".old-done"} {
		if err := os.MkdirAll(filepath.Join(f.Dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(filepath.Join(f.Dir, "half"), filepath.Join(f.Dir, ".old-half")); err != nil {
		t.Fatal(err)
	}
	if all, _ := f.List(); len(all) != 2 {
		t.Errorf("leftovers are listed: %v", all)
	}
	restored, err := f.Recover()
	if err != nil || !slices.Equal(restored, []string{"half"}) {
		t.Errorf("restored %v, %v", restored, err)
	}
	f.mustBeUnchanged(before)
	if err := f.Verify("half"); err != nil {
		t.Error(err)
	}
}

// The way for file systems without an exchange of directories.
func TestSwapByRename(t *testing.T) {
	dir := t.TempDir()
	staged, target := filepath.Join(dir, ".staging-1"), filepath.Join(dir, "demo")
	for path, content := range map[string]string{staged: "new", target: "old"} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(path, "f"), content)
	}
	if err := swapByRename(staged, target); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(filepath.Join(target, "f")); string(data) != "new" {
		t.Errorf("holds %q", data)
	}
	// A staged directory that is gone must not cost the installed one.
	if err := swapByRename(staged, target); err == nil {
		t.Error("no error")
	}
	if data, _ := os.ReadFile(filepath.Join(target, "f")); string(data) != "new" {
		t.Errorf("holds %q", data)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("leftovers %v", entries)
	}
}

func TestLockExcludes(t *testing.T) {
	f := newFixture(t)
	unlock, err := f.lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.InstallPath(ctx, f.dir(map[string]string{"Capsule.toml": manifest("demo", "1.0.0", ""), "main.wasm": "x"}), InstallOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("installed while another held the lock: %v", err)
	}
	if err := os.Mkdir(filepath.Join(f.Dir, ".staging-busy"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Recover(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(f.Dir, ".staging-busy")); err != nil {
		t.Error("removed what the holder of the lock is working on")
	}
	unlock()
	f.capsule("demo", "") // cleans up first
	if _, err := os.Stat(filepath.Join(f.Dir, ".staging-busy")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the leftover is still there")
	}
}

// Installing, removing, recovering and reading at once never shows half a capsule.
func TestStoreHammer(t *testing.T) {
	f := newFixture(t)
	f.capsule("demo", "")
	dirs := make([]string, 4)
	for i := range dirs {
		dirs[i] = f.dir(map[string]string{"Capsule.toml": manifest("demo", fmt.Sprintf("1.0.%d", i), ""), "main.wasm": fmt.Sprint("binary", i), "run.sh": fmt.Sprint(i)})
	}
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if i, err := f.Get("demo"); err != nil || i.Manifest == nil {
				t.Errorf("the capsule was gone: %v", err)
				return
			}
		}
	})
	for _, dir := range dirs {
		writers.Go(func() {
			for range 8 {
				if _, err := f.InstallPath(context.Background(), dir, InstallOptions{}); err != nil {
					t.Error(err)
				}
				if _, err := f.Recover(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	if err := f.Verify("demo"); err != nil {
		t.Error(err)
	}
}
