package vfs

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// To free the blocks of a file that is on disk takes a filesystem a millisecond where it tells the device (ext4 with discard, as in many
// virtual machines). Over ten thousand files somebody would wait for that longer than for all the rest of a commit. So the files that a
// large commit replaces get a second name in the directory "replaced" first, and are deleted when the commit is over.

func (v *OverlayVfs) replacedPath() string { return filepath.Join(v.stateDir, "replaced") }

// spare keeps a file that is about to be replaced. Where it cannot, or a second name would keep the file from other sessions, the file
// is freed when it is replaced.
func (v *OverlayVfs) spare(dir int, name string, st *stat) {
	if st != nil && st.isFile() && st.nlink == 1 && !v.singular(st) {
		_ = unix.Linkat(dir, name, v.replaced, tempName(), 0)
	}
}

// sweep deletes what spare has kept, in the background. What it does not get to is deleted by the next NewOverlay.
func (v *OverlayVfs) sweep() error {
	dir, err := openDirAt(v.replaced, ".")
	if err != nil {
		return err
	}
	v.sweeps.Go(func() {
		defer unix.Close(dir)
		names, _ := namesAt(dir)
		for _, name := range names {
			if v.closing.Load() {
				return
			}
			_ = unix.Unlinkat(dir, name, 0) // another sweep may be at it
		}
	})
	return nil
}
