package vfs

import (
	"io/fs"
	"os"
	"sync"
	"syscall"
)

const (
	writeFlags = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREATE | os.O_TRUNC
	// openFlags are the os.O_ flags that a caller may use; others (O_DIRECT, O_TMPFILE, …) are the host's business.
	openFlags = writeFlags | os.O_EXCL | os.O_SYNC
)

// hostFile gives its handle back once.
type hostFile struct {
	*os.File
	name string
	once sync.Once
	done func()
}

func (f *hostFile) Name() string { return f.name }

func (f *hostFile) Close() error {
	err := f.File.Close()
	f.once.Do(f.done)
	return err
}

// Open implements Vfs.
func (v *HostVfs) Open(name string) (File, error) { return v.OpenFile(name, os.O_RDONLY, 0) }

// Create implements Vfs.
func (v *HostVfs) Create(name string) (File, error) {
	return v.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile implements Vfs.
func (v *HostVfs) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	p, err := v.at(name, flag&os.O_EXCL == 0, flag&writeFlags != 0)
	if err == nil && flag&writeFlags != 0 && v.opts.ReadOnly {
		err = ErrReadOnly
	}
	if err == nil && flag&^openFlags != 0 {
		err = syscall.EINVAL
	}
	if err == nil {
		err = v.open.take()
	}
	if err != nil {
		return nil, v.fail("open", name, err)
	}
	f, _, err := v.openRegular(p, flag, perm)
	if err != nil {
		v.open.release()
		return nil, v.fail("open", name, err)
	}
	return &hostFile{File: f, name: name, done: v.open.release}, nil
}

// openRegular opens without blocking and checks what it got before anything is changed: so O_TRUNC is done by hand.
func (v *HostVfs) openRegular(p string, flag int, perm fs.FileMode) (*os.File, fs.FileInfo, error) {
	f, err := v.root.OpenFile(p, flag&^os.O_TRUNC|syscall.O_NONBLOCK|syscall.O_NOCTTY, perm.Perm())
	if err != nil {
		if isErrno(err, syscall.ENXIO) || isErrno(err, syscall.ENODEV) { // socket, or FIFO without a reader
			err = ErrSpecial
		}
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil {
		err = v.usable(fi, flag&writeFlags != 0)
	}
	if err == nil && flag&os.O_TRUNC != 0 && fi.Size() > 0 {
		err = f.Truncate(0)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

// usable says whether an open file may be handed out.
func (v *HostVfs) usable(fi fs.FileInfo, write bool) error {
	switch {
	case fi.IsDir():
		return syscall.EISDIR
	case !fi.Mode().IsRegular():
		return ErrSpecial
	case write && !v.opts.HardLinks && linkCount(fi) > 1:
		return ErrHardLink
	case !v.opts.HardLinks && fi.Mode()&0o004 == 0 && linkCount(fi) > 1:
		return ErrOutside
	}
	return nil
}

func linkCount(fi fs.FileInfo) uint64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}

// ReadFile implements Vfs.
func (v *HostVfs) ReadFile(name string, limit int64) ([]byte, error) {
	p, err := v.at(name, true, false)
	if err == nil {
		err = v.open.take()
	}
	if err != nil {
		return nil, v.fail("read", name, err)
	}
	defer v.open.release()
	f, fi, err := v.openRegular(p, os.O_RDONLY, 0)
	if err != nil {
		return nil, v.fail("read", name, err)
	}
	defer f.Close()
	data, err := readAll(f, fi.Size(), limit)
	return data, v.fail("read", name, err)
}
