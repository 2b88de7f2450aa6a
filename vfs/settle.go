package vfs

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// settle takes out of the upper layer what the workspace has now too, and brings the records up to date.
func (v *OverlayVfs) settle(paths []string) error {
	slices.Sort(paths)
	paths = slices.Compact(paths)
	exposed := map[string]bool{}
	for _, p := range paths {
		if dir := path.Dir(p); !exposed[dir] {
			exposed[dir] = true
			if err := v.expose(p, false); err != nil {
				return err
			}
		}
	}
	if err := v.prune(paths...); err != nil {
		return err
	}
	// The new directories on the way may have stayed for what is not committed yet.
	touched := map[string]bool{}
	for _, p := range paths {
		for ; p != "."; p = path.Dir(p) {
			touched[p] = true
		}
	}
	return v.refresh(touched)
}

// refresh makes the records of paths agree with what the upper layer still covers. Where the two layers differ the commit left
// the path alone, and the old record is what tells the next one of the conflict.
func (v *OverlayVfs) refresh(paths map[string]bool) error {
	var gone []string
	var now []baseRecord
	for p := range paths {
		up, err := lookAt(v.up, p)
		if err != nil {
			return err
		}
		if up == nil {
			gone = append(gone, p)
			continue
		}
		st, same, err := v.sameInBoth(p, up)
		if err != nil {
			return err
		}
		if !same {
			continue
		}
		r := makeRecord(p, st)
		if st.isLink() {
			if r.Link, err = v.lowerLink(p); err != nil {
				return err
			}
		}
		now = append(now, r)
	}
	if err := v.base.put(now...); err != nil {
		return err
	}
	return v.base.drop(gone...)
}

// sameInBoth compares the layers at a path where the upper one has an entry. Directories are the same as such.
func (v *OverlayVfs) sameInBoth(p string, up *stat) (low *stat, same bool, err error) {
	low, err = v.lowerStat(p)
	if err != nil || low == nil || up.isDir() || low.isDir() {
		return low, err == nil && low != nil && up.isDir() && low.isDir(), err
	}
	upDir, err := descend(v.up, path.Dir(p))
	if err != nil {
		return nil, false, err
	}
	defer unix.Close(upDir)
	lowDir, err := descend(v.low, path.Dir(p))
	if err != nil {
		return nil, false, err
	}
	defer unix.Close(lowDir)
	same, err = sameEntry(upDir, up, lowDir, low, path.Base(p))
	return low, same, err
}

