package vfs

import (
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// link puts an upper file itself into the workspace under its temporary name, as a second link: nothing is copied, and later the upper
// name goes without a block to free. done is false where a copy is needed, because it would come out differently: the file is still
// written to or has other names, it or the one it replaces has attributes, or the directory gives new files a group or an access
// control list. So it is on another filesystem and where hard links are not allowed; and for a file that other sessions would
// meanwhile take for one from outside, because it has two names.
func (v *OverlayVfs) link(s *step, up, low int, together bool) (done bool, err error) {
	name := path.Base(string(s.Path))
	src, st, err := openFileAt(up, name, unix.O_RDONLY)
	if err != nil {
		return false, nil // the copy says what is wrong
	}
	defer src.Close()
	if st.nlink != 1 || v.singular(st) || unixMode(st.mode)&^0o777 != 0 || v.isWritten(st) || v.isHeld() || !plainUpper(int(src.Fd())) || !plainDir(low) {
		return false, nil
	}
	old, err := v.lowerStat(string(s.Path))
	if err != nil || old != nil && old.isFile() && !v.plainOld(string(s.Path)) {
		return false, nil
	}
	if unix.Linkat(up, name, low, path.Base(string(s.Temp)), 0) != nil {
		return false, nil
	}
	if old != nil && old.isFile() {
		if err := takeOwner(src, st, old); err != nil {
			return true, err
		}
	}
	return true, v.syncPrepared(src, together)
}

// isWritten tells whether a file is open for writing.
func (v *OverlayVfs) isWritten(st *stat) bool {
	v.quota.Lock()
	defer v.quota.Unlock()
	return v.writers[fileID{st.dev, st.ino}] > 0
}

// plainOld tells whether a file of the workspace has no attributes that its successor takes over.
func (v *OverlayVfs) plainOld(p string) bool {
	dir, err := descend(v.low, path.Dir(p))
	if err != nil {
		return false
	}
	defer unix.Close(dir)
	f, _, err := openFileAt(dir, path.Base(p), unix.O_RDONLY)
	if err != nil {
		return ignoreDenied(err) == nil
	}
	defer f.Close()
	return plainLower(int(f.Fd()))
}

// takeOwner gives a file the owner of the one it replaces.
func takeOwner(f *os.File, st, old *stat) error {
	keepOwnerOfReplaced(int(f.Fd()), old)
	// A change of owner may have taken mode bits away.
	return unix.Fchmod(int(f.Fd()), uint32(st.mode.Perm()))
}

// syncPrepared writes a file of the workspace to disk, unless the caller syncs its filesystem: what a mount in the workspace puts on
// another one is synced here all the same.
func (v *OverlayVfs) syncPrepared(f *os.File, together bool) error {
	if together {
		root, err := statFd(v.low)
		if err != nil {
			return err
		}
		if there, err := statFd(int(f.Fd())); err != nil || there.dev == root.dev {
			return err
		}
	}
	return f.Sync()
}
