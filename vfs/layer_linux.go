package vfs

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// mknodWhiteout makes overlayfs's whiteout. Any user may since Linux 5.8, unless a container forbids mknod.
func mknodWhiteout(dir int, name string) error {
	return unix.Mknodat(dir, name, unix.S_IFCHR, 0)
}

// exchange swaps two names at once.
func exchange(fromDir int, from string, toDir int, to string) error {
	return eintr(func() error { return unix.Renameat2(fromDir, from, toDir, to, unix.RENAME_EXCHANGE) })
}

// bornAt is when the file was created, in Unix nanoseconds; 0 when the filesystem does not say.
func bornAt(dir int, name string) int64 {
	var st unix.Statx_t
	err := unix.Statx(dir, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)).UnixNano()
}

func ignoreNoAttr(err error) error {
	if err == unix.ENODATA {
		return nil
	}
	return err
}

// chmodAt changes the mode of an entry that must not be a link. Before Linux 6.6 that takes a detour.
func chmodAt(dir int, name string, mode uint32) error {
	err := unix.Fchmodat(dir, name, mode, unix.AT_SYMLINK_NOFOLLOW)
	if err != unix.EOPNOTSUPP {
		return err
	}
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	st, err := statFd(fd)
	if err != nil {
		return err
	}
	if st.isLink() {
		return unix.ELOOP
	}
	return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode)
}

// canSyncTogether: one call writes a whole filesystem to disk and reports what failed.
const canSyncTogether = true

func syncTogether(fd int) error { return eintr(func() error { return unix.Syncfs(fd) }) }
