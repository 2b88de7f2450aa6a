package vfs

import (
	"path"

	"golang.org/x/sys/unix"
)

// conflict says why a change cannot be applied without losing somebody else's; "" when it can. The workspace must be as it was
// when the overlay first covered the path.
func (v *OverlayVfs) conflict(c Change) (string, error) {
	st, err := v.lowerStat(c.Path)
	if err != nil {
		return "", err
	}
	rec, ok := v.base.recs[c.Path]
	if !ok {
		return v.unrecorded(c.Path, st)
	}
	if rec.same(st) {
		return "", nil
	}
	switch {
	case !rec.There:
		return "appeared in the workspace", nil
	case st == nil:
		return "deleted in the workspace", nil
	case rec.Mode.Type() != st.mode.Type():
		return "became another kind of file in the workspace", nil
	case rec.Mode != st.mode:
		return "its mode changed in the workspace", nil
	}
	same, err := v.sameAsRecord(&rec)
	if err != nil || same {
		return "", err
	}
	return "changed in the workspace", nil
}

// sameAsRecord compares the content that the workspace has now with the recorded one, when there is a record of it.
func (v *OverlayVfs) sameAsRecord(rec *baseRecord) (bool, error) {
	if rec.Link != "" {
		target, err := v.lowerLink(string(rec.Path))
		return target == rec.Link, err
	}
	if rec.Hash == "" {
		return false, nil
	}
	hash, err := v.lowerHash(string(rec.Path))
	return hash == rec.Hash, err
}

// unrecorded decides about a path that a child changed through a kernel mount, of which there is no record. Overlayfs copies a
// file up into a new inode, so the upper entry's birth is the moment of the copy-up: a workspace file whose ctime is older
// has not changed since. A whiteout's inode is shared and may be older than its use, which errs towards a conflict.
func (v *OverlayVfs) unrecorded(p string, st *stat) (string, error) {
	if st == nil || st.isDir() { // a directory's times move with its entries, which are looked at themselves
		return "", nil
	}
	born, err := v.bornAbove(p)
	if err != nil {
		return "", err
	}
	if st.ctime >= born {
		return "changed in the workspace, perhaps since the session changed it", nil
	}
	return "", nil
}

// bornAbove is the birth of the upper entry at p, or of the one above that hides it; the overlay's own where the filesystem
// does not tell.
func (v *OverlayVfs) bornAbove(p string) (int64, error) {
	for ; p != "."; p = path.Dir(p) {
		dir, err := descend(v.up, path.Dir(p))
		if isMissing(err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		_, err = statAt(dir, path.Base(p))
		if isMissing(err) {
			unix.Close(dir)
			continue
		}
		born := bornAt(dir, path.Base(p))
		unix.Close(dir)
		if err == nil && born != 0 {
			return born, nil
		}
		break
	}
	return v.created, nil
}
