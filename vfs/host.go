package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// HostOptions tunes a host tree; the zero value is a writable tree of DefaultMaxOpen handles that syncs what it writes.
type HostOptions struct {
	// ReadOnly refuses every change with ErrReadOnly.
	ReadOnly bool
	// MaxOpen bounds the files open at one time; 0 means DefaultMaxOpen.
	MaxOpen int
	// HardLinks permits reading private files with several names and writing in place to any. Without it OpenFile refuses, because
	// the other name may lie outside the root. WriteFile is not concerned: it replaces the name and leaves the other one alone.
	HardLinks bool
	// NoSync skips the fsync before WriteFile's rename: faster, and a power failure may lose the last writes.
	NoSync bool
	// Hide names what does not exist for a guest, with everything below it: a reader is told fs.ErrNotExist, a writer
	// fs.ErrPermission, a listing leaves it out, and a directory that holds it cannot be moved or deleted. It is given canonical
	// paths below the root, links followed, in lower case (a case-insensitive filesystem must be no side door). It must be quick and
	// safe for concurrent use.
	Hide func(path string) bool
}

// HostVfs is a directory of the host, changed in place. Containment is os.Root's.
type HostVfs struct {
	root   *os.Root
	abs    string
	opts   HostOptions
	escape error // os.Root's unexported "path escapes from parent"
	open   handles
}

// handles counts open files against a limit.
type handles struct {
	max int64
	n   atomic.Int64
}

func (h *handles) take() error {
	if h.n.Add(1) > h.max {
		h.n.Add(-1)
		return ErrTooManyOpen
	}
	return nil
}

func (h *handles) release() { h.n.Add(-1) }

// NewHost opens a directory that must exist. Links in root itself are followed, once, now.
func NewHost(root string, o HostOptions) (*HostVfs, error) {
	abs, err := canonicalDir(root)
	if err != nil {
		return nil, err
	}
	r, err := os.OpenRoot(abs)
	if err != nil {
		return nil, err
	}
	v := &HostVfs{root: r, abs: abs, opts: o}
	v.open.max = int64(o.MaxOpen)
	if o.MaxOpen <= 0 {
		v.open.max = DefaultMaxOpen
	}
	v.escape = escapeError(r)
	return v, nil
}

// escapeError is what os says when a name leaves a root. It is not exported, so it is taken from an operation that is sure to give it.
func escapeError(r *os.Root) error {
	var pe *fs.PathError
	if _, err := r.Lstat(".."); errors.As(err, &pe) {
		return pe.Err
	}
	return nil
}

func canonicalDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// Root implements Vfs.
func (v *HostVfs) Root() string { return v.abs }

// Close implements Vfs.
func (v *HostVfs) Close() error { return v.root.Close() }

// fail gives err the operation and the caller's name, and os.Root's escape this package's.
func (v *HostVfs) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		err = pe.Err
	case errors.As(err, &le):
		err = le.Err
	}
	if v.escape != nil && errors.Is(err, v.escape) {
		err = ErrEscape
	} else if errors.Is(err, fs.ErrClosed) {
		err = ErrClosed
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// change is at for an operation that writes.
func (v *HostVfs) change(name string, follow bool) (string, error) {
	if v.opts.ReadOnly {
		return "", ErrReadOnly
	}
	p, err := v.at(name, follow, true)
	if err == nil && p == "." {
		err = ErrRoot
	}
	return p, err
}

// Stat implements Vfs.
func (v *HostVfs) Stat(name string) (fs.FileInfo, error) {
	p, err := v.at(name, true, false)
	if err != nil {
		return nil, v.fail("stat", name, err)
	}
	fi, err := v.root.Stat(p)
	return fi, v.fail("stat", name, err)
}

// Lstat implements Vfs.
func (v *HostVfs) Lstat(name string) (fs.FileInfo, error) {
	p, err := v.at(name, false, false)
	if err != nil {
		return nil, v.fail("lstat", name, err)
	}
	fi, err := v.root.Lstat(p)
	return fi, v.fail("lstat", name, err)
}

// Readlink implements Vfs.
func (v *HostVfs) Readlink(name string) (string, error) {
	p, err := v.at(name, false, false)
	if err != nil {
		return "", v.fail("readlink", name, err)
	}
	target, err := v.root.Readlink(p)
	return target, v.fail("readlink", name, err)
}

// ReadDir implements Vfs.
func (v *HostVfs) ReadDir(name string) ([]fs.DirEntry, error) {
	p, err := v.at(name, true, false)
	if err != nil {
		return nil, v.fail("readdir", name, err)
	}
	// O_DIRECTORY: a FIFO or device by that name is refused before it is opened.
	f, err := v.root.OpenFile(p, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, v.fail("readdir", name, err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return v.hidden(path.Join(p, e.Name())) })
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, v.fail("readdir", name, err)
}

// Resolve implements Vfs.
func (v *HostVfs) Resolve(name string) (string, error) {
	p, err := v.follow(name)
	if err == nil && v.hidden(p) {
		err = unix.ENOENT
	}
	if err != nil {
		return "", v.fail("resolve", name, err)
	}
	return filepath.Join(v.abs, p), nil
}

// follow returns the canonical name with all links resolved. A missing tail is kept as it is spelled.
func (v *HostVfs) follow(name string) (string, error) {
	p, err := cleanName(name)
	if err != nil || p == "." {
		return p, err
	}
	done, rest, links := ".", strings.Split(p, "/"), 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if done == "." {
				return "", ErrEscape
			}
			done = path.Dir(done)
			continue
		}
		next := path.Join(done, part)
		fi, err := v.root.Lstat(next)
		if errors.Is(err, fs.ErrNotExist) {
			return missingTail(next, rest)
		}
		if err != nil {
			return "", err
		}
		if fi.Mode()&fs.ModeSymlink == 0 {
			if len(rest) > 0 && !fi.IsDir() {
				return "", syscall.ENOTDIR
			}
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", syscall.ELOOP
		}
		target, err := v.root.Readlink(next)
		if err != nil {
			return "", err
		}
		if target == "" || target[0] == '/' {
			return "", ErrEscape
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return done, nil
}

// missingTail appends names that do not exist. A ".." among them came from a dangling link: dropping it would name another
// file than the kernel will.
func missingTail(done string, rest []string) (string, error) {
	for _, part := range rest {
		switch part {
		case "", ".":
		case "..":
			return "", fs.ErrNotExist
		default:
			done = path.Join(done, part)
		}
	}
	return done, nil
}

// readAll reads a file of about size bytes and refuses more than limit.
func readAll(f io.Reader, size, limit int64) ([]byte, error) {
	if limit <= 0 {
		limit = DefaultReadLimit
	}
	if size > limit {
		return nil, ErrTooLarge
	}
	// One byte more than the size, so that the read which fills the content also shows its end.
	buf := make([]byte, 0, max(size, 0)+1)
	for {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit { // it grew since
			return nil, ErrTooLarge
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}
