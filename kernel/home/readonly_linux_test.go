package home

import (
	"os"
	"syscall"
	"testing"
)

// TestEnsureReadOnly mounts a read-only disk, in a namespace of its own.
func TestEnsureReadOnly(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		rerun(t, func(dir string) { must(t, os.Mkdir(dir+"/ro", 0o755)) }, "unshare", "--mount", "--propagation", "private")
		return
	}
	if err := syscall.Mount("tmpfs", dir+"/ro", "tmpfs", 0, "mode=755"); err != nil {
		t.Skipf("cannot mount here: %v", err)
	}
	h, _ := New(dir + "/ro/h")
	must(t, h.Ensure())
	must(t, syscall.Mount("", dir+"/ro", "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	wantHomeError(t, h.Ensure(), h.Root(), "read-only file system", "remount it writable")
	fresh, _ := New(dir + "/ro/fresh")
	wantHomeError(t, fresh.Ensure(), fresh.Root(), "read-only file system", "ASTRID_HOME")
}
