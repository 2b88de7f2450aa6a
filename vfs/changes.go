package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Op is what happened to a path.
type Op uint8

// The operations a Change can be. A rename is a Deleted and an Added.
const (
	Added Op = iota + 1
	Modified
	Deleted
)

func (o Op) String() string {
	switch o {
	case Added:
		return "added"
	case Modified:
		return "modified"
	case Deleted:
		return "deleted"
	}
	return "unknown"
}

// Change is one difference between the workspace and what the overlay shows.
type Change struct {
	Path string // canonical, relative to the root
	Op   Op
	// Old and New have type and permission bits. Added has no Old, Deleted no New. Different types mean that the path was
	// replaced by another kind of file.
	Old, New fs.FileMode
	// OldSize and NewSize are bytes; 0 for directories.
	OldSize, NewSize int64
}

// Changes lists what differs from the workspace, sorted by path: all of it, or what lies at or below the given paths. A file
// that was only copied up, or written with what it had, is no change.
func (v *OverlayVfs) Changes(paths ...string) (list []Change, err error) {
	sel, err := v.selection("changes", paths)
	if err != nil {
		return nil, err
	}
	// Alone, because looking into a directory without permission changes its mode for a moment.
	err = v.changing("changes", ".", func(string) (err error) {
		list, err = v.changes(sel)
		return err
	})
	return list, err
}

// selection is a set of canonical paths; empty means everything.
type selection []string

func (v *OverlayVfs) selection(op string, paths []string) (selection, error) {
	var sel selection
	for _, name := range paths {
		p, err := v.clean(name)
		if err != nil {
			return nil, v.fail(op, name, err)
		}
		sel = append(sel, p)
	}
	return sel, nil
}

// has reports whether p is selected.
func (s selection) has(p string) bool {
	return len(s) == 0 || slices.ContainsFunc(s, func(sel string) bool { return below(p, sel) })
}

// reaches reports whether p is selected, or a directory above something that is.
func (s selection) reaches(p string) bool {
	return s.has(p) || slices.ContainsFunc(s, func(sel string) bool { return below(sel, p) })
}