// expose lets the workspace show through the directories above p, without changing the view: an opaque directory above becomes
// a plain one with a whiteout for each entry it hid. With deleted, so does a directory that the overlay deleted, which then is
// back, empty.
func (v *OverlayVfs) expose(p string, deleted bool) error {
	at := "."
	parts := strings.Split(p, "/")
	for _, part := range parts[:len(parts)-1] {
		at = path.Join(at, part)
		up, err := descend(v.up, path.Dir(at))
		if err != nil {
			return ignoreGone(err)
		}
		more, err := v.exposeDir(up, at, deleted)
		unix.Close(up)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// exposeDir does expose for one directory whose upper parent is open. more is false when nothing below can hide anything.
func (v *OverlayVfs) exposeDir(up int, p string, deleted bool) (more bool, err error) {
	name := path.Base(p)
	st, err := statAt(up, name)
	if err != nil {
		return false, ignoreGone(err)
	}
	low, err := v.lowerStat(p)
	if err != nil || low == nil || !low.isDir() {
		return err == nil && st.isDir(), err
	}
	white := v.isWhiteout(up, name, st)
	if white && !deleted || !white && !st.isDir() {
		return false, nil
	}
	if white {
		tmp := tempName()
		if err := v.stageDir(tmp, low, true); err != nil {
			return false, err
		}
		fd, err := v.settleDir(tmp, up, name, low)
		if err != nil {
			return false, err
		}
		unix.Close(fd)
		st = low
	}
	fd, shut, err := openOwnDir(up, name, st)
	if err != nil {
		return false, err
	}
	defer shut()
	if v.isOpaque(fd) {
		err = v.clearOpaque(fd, p)
	}
	return true, err
}

// clearOpaque replaces a directory's opaque mark by whiteouts and by opaque marks one level down. The mark goes last: until then
// the new ones change nothing.
func (v *OverlayVfs) clearOpaque(up int, p string) error {
	low, err := descend(v.low, p)
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(low)
	names, err := namesAt(low)
	if err != nil {
		return err
	}
	for _, name := range names {
		old, err := lowerEntry(low, name)
		if err != nil {
			return err
		}
		if old == nil {
			continue
		}
		st, err := statAt(up, name)
		switch {
		case err == unix.ENOENT:
			err = v.whiteout(path.Join(p, name))
		case err == nil && st.isDir() && old.isDir():
			var fd int
			var shut func()
			if fd, shut, err = openOwnDir(up, name, st); err == nil {
				err = v.setOpaque(fd, true)
				shut()
			}
		}
		if err != nil {
			return err
		}
	}
	return v.setOpaque(up, false)
}

// prune removes the upper entries at the paths that the workspace has the same, and then the directories above that this leaves empty
// and without meaning, each looked at once. A file that is open for writing stays.
func (v *OverlayVfs) prune(paths ...string) error {
	var levels [][]string // by depth
	seen := map[string]bool{".": true}
	add := func(p string) {
		if depth := strings.Count(p, "/"); !seen[p] {
			seen[p] = true
			levels = append(levels, make([][]string, max(0, depth+1-len(levels)))...)
			levels[depth] = append(levels[depth], p)
		}
	}
	for _, p := range paths {
		add(p)
	}
	for depth := len(levels) - 1; depth >= 0; depth-- {
		for _, p := range levels[depth] {
			gone, err := v.pruneAt(p)
			if err != nil {
				return err
			}
			if gone {
				add(path.Dir(p))
			}
		}
	}
	return nil
}

func (v *OverlayVfs) pruneAt(p string) (gone bool, err error) {
	up, err := descend(v.up, path.Dir(p))
	if err != nil {
		return isMissing(err), ignoreGone(err)
	}
	defer unix.Close(up)
	return v.pruneOne(up, p)
}

// pruneOne reports whether nothing is left in the upper layer at p.
func (v *OverlayVfs) pruneOne(up int, p string) (gone bool, err error) {
	name := path.Base(p)
	st, err := statAt(up, name)
	if isMissing(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	old, err := v.lowerStat(p)
	if err != nil {
		return false, err
	}
	if v.isWhiteout(up, name, st) {
		if old != nil {
			return false, nil
		}
		return true, v.unlinkUp(up, name)
	}
	if old == nil {
		return false, nil
	}
	if st.isDir() {
		return v.pruneDir(up, p, st, old)
	}
	if v.isWritten(st) {
		return false, nil
	}
	low, err := descend(v.low, path.Dir(p))
	if err != nil {
		return false, err
	}
	defer unix.Close(low)
	same, err := sameEntry(up, st, low, old, name)
	if err != nil || !same {
		return false, err
	}
	return true, v.unlinkUp(up, name)
}

func (v *OverlayVfs) pruneDir(up int, p string, st, old *stat) (bool, error) {
	if !old.isDir() {
		return false, nil
	}
	fd, shut, err := openOwnDir(up, path.Base(p), st)
	if err != nil {
		return false, err
	}
	defer shut()
	if v.isOpaque(fd) {
		if err := v.clearOpaque(fd, p); err != nil {
			return false, err
		}
	}
	names, err := namesAt(fd)
	if err != nil || len(names) > 0 || old.mode.Perm() != st.mode.Perm() {
		return false, err
	}
	old2, err := v.moveOut(up, path.Base(p))
	if err != nil {
		return false, err
	}
	return true, removeTree(v.stage, old2)
}

// unlinkUp deletes an upper file, link or whiteout, also from a directory without write permission.
func (v *OverlayVfs) unlinkUp(up int, name string) error {
	err := unix.Unlinkat(up, name, 0)
	if err == unix.EACCES {
		st, serr := statFd(up)
		if serr != nil || unix.Fchmod(up, unixMode(st.mode)|0o700) != nil {
			return err
		}
		err = unix.Unlinkat(up, name, 0)
		if cerr := unix.Fchmod(up, unixMode(st.mode)); err == nil {
			err = cerr
		}
	}
	return ignoreMissing(err)
}

func ignoreGone(err error) error {
	if isMissing(err) {
		return nil
	}
	return err
}
