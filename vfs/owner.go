package vfs

import (
	"errors"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// keepOwnerFd gives a copy the owner of the original. Only root does that in the upper layer: anybody else could at most set the
// group, and a group that a sandbox's user namespace does not map makes a file read-only there. Commit gives a replaced file
// its owner and group back in any case.
func keepOwnerFd(fd int, st *stat) {
	if os.Geteuid() == 0 {
		unix.Fchown(fd, st.uid, st.gid)
	}
}

// keepOwnerOfReplaced gives a file that takes another's place in the workspace its owner, or at least its group.
func keepOwnerOfReplaced(fd int, st *stat) {
	if now, err := statFd(fd); err == nil && (now.uid != st.uid || now.gid != st.gid) {
		if unix.Fchown(fd, st.uid, st.gid) != nil {
			unix.Fchown(fd, -1, st.gid)
		}
	}
}

// CopyUpForeign copies up, as the process's own, every file and directory of the workspace that belongs to another user or group.
// Call it before a kernel mount in a user namespace that maps only this process's user and group: there overlayfs cannot
// copy such a file up (EOVERFLOW). Special files stay below, and so do files that this process may not read.
func (v *OverlayVfs) CopyUpForeign() error {
	return v.changing("copy up", ".", func(string) error {
		pl, err := v.rootPlace()
		if err != nil {
			return err
		}
		return v.copyUpForeign(&pl, ".")
	})
}

func (v *OverlayVfs) copyUpForeign(dir *place, at string) error {
	entries, err := v.list(dir)
	if err != nil {
		return ignoreDenied(err)
	}
	for i := range entries {
		p := path.Join(at, entries[i].base)
		pl, err := v.walk(p, false)
		if err != nil {
			return err
		}
		err = v.takeOver(&pl)
		if st := pl.st(); err == nil && st != nil && st.isDir() {
			err = v.copyUpForeign(&pl, p)
		}
		pl.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// takeOver copies one entry up if it is somebody else's.
func (v *OverlayVfs) takeOver(pl *place) error {
	st := pl.st()
	uid, gid := os.Geteuid(), os.Getegid()
	if st == nil || st.isSpecial() || st.uid == uid && st.gid == gid {
		return nil
	}
	if pl.up == nil && !st.isDir() {
		if err := v.copyUp(pl, true); err != nil {
			if errors.Is(err, ErrOutside) { // programs do not see it
				return nil
			}
			return ignoreDenied(err)
		}
	}
	up, err := v.ensureUp(path.Dir(pl.path))
	if err != nil {
		return err
	}
	defer unix.Close(up)
	if st.isDir() {
		fd, err := v.ensureUp(pl.path)
		if err != nil {
			return err
		}
		unix.Close(fd)
	}
	now, err := statAt(up, pl.base)
	if err != nil || now.uid == uid && now.gid == gid {
		return err
	}
	return unix.Fchownat(up, pl.base, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
}
