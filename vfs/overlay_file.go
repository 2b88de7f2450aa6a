package vfs

import (
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// fdReader reads a descriptor without the cost of an os.File.
type fdReader int

func (r fdReader) Read(b []byte) (n int, err error) {
	err = eintr(func() error { n, err = unix.Read(int(r), b); return err })
	if err != nil {
		return 0, err
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// overlayFile is an open file of either layer. It does not embed os.File: ReadFrom and the like would pass the quota by.
type overlayFile struct {
	v     *OverlayVfs
	f     *os.File
	name  string
	id    fileID // of a writable handle
	write bool
	app   bool
	once  sync.Once
}

func (f *overlayFile) Name() string                              { return f.name }
func (f *overlayFile) Read(b []byte) (int, error)                { return f.f.Read(b) }
func (f *overlayFile) ReadAt(b []byte, off int64) (int, error)   { return f.f.ReadAt(b, off) }
func (f *overlayFile) Seek(off int64, whence int) (int64, error) { return f.f.Seek(off, whence) }
func (f *overlayFile) Sync() error                               { return f.f.Sync() }

func (f *overlayFile) Stat() (fs.FileInfo, error) {
	st, err := statFd(int(f.f.Fd()))
	if err != nil {
		return nil, f.v.fail("stat", f.name, err)
	}
	return &info{name: f.name, stat: *st}, nil
}

func (f *overlayFile) Close() error {
	err := f.f.Close()
	f.once.Do(func() {
		f.v.open.release()
		if f.write {
			f.v.quota.Lock()
			defer f.v.quota.Unlock()
			if f.v.writers[f.id]--; f.v.writers[f.id] <= 0 {
				delete(f.v.writers, f.id)
			}
		}
	})
	return err
}

// grow runs a write that ends at byte end (or n bytes after the file's end when appending), if the quota permits.
func (f *overlayFile) grow(end func() (int64, error), write func() error) error {
	if f.v.opts.Quota <= 0 {
		return write()
	}
	f.v.quota.Lock()
	defer f.v.quota.Unlock()
	last, err := end()
	if err != nil {
		return err
	}
	st, err := statFd(int(f.f.Fd()))
	if err != nil {
		return err
	}
	if more := last - st.size; more > 0 {
		if err := f.v.reserveLocked(more); err != nil {
			return f.v.fail("write", f.name, err)
		}
	}
	return write()
}

func (f *overlayFile) Write(b []byte) (n int, err error) {
	end := func() (int64, error) {
		whence := io.SeekCurrent
		if f.app {
			whence = io.SeekEnd // O_APPEND moves there anyway
		}
		at, err := f.f.Seek(0, whence)
		return at + int64(len(b)), err
	}
	err = f.grow(end, func() error { n, err = f.f.Write(b); return err })
	return n, err
}

func (f *overlayFile) WriteAt(b []byte, off int64) (n int, err error) {
	if f.app { // the kernel would append and ignore off
		return 0, f.v.fail("write", f.name, unix.EINVAL)
	}
	end := func() (int64, error) { return off + int64(len(b)), nil }
	err = f.grow(end, func() error { n, err = f.f.WriteAt(b, off); return err })
	return n, err
}

func (f *overlayFile) Truncate(size int64) error {
	return f.grow(func() (int64, error) { return size, nil }, func() error { return f.f.Truncate(size) })
}

// reserve takes n bytes of the quota or fails.
func (v *OverlayVfs) reserve(n int64) error {
	v.quota.Lock()
	defer v.quota.Unlock()
	return v.reserveLocked(n)
}

// reserveLocked counts afresh before it refuses: deletions, and what a kernel mount wrote, are not in the running sum.
func (v *OverlayVfs) reserveLocked(n int64) error {
	if v.opts.Quota <= 0 || n <= 0 {
		return nil
	}
	if n > v.opts.Quota {
		return ErrQuota
	}
	if v.used+n > v.opts.Quota {
		used, err := v.countBytes()
		if err != nil {
			return err
		}
		v.used = used
		if v.used+n > v.opts.Quota {
			return ErrQuota
		}
	}
	v.used += n
	return nil
}

// countBytes is the upper layer's content and what is being staged for it.
func (v *OverlayVfs) countBytes() (int64, error) {
	if v.opts.Quota <= 0 {
		return 0, nil
	}
	var sum int64
	var count func(dir int) error
	count = func(dir int) error {
		names, err := namesAt(dir)
		if err != nil {
			return err
		}
		for _, n := range names {
			st, err := statAt(dir, n)
			switch {
			case err != nil && !isMissing(err):
				return err
			case err != nil:
			case st.isFile():
				sum += st.size
			case st.isDir():
				fd, shut, err := openOwnDir(dir, n, st)
				if isMissing(err) {
					continue
				}
				if err != nil {
					return err
				}
				err = count(fd)
				shut()
				if err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := count(v.up); err != nil {
		return 0, err
	}
	return sum, count(v.stage)
}
