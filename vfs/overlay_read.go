package vfs

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Stat implements Vfs.
func (v *OverlayVfs) Stat(name string) (fs.FileInfo, error) { return v.stat("stat", name, true) }

// Lstat implements Vfs.
func (v *OverlayVfs) Lstat(name string) (fs.FileInfo, error) { return v.stat("lstat", name, false) }

func (v *OverlayVfs) stat(op, name string, follow bool) (fi fs.FileInfo, err error) {
	err = v.reading(op, name, func(p string) error {
		pl, err := v.find(p, follow)
		if err != nil {
			return err
		}
		defer pl.close()
		st := pl.st()
		if st == nil {
			return unix.ENOENT
		}
		fi = &info{name: filepath.Base(p), stat: *st}
		return nil
	})
	return fi, err
}

// Readlink implements Vfs.
func (v *OverlayVfs) Readlink(name string) (target string, err error) {
	err = v.reading("readlink", name, func(p string) error {
		pl, err := v.find(p, false)
		if err != nil {
			return err
		}
		defer pl.close()
		switch st := pl.st(); {
		case st == nil:
			return unix.ENOENT
		case !st.isLink():
			return unix.EINVAL
		}
		target, err = v.readlink(&pl)
		return err
	})
	return target, err
}

// Resolve implements Vfs.
func (v *OverlayVfs) Resolve(name string) (abs string, err error) {
	err = v.reading("resolve", name, func(p string) error {
		rel, err := v.resolve(p)
		abs = filepath.Join(v.lowerDir, rel)
		return err
	})
	if err != nil {
		return "", err
	}
	return abs, nil
}

// resolve returns the canonical path of a name, whose tail may be missing.
func (v *OverlayVfs) resolve(p string) (string, error) {
	pl, err := v.find(p, true)
	if err == nil {
		pl.close()
		return pl.path, nil
	}
	if err == unix.ENOENT && pl.path != "" {
		return pl.path, nil
	}
	return "", err
}

// ReadDir implements Vfs.
func (v *OverlayVfs) ReadDir(name string) (entries []fs.DirEntry, err error) {
	err = v.reading("readdir", name, func(p string) error {
		pl, err := v.find(p, true)
		if err != nil {
			return err
		}
		defer pl.close()
		list, err := v.list(&pl)
		for _, e := range list {
			entries = append(entries, &info{name: e.base, stat: *e.st()})
		}
		return err
	})
	return entries, err
}

// list returns the existing entries of the directory at a place, sorted. Their dir is closed: they are for looking only.
func (v *OverlayVfs) list(pl *place) ([]place, error) {
	st := pl.st()
	if st == nil {
		return nil, unix.ENOENT
	}
	if !st.isDir() {
		return nil, unix.ENOTDIR
	}
	n, err := v.openDir(pl)
	if err != nil {
		return nil, err
	}
	if pl.base != "." {
		defer n.close()
	}
	return v.listNode(n)
}

func (v *OverlayVfs) listNode(n node) ([]place, error) {
	var names []string
	for _, fd := range []int{n.up, n.low} {
		if fd < 0 {
			continue
		}
		more, err := namesAt(fd)
		if err != nil {
			return nil, err
		}
		names = append(names, more...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	list := make([]place, 0, len(names))
	for _, name := range names {
		if v.isMark(name) {
			continue
		}
		e := place{dir: n, base: name}
		if err := v.look(&e, false); err != nil {
			return nil, err
		}
		if e.st() != nil {
			list = append(list, e)
		}
	}
	return list, nil
}

// ReadFile implements Vfs.
func (v *OverlayVfs) ReadFile(name string, limit int64) (data []byte, err error) {
	if err := v.open.take(); err != nil {
		return nil, v.fail("read", name, err)
	}
	defer v.open.release()
	err = v.reading("read", name, func(p string) error {
		fd, st, err := v.openRead(p)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		data, err = readAll(fdReader(fd), st.size, limit)
		return err
	})
	return data, err
}

// Open implements Vfs.
func (v *OverlayVfs) Open(name string) (File, error) { return v.OpenFile(name, os.O_RDONLY, 0) }

// openRead opens what a name leads to, if it is a regular file.
func (v *OverlayVfs) openRead(p string) (int, *stat, error) {
	if fd, st := v.openPlain(p); fd >= 0 {
		return fd, st, nil
	}
	pl, err := v.find(p, true)
	if err != nil {
		return -1, nil, err
	}
	defer pl.close()
	st := pl.st()
	switch {
	case st == nil:
		return -1, nil, unix.ENOENT
	case st.isDir():
		return -1, nil, unix.EISDIR
	case !st.isFile():
		return -1, nil, ErrSpecial
	}
	dir := pl.dir.low
	if pl.up != nil {
		dir = pl.dir.up
	}
	fd, err := openAt(dir, pl.base, unix.O_RDONLY, 0)
	if err != nil {
		return -1, nil, err
	}
	// It may have become something else since it was looked at.
	if st, err = statFd(fd); err == nil && !st.isFile() {
		err = ErrSpecial
	}
	if err == nil && pl.up == nil {
		err = v.readable(st)
	}
	if err != nil {
		unix.Close(fd)
		return -1, nil, err
	}
	return fd, st, nil
}

// openPlain is openRead for the usual case, a regular file whose last component is no link, with the fewest system calls. It
// returns -1 for everything else.
func (v *OverlayVfs) openPlain(p string) (int, *stat) {
	pl, err := v.lookup(p, true, lookNone)
	if err != nil || pl.base == "." {
		return -1, nil
	}
	defer pl.close()
	dir := pl.dir.low
	if pl.dir.up >= 0 {
		st, err := statAt(pl.dir.up, pl.base)
		if err == nil && st.isFile() && !v.isWhiteout(pl.dir.up, pl.base, st) {
			dir = pl.dir.up
		} else if err != unix.ENOENT {
			return -1, nil
		}
	}
	if dir < 0 {
		return -1, nil
	}
	fd, err := openAt(dir, pl.base, unix.O_RDONLY, 0)
	if err != nil {
		return -1, nil
	}
	st, err := statFd(fd)
	if err != nil || !st.isFile() || dir == pl.dir.low && v.suspect(st) {
		unix.Close(fd)
		return -1, nil
	}
	return fd, st
}
