package vfs

import (
	"errors"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Rename implements Vfs. A directory of the workspace is copied up whole: overlayfs's redirects are not used.
func (v *OverlayVfs) Rename(oldname, newname string) error {
	to, err := v.clean(newname)
	if err != nil {
		return v.fail("rename", newname, err)
	}
	return v.writing("rename", oldname, func(m *HostVfs) error {
		if err := v.insideOnly(oldname, false); err != nil {
			return v.fail("rename", oldname, err)
		}
		return m.Rename(oldname, newname)
	}, func(from string) error { return v.rename(from, to) })
}

func (v *OverlayVfs) rename(from, to string) error {
	src, err := v.walkEntry(from)
	if err != nil {
		return err
	}
	defer src.close()
	dst, err := v.walkEntry(to)
	if err != nil {
		return err
	}
	defer dst.close()
	st := src.st()
	switch {
	case st == nil:
		return unix.ENOENT
	case src.path == dst.path:
		return nil
	case strings.HasPrefix(dst.path, src.path+"/"):
		return unix.EINVAL
	case strings.HasPrefix(src.path, dst.path+"/"):
		return unix.ENOTEMPTY
	case st.isSpecial():
		return ErrSpecial
	}
	if old := dst.st(); old != nil {
		switch {
		case old.isDir() && !st.isDir():
			return unix.EISDIR
		case !old.isDir() && st.isDir():
			return unix.ENOTDIR
		case old.isDir():
			entries, err := v.list(&dst)
			if err != nil {
				return err
			}
			if len(entries) > 0 {
				return unix.ENOTEMPTY
			}
		}
	}
	if err := errors.Join(src.dir.mayChange(), dst.dir.mayChange()); err != nil {
		return err
	}
	// What the workspace has at both ends is about to be covered.
	if src.low != nil {
		if err := v.coverTree(src.path); err != nil {
			return err
		}
	}
	if err := v.coverTree(dst.path); err != nil {
		return err
	}
	up, err := v.ensureUp(path.Dir(dst.path))
	if err != nil {
		return err
	}
	defer unix.Close(up)
	moved, err := v.moveUpper(&src, &dst, up)
	if err == nil && !moved {
		err = v.moveCopy(&src, &dst, up)
	}
	if err != nil {
		return err
	}
	// Only now the old name goes: a crash before this line leaves two copies, never none.
	if src.low != nil {
		return v.whiteout(src.path)
	}
	if old, err := v.moveOut(src.dir.up, src.base); err == nil {
		return removeTree(v.stage, old)
	} else if !isMissing(err) {
		return err
	}
	return nil
}

// moveUpper renames within the upper layer what lies wholly there, and reports whether it could. What the upper layer has at
// the destination may take the source's place; the caller deletes it.
func (v *OverlayVfs) moveUpper(src, dst *place, up int) (bool, error) {
	if src.up == nil {
		return false, nil
	}
	if src.up.isDir() {
		n, err := v.openDir(src)
		if err != nil {
			return false, err
		}
		defer n.close()
		if n.low >= 0 {
			return false, nil
		}
		if dst.low != nil {
			if err := v.setOpaque(n.up, true); err != nil {
				return false, err
			}
		}
	}
	// The source's directory was opened before the destination's was copied up, but it is the same upper directory.
	var err error
	if dst.up != nil || dst.white {
		err = exchange(src.dir.up, src.base, up, dst.base)
	} else {
		err = unix.Renameat(src.dir.up, src.base, up, dst.base)
	}
	return err == nil, nil // where that is not possible, a copy is
}

// moveCopy puts a copy of the source at the destination.
func (v *OverlayVfs) moveCopy(src, dst *place, up int) error {
	tmp := tempName()
	st := src.st()
	err := v.stageMove(src, tmp, dst.low != nil)
	if err == nil && st.isDir() {
		var fd int
		if fd, err = v.settleDir(tmp, up, dst.base, st); err == nil {
			unix.Close(fd)
		}
	} else if err == nil {
		err = v.insert(tmp, up, dst.base)
	}
	if err != nil {
		removeTree(v.stage, tmp)
	}
	return err
}

// stageMove puts a copy of the source, as the merged view shows it, into the staging directory. opaque: the destination
// hides a directory of the workspace.
func (v *OverlayVfs) stageMove(src *place, tmp string, opaque bool) error {
	st := src.st()
	if !st.isDir() {
		return v.stageEntry(src, tmp)
	}
	n, err := v.openDir(src)
	if err != nil {
		return err
	}
	defer n.close()
	if err := v.stageDir(tmp, st, opaque); err != nil {
		return err
	}
	fd, err := openDirAt(v.stage, tmp)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return v.copyTree(n, fd)
}

// stageEntry copies a file or link from the layer that shows it.
func (v *OverlayVfs) stageEntry(e *place, tmp string) (err error) {
	if e.up != nil {
		_, err = v.stageCopy(e.dir.up, e.base, tmp, true, nil)
	} else {
		_, err = v.stageCopy(e.dir.low, e.base, tmp, true, v.readable)
	}
	return err
}

// copyTree copies a merged directory's entries into an open directory of the staging area.
func (v *OverlayVfs) copyTree(n node, to int) error {
	entries, err := v.listNode(n)
	if err != nil {
		return err
	}
	for i := range entries {
		if err := v.copyEntry(&entries[i], to); err != nil {
			return err
		}
	}
	return nil
}

func (v *OverlayVfs) copyEntry(e *place, to int) error {
	st := e.st()
	if st.isSpecial() {
		return ErrSpecial
	}
	tmp := tempName()
	if !st.isDir() {
		if err := v.stageEntry(e, tmp); err != nil {
			return err
		}
		return unix.Renameat(v.stage, tmp, to, e.base)
	}
	if err := v.stageMove(e, tmp, false); err != nil {
		return err
	}
	fd, err := v.settleDir(tmp, to, e.base, st)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}
