package home

import (
	"errors"
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

// TestWriteFileAtomicDiskFull: what does not fit leaves the old file, and nothing else.
func TestWriteFileAtomicDiskFull(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		rerun(t, func(dir string) { must(t, os.Mkdir(dir+"/small", 0o755)) }, "unshare", "--mount", "--propagation", "private")
		return
	}
	small := dir + "/small"
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount here: %v", err)
	}
	must(t, WriteFileAtomic(small+"/f", []byte("old"), 0o600))
	if err := WriteFileAtomic(small+"/f", make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error is %v", err)
	}
	if got, err := os.ReadFile(small + "/f"); err != nil || string(got) != "old" {
		t.Errorf("the file holds %d bytes, %v", len(got), err)
	}
	if entries, _ := os.ReadDir(small); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}
