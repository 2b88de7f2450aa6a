package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The overlay cannot let os.Root follow a link, because a link must be followed in the merged view: its target may be covered
// by the upper layer. So the layers are walked one component at a time with O_NOFOLLOW relative to an open directory, which
// is os.Root's own technique without the links. Nothing here ever passes "..", an absolute name or more than one component.

// stat is what the overlay needs to know of one directory entry. Times are Unix nanoseconds.
type stat struct {
	mode         fs.FileMode // type, permission and set-id bits
	size         int64
	mtime, ctime int64
	ino, dev     uint64
	nlink        uint64
	uid, gid     int
	zeroDev      bool // device number 0/0
}

func (s *stat) isDir() bool     { return s.mode.IsDir() }
func (s *stat) isFile() bool    { return s.mode.IsRegular() }
func (s *stat) isLink() bool    { return s.mode&fs.ModeSymlink != 0 }
func (s *stat) isSpecial() bool { return !s.isDir() && !s.isFile() && !s.isLink() }

// devZero reports the device that overlayfs uses as a whiteout.
func (s *stat) devZero() bool { return s.mode&fs.ModeCharDevice != 0 && s.zeroDev }

func makeStat(st *unix.Stat_t) stat {
	s := stat{
		mode:  fs.FileMode(st.Mode & 0o777),
		size:  st.Size,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
		ino: st.Ino, dev: uint64(st.Dev), nlink: uint64(st.Nlink),
		uid: int(st.Uid), gid: int(st.Gid),
		zeroDev: st.Rdev == 0,
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		s.mode |= fs.ModeDir
		s.size = 0
	case unix.S_IFLNK:
		s.mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		s.mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		s.mode |= fs.ModeSocket
	case unix.S_IFCHR:
		s.mode |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		s.mode |= fs.ModeDevice
	case unix.S_IFREG:
	default:
		s.mode |= fs.ModeIrregular
	}
	if st.Mode&unix.S_ISUID != 0 {
		s.mode |= fs.ModeSetuid
	}
	if st.Mode&unix.S_ISGID != 0 {
		s.mode |= fs.ModeSetgid
	}
	if st.Mode&unix.S_ISVTX != 0 {
		s.mode |= fs.ModeSticky
	}
	return s
}

// unixMode is the reverse of makeStat for the bits that chmod takes.
func unixMode(m fs.FileMode) uint32 {
	u := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		u |= unix.S_ISUID
	}
	if m&fs.ModeSetgid != 0 {
		u |= unix.S_ISGID
	}
	if m&fs.ModeSticky != 0 {
		u |= unix.S_ISVTX
	}
	return u
}

// eintr repeats a call that a signal interrupted.
func eintr(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

func statAt(dir int, name string) (*stat, error) {
	var st unix.Stat_t
	if err := eintr(func() error { return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return nil, err
	}
	s := makeStat(&st)
	return &s, nil
}

func statFd(fd int) (*stat, error) {
	var st unix.Stat_t
	if err := eintr(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return nil, err
	}
	s := makeStat(&st)
	return &s, nil
}

func openAt(dir int, name string, flag int, perm uint32) (fd int, err error) {
	err = eintr(func() error {
		fd, err = unix.Openat(dir, name, flag|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, perm)
		return err
	})
	return fd, err
}

// openDirAt opens a directory; a link or another kind of file is ENOTDIR (or ELOOP on some systems).
func openDirAt(dir int, name string) (int, error) {
	return openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
}

// openOwnDir opens a directory of the upper layer even where a guest took the permission away. shut closes it and gives it the
// mode of st again, if st is given.
func openOwnDir(dir int, name string, st *stat) (fd int, shut func(), err error) {
	if fd, err = openDirAt(dir, name); err == nil {
		return fd, func() { unix.Close(fd) }, nil
	}
	if !errors.Is(err, unix.EACCES) || chmodAt(dir, name, 0o700) != nil {
		return -1, nil, err
	}
	if fd, err = openDirAt(dir, name); err != nil {
		return -1, nil, err
	}
	return fd, func() {
		if st != nil {
			unix.Fchmod(fd, unixMode(st.mode))
		}
		unix.Close(fd)
	}, nil
}

// openFileAt opens a regular file.
func openFileAt(dir int, name string, flag int) (*os.File, *stat, error) {
	fd, err := openAt(dir, name, flag, 0)
	if err != nil {
		return nil, nil, err
	}
	st, err := statFd(fd)
	if err == nil && !st.isFile() {
		err = ErrSpecial
	}
	if err != nil {
		unix.Close(fd)
		return nil, nil, err
	}
	return os.NewFile(uintptr(fd), name), st, nil
}

func readlinkAt(dir int, name string) (string, error) {
	buf := make([]byte, MaxName+1)
	n, err := unix.Readlinkat(dir, name, buf)
	if err != nil {
		return "", err
	}
	if n > MaxName {
		return "", unix.ENAMETOOLONG
	}
	return string(buf[:n]), nil
}

// namesAt lists the names in an open directory, sorted. The descriptor stays open and is usable again.
func namesAt(dir int) ([]string, error) {
	fd, err := openDirAt(dir, ".")
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), ".")
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// descend opens the directory p below root without following a link. The caller closes it.
func descend(root int, p string) (int, error) {
	fd := root
	for part := range strings.SplitSeq(p, "/") {
		next, err := openDirAt(fd, part)
		if fd != root {
			unix.Close(fd)
		}
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}

// lookAt is lstat of p below root without following a link; nil without an error when it does not exist, which includes
// that a directory on the way is missing or something else.
func lookAt(root int, p string) (*stat, error) {
	dir, err := descend(root, path.Dir(p))
	if err == nil {
		defer unix.Close(dir)
		var st *stat
		if st, err = statAt(dir, path.Base(p)); err == nil {
			return st, nil
		}
	}
	if isMissing(err) {
		return nil, nil
	}
	return nil, err
}

// isMissing reports that a name, or the directory it should be in, is not there.
func isMissing(err error) bool {
	return errors.Is(err, unix.ENOENT) || notDir(err)
}

// notDir reports what openDirAt says about something else than a directory.
func notDir(err error) bool {
	return errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// removeTree deletes name in dir and everything below it, without following a link. A missing name is success.
func removeTree(dir int, name string) error {
	err := eintr(func() error { return unix.Unlinkat(dir, name, 0) })
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	fd, shut, derr := openOwnDir(dir, name, nil)
	if derr != nil {
		if notDir(derr) {
			return err
		}
		return derr
	}
	defer shut()
	unix.Fchmod(fd, 0o700) // entries of a read-only directory cannot be deleted
	names, err := namesAt(fd)
	for _, n := range names {
		if err == nil {
			err = removeTree(fd, n)
		}
	}
	if err != nil {
		return err
	}
	return eintr(func() error { return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR) })
}

// info is a stat as fs.FileInfo and fs.DirEntry.
type info struct {
	name string
	stat
}

func (i *info) Name() string               { return i.name }
func (i *info) Size() int64                { return i.size }
func (i *info) Mode() fs.FileMode          { return i.mode }
func (i *info) ModTime() time.Time         { return time.Unix(0, i.mtime) }
func (i *info) IsDir() bool                { return i.isDir() }
func (i *info) Sys() any                   { return nil }
func (i *info) Type() fs.FileMode          { return i.mode.Type() }
func (i *info) Info() (fs.FileInfo, error) { return i, nil }
