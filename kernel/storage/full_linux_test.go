package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const fullEnv = "STORAGE_TEST_FULL_DISK"

// TestBoltDiskFull fills a small disk, in a mount namespace of its own. Writes that do not fit fail, what was acknowledged stays, and
// after room is made the engine goes on without being opened again.
func TestBoltDiskFull(t *testing.T) {
	dir := os.Getenv(fullEnv)
	if dir == "" {
		if os.Geteuid() != 0 {
			t.Skip("needs root, to mount a small disk")
		}
		cmd := exec.Command("unshare", "--mount", "--propagation", "private", os.Args[0], "-test.run=^TestBoltDiskFull$", "-test.v")
		cmd.Env = append(os.Environ(), fullEnv+"="+t.TempDir())
		out, err := cmd.CombinedOutput()
		switch {
		case err == nil && strings.Contains(string(out), "--- PASS"):
		case strings.Contains(string(out), "--- SKIP"), !strings.Contains(string(out), "=== RUN"):
			t.Skipf("the child could not run: %v %s", err, out)
		default:
			t.Errorf("in the child: %v\n%s", err, out)
		}
		return
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("cannot mount here: %v", err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	path := filepath.Join(dir, "state.db")
	e := openFile(t, path)
	val := make([]byte, 64<<10)
	acked := 0
	var err error
	for ; acked < 100 && err == nil; acked++ {
		err = e.Put(ctx, fmt.Sprintf("k%03d", acked), val)
	}
	acked--
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) || acked < 5 {
		t.Fatalf("after %d writes: %v", acked, err)
	}
	check := func(e Engine, want int) {
		t.Helper()
		for i := range want {
			if got, err := e.Get(ctx, fmt.Sprintf("k%03d", i)); err != nil || len(got) != len(val) {
				t.Fatalf("key %d of %d: %d bytes, %v", i, want, len(got), err)
			}
		}
	}
	check(e, acked)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := e.Put(ctx, fmt.Sprintf("k%03d", acked), val); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	check(e, acked+1)
	e.Close()
	check(openFile(t, path), acked+1)
}
