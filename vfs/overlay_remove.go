package vfs

import (
	"errors"
	"path"

	"golang.org/x/sys/unix"
)

// Remove implements Vfs.
func (v *OverlayVfs) Remove(name string) error {
	return v.writing("remove", name, func(m *HostVfs) error { return m.Remove(name) }, func(p string) error {
		pl, err := v.walkEntry(p)
		if err != nil {
			return err
		}
		defer pl.close()
		st := pl.st()
		if st == nil {
			return unix.ENOENT
		}
		if st.isDir() {
			entries, err := v.list(&pl)
			if err != nil {
				return err
			}
			if len(entries) > 0 {
				return unix.ENOTEMPTY
			}
		}
		return v.hide(&pl)
	})
}

// RemoveAll implements Vfs. Unlike rm -r it also deletes what lies in a directory without write permission.
func (v *OverlayVfs) RemoveAll(name string) error {
	return v.writing("remove", name, func(m *HostVfs) error { return m.RemoveAll(name) }, func(p string) error {
		pl, err := v.walkEntry(p)
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		if err != nil {
			return err
		}
		defer pl.close()
		if pl.st() == nil {
			return nil
		}
		return v.hide(&pl)
	})
}

// walkEntry is walk without following a final link and without the root.
func (v *OverlayVfs) walkEntry(p string) (place, error) {
	if p == "." {
		return place{}, ErrRoot
	}
	return v.walk(p, false)
}

// hide makes what is at a place, with everything below it, vanish from the view.
func (v *OverlayVfs) hide(pl *place) error {
	if err := pl.dir.mayChange(); err != nil {
		return err
	}
	if pl.low == nil {
		old, err := v.moveOut(pl.dir.up, pl.base)
		if err != nil {
			return err
		}
		return removeTree(v.stage, old)
	}
	if err := v.coverTree(pl.path); err != nil {
		return err
	}
	return v.whiteout(pl.path)
}

// whiteout puts a whiteout at a path, in the place of what the upper layer has there.
func (v *OverlayVfs) whiteout(p string) error {
	up, err := v.ensureUp(path.Dir(p))
	if err != nil {
		return err
	}
	defer unix.Close(up)
	tmp := tempName()
	err = v.makeWhiteout(v.stage, tmp)
	if err == nil {
		err = v.noteWhiteout(up)
	}
	if err == nil {
		err = v.insert(tmp, up, path.Base(p))
	}
	if err != nil {
		removeTree(v.stage, tmp)
	}
	return err
}
