package vfs

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCommitLinks: a commit moves what nobody else has a hold of, and copies the rest, so that later writes stay in the overlay.
func TestCommitLinks(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	if !plainDir(v.low) {
		t.Skip("the filesystem does not say enough about files")
	}
	at := func(name string) string { return filepath.Join(lower, name) }
	inode := func(p string) uint64 {
		fi, err := os.Lstat(p)
		must(t, err)
		return fi.Sys().(*syscall.Stat_t).Ino
	}
	for _, name := range []string{"plain", "coloured", "open", "linked"} {
		must(t, os.WriteFile(at(name), []byte("old"), 0o644))
	}
	if err := unix.Setxattr(at("coloured"), "user.colour", []byte("green"), 0); err != nil {
		t.Skip("no attributes here")
	}
	was := map[string]uint64{}
	for _, name := range []string{"plain", "fresh", "coloured", "linked", "private"} {
		mode := os.FileMode(0o644)
		if name == "private" {
			mode = 0o600
		}
		must(t, v.WriteFile(name, []byte("new"), mode))
		was[name] = inode(filepath.Join(v.upperDir, name))
	}
	must(t, os.Link(filepath.Join(v.upperDir, "linked"), filepath.Join(v.stateDir, "kept")))
	f, err := v.OpenFile("open", os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt([]byte("new"), 0)
	must(t, err)
	was["open"] = inode(filepath.Join(v.upperDir, "open"))

	_, err = v.Commit(CommitOptions{})
	must(t, err)
	_, err = f.WriteAt([]byte("later"), 0)
	must(t, err)
	must(t, f.Close())
	must(t, v.WriteFile("plain", []byte("later"), 0o644))
	must(t, os.WriteFile(filepath.Join(v.stateDir, "kept"), []byte("later"), 0o644))
	for name, moved := range map[string]bool{"plain": true, "fresh": true, "coloured": false, "open": false, "linked": false, "private": false} {
		b, err := os.ReadFile(at(name))
		if err != nil || string(b) != "new" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		if (inode(at(name)) == was[name]) != moved {
			t.Errorf("%s: moved is %v", name, !moved)
		}
		fi, err := os.Stat(at(name))
		must(t, err)
		if n := fi.Sys().(*syscall.Stat_t).Nlink; n != 1 || fi.Mode().Perm() != 0o644 && name != "private" {
			t.Errorf("%s has %d names and mode %v", name, n, fi.Mode())
		}
	}
	colour := make([]byte, 16)
	if n, err := unix.Getxattr(at("coloured"), "user.colour", colour); err != nil || string(colour[:n]) != "green" {
		t.Errorf("colour: %q, %v", colour[:max(n, 0)], err)
	}
}

// TestCommitCopiesHeld: a file that was opened while programs ran, and is open still, stays out of the workspace.
func TestCommitCopiesHeld(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	// A directory in place of the kernel's mount: what is written goes to the upper layer, too.
	err := v.Mount(func() (Mounted, error) { return Mounted{Dir: v.upperDir, Refresh: func() error { return nil }}, nil })
	if err != nil {
		t.Skip(err)
	}
	f, err := v.OpenFile("held", os.O_RDWR|os.O_CREATE, 0o644)
	must(t, err)
	_, err = f.WriteAt([]byte("new"), 0)
	must(t, err)
	must(t, v.Unmount(func() error { return nil }))
	_, err = v.Commit(CommitOptions{})
	must(t, err)
	_, err = f.WriteAt([]byte("later"), 0)
	must(t, err)
	must(t, f.Close())
	if b, err := os.ReadFile(filepath.Join(lower, "held")); err != nil || string(b) != "new" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestCommitDeletesReplaced: what a large commit has put aside is gone when the overlay is closed or, at the latest, opened again.
func TestCommitDeletesReplaced(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	for i := range 2 * syncEach {
		name := string(rune('a'+i/26)) + string(rune('a'+i%26))
		must(t, os.WriteFile(filepath.Join(lower, name), []byte("old"), 0o644))
		must(t, v.WriteFile(name, []byte("new"), 0o644))
	}
	_, err := v.Commit(CommitOptions{})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(v.replacedPath(), tempName()), nil, 0o600)) // as if killed
	must(t, v.Close())
	again, err := NewOverlay(lower, v.upperDir, OverlayOptions{})
	must(t, err)
	defer again.Close()
	again.sweeps.Wait()
	if left, err := os.ReadDir(v.replacedPath()); err != nil || len(left) > 0 {
		t.Errorf("%d files left, %v", len(left), err)
	}
}