// changes walks the upper layer beside the lower one.
func (v *OverlayVfs) changes(sel selection) ([]Change, error) {
	w := changeWalk{v: v, sel: sel}
	if err := w.dir(v.up, v.low, ".", false); err != nil {
		return nil, err
	}
	slices.SortFunc(w.list, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return w.list, nil
}

type changeWalk struct {
	v    *OverlayVfs
	sel  selection
	list []Change
}

func (w *changeWalk) add(c Change) {
	if w.sel.has(c.Path) {
		w.list = append(w.list, c)
	}
}

// dir compares an upper directory with what the workspace has at the same path; low is -1 when that is no directory. hidden:
// this directory or one above is opaque, so what only the workspace has was deleted.
func (w *changeWalk) dir(up, low int, at string, hidden bool) error {
	if hidden && low >= 0 {
		if err := w.lowerOnly(up, low, at); err != nil {
			return err
		}
	}
	names, err := namesAt(up)
	if err != nil {
		return err
	}
	for _, name := range names {
		p := path.Join(at, name)
		if !w.v.isMark(name) && w.sel.reaches(p) {
			if err := w.entry(up, low, name, p, hidden); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *changeWalk) entry(up, low int, name, p string, hidden bool) error {
	st, err := statAt(up, name)
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	old, err := lowerEntry(low, name)
	if err != nil {
		return err
	}
	switch {
	case w.v.isWhiteout(up, name, st):
		return w.deleted(low, name, p, old)
	case st.isDir():
		return w.subdir(up, low, name, p, st, old, hidden)
	case old == nil:
		w.add(Change{Path: p, Op: Added, New: st.mode, NewSize: st.size})
		return nil
	case old.isDir():
		if err := w.deletedBelow(low, name, p); err != nil {
			return err
		}
	default:
		if same, err := sameEntry(up, st, low, old, name); err != nil || same {
			return err
		}
	}
	w.add(Change{Path: p, Op: Modified, Old: old.mode, New: st.mode, OldSize: old.size, NewSize: st.size})
	return nil
}

// lowerEntry is the stat of a workspace entry, nil for none.
func lowerEntry(low int, name string) (*stat, error) {
	if low < 0 {
		return nil, nil
	}
	st, err := statAt(low, name)
	if isMissing(err) || err == nil && st.devZero() {
		return nil, nil
	}
	return st, err
}

func (w *changeWalk) subdir(up, low int, name, p string, st, old *stat, hidden bool) error {
	fd, shut, err := openOwnDir(up, name, st)
	if err != nil {
		return err
	}
	defer shut()
	lowFd := -1
	switch {
	case old == nil:
		w.add(Change{Path: p, Op: Added, New: st.mode})
	case !old.isDir():
		w.add(Change{Path: p, Op: Modified, Old: old.mode, OldSize: old.size, New: st.mode})
	default:
		if old.mode.Perm() != st.mode.Perm() {
			w.add(Change{Path: p, Op: Modified, Old: old.mode, New: st.mode})
		}
		if lowFd, err = openDirAt(low, name); err != nil {
			return err
		}
		defer unix.Close(lowFd)
	}
	return w.dir(fd, lowFd, p, hidden || w.v.isOpaque(fd))
}

// lowerOnly reports the workspace's entries that the upper directory does not have.
func (w *changeWalk) lowerOnly(up, low int, at string) error {
	names, err := namesAt(low)
	if err != nil {
		return err
	}
	for _, name := range names {
		p := path.Join(at, name)
		old, err := lowerEntry(low, name)
		if err != nil {
			return err
		}
		if _, err := statAt(up, name); err == nil {
			continue // dir compares the two
		}
		if err := w.deleted(low, name, p, old); err != nil {
			return err
		}
	}
	return nil
}

// deleted reports a workspace entry that the overlay hides, and everything below it.
func (w *changeWalk) deleted(low int, name, p string, old *stat) error {
	if old == nil {
		return nil
	}
	w.add(Change{Path: p, Op: Deleted, Old: old.mode, OldSize: old.size})
	if !old.isDir() {
		return nil
	}
	return w.deletedBelow(low, name, p)
}

func (w *changeWalk) deletedBelow(low int, name, p string) error {
	fd, err := openDirAt(low, name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	names, err := namesAt(fd)
	if err != nil {
		return err
	}
	for _, n := range names {
		st, err := lowerEntry(fd, n)
		if err != nil {
			return err
		}
		if err := w.deleted(fd, n, path.Join(p, n), st); err != nil {
			return err
		}
	}
	return nil
}

// sameEntry compares two files or links by type, permission and content.
func sameEntry(up int, a *stat, low int, b *stat, name string) (bool, error) {
	if a.mode.Type() != b.mode.Type() || a.size != b.size {
		return false, nil
	}
	if a.isLink() {
		x, err := readlinkAt(up, name)
		if err != nil {
			return false, err
		}
		y, err := readlinkAt(low, name)
		return x == y, err
	}
	if !a.isFile() || a.mode.Perm() != b.mode.Perm() {
		return false, nil
	}
	if a.dev == b.dev && a.ino == b.ino { // a commit has linked it, see link
		return true, nil
	}
	f, _, err := openFileAt(up, name, unix.O_RDONLY)
	if err != nil {
		return false, ignoreDenied(err)
	}
	defer f.Close()
	g, _, err := openFileAt(low, name, unix.O_RDONLY)
	if err != nil {
		return false, ignoreDenied(err)
	}
	defer g.Close()
	return sameContent(f, g)
}

// ignoreDenied lets a file that cannot be read count as different.
func ignoreDenied(err error) error {
	if errors.Is(err, unix.EACCES) || errors.Is(err, ErrSpecial) {
		return nil
	}
	return err
}

func sameContent(a, b io.Reader) (bool, error) {
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, aerr := io.ReadFull(a, x)
		m, berr := io.ReadFull(b, y)
		if !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		for _, err := range []error{aerr, berr} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, err
			}
		}
		if aerr != nil || berr != nil {
			return aerr != nil && berr != nil, nil
		}
	}
}
