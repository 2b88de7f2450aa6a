package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// OpenFile implements Vfs.
func (v *OverlayVfs) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if flag&^openFlags != 0 {
		return nil, v.fail("open", name, unix.EINVAL)
	}
	if err := v.open.take(); err != nil {
		return nil, v.fail("open", name, err)
	}
	var f, through File
	var err error
	if flag&writeFlags == 0 {
		err = v.reading("open", name, func(p string) error {
			fd, _, err := v.openRead(p)
			if err == nil {
				f = &overlayFile{v: v, f: os.NewFile(uintptr(fd), name), name: name}
			}
			return err
		})
	} else {
		err = v.writing("open", name, func(m *HostVfs) (err error) {
			if flag&os.O_TRUNC == 0 {
				if err := v.insideOnly(name, true); err != nil {
					return v.fail("open", name, err)
				}
			}
			through, err = m.OpenFile(name, flag, perm)
			return err
		}, func(p string) error {
			g, err := v.openWrite(p, name, flag, perm)
			f = g
			return err
		})
	}
	if err != nil || through != nil { // the mount's files are counted there
		v.open.release()
	}
	if err != nil {
		return nil, err
	}
	if through != nil {
		return through, nil
	}
	return f, nil
}

// Create implements Vfs.
func (v *OverlayVfs) Create(name string) (File, error) {
	return v.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

func (v *OverlayVfs) openWrite(p, name string, flag int, perm fs.FileMode) (*overlayFile, error) {
	exclusive := flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0
	pl, err := v.walk(p, !exclusive)
	if err != nil {
		return nil, err
	}
	defer pl.close()
	st := pl.st()
	write := flag&(os.O_WRONLY|os.O_RDWR|os.O_TRUNC) != 0
	switch {
	case st == nil && flag&os.O_CREATE == 0:
		return nil, unix.ENOENT
	case st == nil:
		return v.create(&pl, name, flag, perm)
	case exclusive:
		return nil, unix.EEXIST
	case st.isDir():
		return nil, unix.EISDIR
	case !st.isFile():
		return nil, ErrSpecial
	case write:
		if err := v.toUpper(&pl, flag&os.O_TRUNC == 0); err != nil {
			return nil, err
		}
	}
	if st != nil && !write {
		fd, _, err := v.openRead(pl.path)
		if err != nil {
			return nil, err
		}
		return &overlayFile{v: v, f: os.NewFile(uintptr(fd), name), name: name}, nil
	}
	return v.openUpper(pl.path, name, flag)
}

// toUpper makes sure that a regular file can be written in the upper layer, as the caller's permission allows.
func (v *OverlayVfs) toUpper(pl *place, content bool) error {
	if pl.up == nil {
		if err := mayWrite(pl.dir.low, pl.base); err != nil {
			return err
		}
		return v.copyUp(pl, content)
	}
	if pl.up.nlink > 1 {
		if err := mayWrite(pl.dir.up, pl.base); err != nil {
			return err
		}
		return v.unshare(pl, content)
	}
	return nil
}

// unshare gives a name in the upper layer a file of its own: another name of the file would change with it.
func (v *OverlayVfs) unshare(pl *place, content bool) error {
	tmp := tempName()
	if _, err := v.stageCopy(pl.dir.up, pl.base, tmp, content, nil); err != nil {
		unix.Unlinkat(v.stage, tmp, 0)
		return err
	}
	return v.insert(tmp, pl.dir.up, pl.base)
}

// mayWrite asks for permission to write an entry. A read-only filesystem below does not matter to an overlay.
func mayWrite(dir int, name string) error {
	err := eintr(func() error { return unix.Faccessat(dir, name, unix.W_OK, unix.AT_EACCESS) })
	if err == unix.EROFS {
		return nil
	}
	return err
}

// mayChange asks for permission to add and remove entries of an open merged directory.
func (n node) mayChange() error {
	if n.up >= 0 {
		return mayWrite(n.up, ".")
	}
	return mayWrite(n.low, ".")
}

// create makes a file at a free place and opens it. That works for a mode that its creator could not open again.
func (v *OverlayVfs) create(pl *place, name string, flag int, perm fs.FileMode) (*overlayFile, error) {
	tmp := tempName()
	fd, err := openAt(v.stage, tmp, flag&(os.O_WRONLY|os.O_RDWR|os.O_APPEND|os.O_SYNC)|unix.O_CREAT|unix.O_EXCL, uint32(perm.Perm()))
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	st, err := statFd(fd)
	if err == nil {
		err = v.add(pl, tmp)
	}
	if err != nil {
		unix.Unlinkat(v.stage, tmp, 0)
		f.Close()
		return nil, err
	}
	return v.writable(f, st, name, flag), nil
}

// add moves a staged file or link to a place, over what the upper layer has there.
func (v *OverlayVfs) add(pl *place, tmp string) error {
	err := pl.dir.mayChange()
	if err == nil {
		err = v.cover(pl.path, "")
	}
	if err != nil {
		return err
	}
	up, err := v.ensureUp(path.Dir(pl.path))
	if err != nil {
		return err
	}
	defer unix.Close(up)
	return v.insert(tmp, up, pl.base)
}

// openUpper opens a file that is in the upper layer.
func (v *OverlayVfs) openUpper(p, name string, flag int) (*overlayFile, error) {
	dir, err := descend(v.up, path.Dir(p))
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	f, st, err := openFileAt(dir, path.Base(p), flag&^(os.O_CREATE|os.O_EXCL|os.O_TRUNC))
	if err != nil {
		return nil, err
	}
	if flag&os.O_TRUNC != 0 && st.size > 0 {
		if err := f.Truncate(0); err != nil {
			f.Close()
			return nil, err
		}
	}
	return v.writable(f, st, name, flag), nil
}

// writable wraps a file that was opened for writing and notes that it is open.
func (v *OverlayVfs) writable(f *os.File, st *stat, name string, flag int) *overlayFile {
	id := fileID{st.dev, st.ino}
	v.quota.Lock()
	v.writers[id]++
	v.quota.Unlock()
	return &overlayFile{v: v, f: f, name: name, id: id, write: true, app: flag&os.O_APPEND != 0}
}

// WriteFile implements Vfs.
func (v *OverlayVfs) WriteFile(name string, data []byte, perm fs.FileMode) error {
	return v.writing("write", name, func(m *HostVfs) error { return v.writeThrough(m, name, data, perm) }, func(p string) error {
		if err := v.mkdirAll(path.Dir(p), 0o777); err != nil {
			return err
		}
		p, err := v.resolve(p) // a dangling link's target is created
		if err != nil {
			return err
		}
		pl, err := v.walk(p, false)
		if err != nil {
			return err
		}
		defer pl.close()
		st := pl.st()
		switch {
		case st == nil:
		case st.isDir():
			return unix.EISDIR
		case !st.isFile():
			return ErrSpecial
		case pl.up != nil:
			err = mayWrite(pl.dir.up, pl.base)
		default:
			err = mayWrite(pl.dir.low, pl.base)
		}
		if err != nil {
			return err
		}
		return v.replace(&pl, st, data, perm)
	})
}

func (v *OverlayVfs) replace(pl *place, old *stat, data []byte, perm fs.FileMode) error {
	if err := v.reserve(int64(len(data))); err != nil {
		return err
	}
	tmp := tempName()
	f, err := createAt(v.stage, tmp, uint32(perm.Perm()))
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && old != nil {
		err = dress(v.stage, tmp, f, old, false)
	}
	err = errors.Join(err, f.Close())
	if err == nil && old != nil { // the file may be written, so nobody asks for its directory
		if err = v.cover(pl.path, ""); err == nil {
			var up int
			if up, err = v.ensureUp(path.Dir(pl.path)); err == nil {
				err = v.insert(tmp, up, pl.base)
				unix.Close(up)
			}
		}
	} else if err == nil {
		err = v.add(pl, tmp)
	}
	if err != nil {
		unix.Unlinkat(v.stage, tmp, 0)
	}
	return err
}

// MkdirAll implements Vfs.
func (v *OverlayVfs) MkdirAll(name string, perm fs.FileMode) error {
	return v.writing("mkdir", name, func(m *HostVfs) error { return m.MkdirAll(name, perm) },
		func(p string) error { return v.mkdirAll(p, perm) })
}

// mkdirAll makes the directories of a clean name. Links to directories are followed; a dangling one is in the way.
func (v *OverlayVfs) mkdirAll(p string, perm fs.FileMode) error {
	if p == "." {
		return nil
	}
	at := "."
	for part := range strings.SplitSeq(p, "/") {
		at = path.Join(at, part)
		pl, err := v.walk(at, true)
		if err != nil {
			return err
		}
		st := pl.st()
		pl.close()
		if st != nil && st.isDir() {
			continue
		}
		if st != nil {
			return unix.ENOTDIR
		}
		if err := v.mkdir(at, perm); err != nil {
			return err
		}
	}
	return nil
}

func (v *OverlayVfs) mkdir(p string, perm fs.FileMode) error {
	pl, err := v.walk(p, false)
	if err != nil {
		return err
	}
	defer pl.close()
	if pl.st() != nil {
		return unix.EEXIST
	}
	p = pl.path
	if err := pl.dir.mayChange(); err != nil {
		return err
	}
	if err := v.cover(p, ""); err != nil {
		return err
	}
	up, err := v.ensureUp(path.Dir(p))
	if err != nil {
		return err
	}
	defer unix.Close(up)
	// mkdir in the staging directory applies the umask to perm; settle keeps that mode.
	tmp := tempName()
	if err := unix.Mkdirat(v.stage, tmp, uint32(perm.Perm())); err != nil {
		return err
	}
	st, err := statAt(v.stage, tmp)
	if err == nil && st.mode.Perm()&0o700 != 0o700 {
		err = chmodAt(v.stage, tmp, 0o700)
	}
	if err == nil && pl.low != nil { // a whiteout is here: what it hid must stay hidden
		var fd int
		if fd, err = openDirAt(v.stage, tmp); err == nil {
			err = v.setOpaque(fd, true)
			unix.Close(fd)
		}
	}
	var fd int
	if err == nil {
		if fd, err = v.settleDir(tmp, up, pl.base, st); err == nil {
			return unix.Close(fd)
		}
	}
	removeTree(v.stage, tmp)
	return err
}

// Symlink implements Vfs.
func (v *OverlayVfs) Symlink(target, newname string) error {
	return v.writing("symlink", newname, func(m *HostVfs) error { return m.Symlink(target, newname) }, func(p string) error {
		pl, err := v.walk(p, false)
		if err != nil {
			return err
		}
		defer pl.close()
		if pl.st() != nil {
			return unix.EEXIST
		}
		if _, err := cleanName(target); errors.Is(err, ErrName) {
			return err
		}
		if linkEscapes(target, pl.path) {
			return ErrEscape
		}
		tmp := tempName()
		if err := unix.Symlinkat(target, v.stage, tmp); err != nil {
			return err
		}
		if err := v.add(&pl, tmp); err != nil {
			unix.Unlinkat(v.stage, tmp, 0)
			return err
		}
		return nil
	})
}

// Chmod implements Vfs.
func (v *OverlayVfs) Chmod(name string, mode fs.FileMode) error {
	return v.writing("chmod", name, func(m *HostVfs) error {
		if err := v.insideOnly(name, true); err != nil {
			return v.fail("chmod", name, err)
		}
		return m.Chmod(name, mode)
	}, func(p string) error {
		pl, err := v.walk(p, true)
		if err != nil {
			return err
		}
		defer pl.close()
		st := pl.st()
		switch {
		case pl.base == ".":
			return ErrRoot
		case st == nil:
			return unix.ENOENT
		case st.isDir():
			up, err := v.ensureUp(pl.path)
			if err != nil {
				return err
			}
			defer unix.Close(up)
			return unix.Fchmod(up, uint32(mode.Perm()))
		case !st.isFile():
			return ErrSpecial
		case pl.up == nil:
			if err := v.copyUp(&pl, true); err != nil {
				return err
			}
		case pl.up.nlink > 1:
			if err := v.unshare(&pl, true); err != nil {
				return err
			}
		}
		dir, err := descend(v.up, path.Dir(pl.path))
		if err != nil {
			return err
		}
		defer unix.Close(dir)
		return chmodAt(dir, pl.base, uint32(mode.Perm()))
	})
}
