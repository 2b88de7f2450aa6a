package vfs

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// tempPrefix starts the name of a file that is not in its place yet. One that a crash left behind may be deleted.
const tempPrefix = ".astrid-tmp-"

func tempName() string { return tempPrefix + rand.Text() }

func isErrno(err error, want syscall.Errno) bool {
	var e syscall.Errno
	return errors.As(err, &e) && e == want
}

// WriteFile implements Vfs.
func (v *HostVfs) WriteFile(name string, data []byte, perm fs.FileMode) error {
	if _, err := v.change(name, true); err != nil {
		return v.fail("write", name, err)
	}
	p, err := v.follow(name) // a rename would replace a final link, but writing to a link means its target
	if err == nil {
		err = v.replace(p, data, perm)
	}
	return v.fail("write", name, err)
}

// replace writes beside p and renames over it.
func (v *HostVfs) replace(p string, data []byte, perm fs.FileMode) error {
	old, err := v.root.Lstat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return err
	case old.IsDir():
		return syscall.EISDIR
	case !old.Mode().IsRegular():
		return ErrSpecial
	default:
		// The rename needs no permission on the file it replaces; opening it asks for that permission, as a plain write would.
		f, err := v.root.OpenFile(p, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			f.Close()
		} else if !isErrno(err, syscall.ETXTBSY) { // replacing a running program is fine, changing it is not
			return err
		}
	}
	temp := path.Join(path.Dir(p), tempName())
	f, err := v.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm.Perm())
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && old != nil {
		keepOwner(f, old)
		err = f.Chmod(old.Mode().Perm())
	}
	if err == nil && !v.opts.NoSync {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = v.root.Rename(temp, p)
	}
	if err != nil {
		v.root.Remove(temp)
		return err
	}
	if !v.opts.NoSync {
		return v.syncDir(path.Dir(p))
	}
	return nil
}

// keepOwner gives the new file the old one's owner where we may; where we may not, the writer owns it.
func keepOwner(f *os.File, old fs.FileInfo) {
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		f.Chown(int(st.Uid), int(st.Gid))
	}
}

func (v *HostVfs) syncDir(p string) error {
	d, err := v.root.Open(p)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// MkdirAll implements Vfs.
func (v *HostVfs) MkdirAll(name string, perm fs.FileMode) error {
	p, err := v.change(name, true)
	if errors.Is(err, ErrRoot) {
		return nil // it exists
	}
	if err == nil {
		err = v.root.MkdirAll(p, perm.Perm())
	}
	return v.fail("mkdir", name, err)
}

// Remove implements Vfs.
func (v *HostVfs) Remove(name string) error {
	p, err := v.change(name, false)
	if err == nil {
		err = v.root.Remove(p)
	}
	return v.fail("remove", name, err)
}

// RemoveAll implements Vfs.
func (v *HostVfs) RemoveAll(name string) error {
	p, err := v.changeWhole(name)
	if err == nil {
		err = v.root.RemoveAll(p)
	}
	return v.fail("remove", name, err)
}

// changeWhole is change for an operation on everything below a name, which is refused when some of it is hidden.
func (v *HostVfs) changeWhole(name string) (string, error) {
	p, err := v.change(name, false)
	if err != nil {
		return "", err
	}
	hides, err := v.hides(p)
	if err == nil && hides {
		err = fs.ErrPermission
	}
	return p, err
}

// Rename implements Vfs.
func (v *HostVfs) Rename(oldname, newname string) error {
	from, err := v.changeWhole(oldname)
	if err != nil {
		return v.fail("rename", oldname, err)
	}
	to, err := v.change(newname, false)
	if err == nil {
		err = v.root.Rename(from, to)
	}
	return v.fail("rename", newname, err)
}

// Symlink implements Vfs.
func (v *HostVfs) Symlink(target, newname string) error {
	p, err := v.change(newname, false)
	if err != nil {
		return v.fail("symlink", newname, err)
	}
	dir, err := v.follow(path.Dir(p))
	if err == nil && linkEscapes(target, path.Join(dir, path.Base(p))) {
		err = ErrEscape
	}
	if err == nil {
		err = v.root.Symlink(target, p)
	}
	return v.fail("symlink", newname, err)
}

// Chmod implements Vfs.
func (v *HostVfs) Chmod(name string, mode fs.FileMode) error {
	_, err := v.change(name, true)
	var p string
	if err == nil {
		p, err = v.follow(name)
	}
	if err == nil && p == "." {
		err = ErrRoot
	}
	if err == nil && !v.opts.HardLinks {
		fi, serr := v.root.Lstat(p)
		if err = serr; err == nil && fi.Mode().IsRegular() && linkCount(fi) > 1 {
			err = ErrHardLink
		}
	}
	if err == nil {
		err = v.root.Chmod(p, mode.Perm())
	}
	return v.fail("chmod", name, err)
}
