package vfs

import (
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// maxAttrs bounds the attribute list and each value, in bytes; the kernel allows no more either.
const maxAttrs = 64 << 10

// copyAttrs copies a file's user attributes and its access control list, as far as the filesystem lets us. overlayfs's own
// attributes stay behind: they mean something about the place, not about the file.
func copyAttrs(from, to int) {
	names, _ := attrNames(from)
	if len(names) == 0 {
		return
	}
	value := make([]byte, maxAttrs)
	for _, name := range names {
		if !kept(name) {
			continue
		}
		if n, err := unix.Fgetxattr(from, name, value); err == nil {
			unix.Fsetxattr(to, name, value[:n], 0)
		}
	}
}

// plainUpper tells whether an upper file has no attribute but where overlayfs copied it from, and drops that one: outside of its upper
// layer it means nothing.
func plainUpper(fd int) bool {
	const origin = "user.overlay.origin"
	names, ok := attrNames(fd)
	for _, name := range names {
		ok = ok && name == origin
	}
	return ok && (len(names) == 0 || unix.Fremovexattr(fd, origin) == nil)
}

// plainLower tells whether a file of the workspace has nothing that copyAttrs copies.
func plainLower(fd int) bool {
	names, ok := attrNames(fd)
	for _, name := range names {
		ok = ok && !kept(name)
	}
	return ok
}

// plainDir tells whether a directory leaves the group and the access control list of new files alone.
func plainDir(fd int) bool {
	st, err := statFd(fd)
	if err != nil || st.mode&fs.ModeSetgid != 0 {
		return false
	}
	_, err = unix.Fgetxattr(fd, "system.posix_acl_default", nil)
	return err == unix.ENODATA || err == unix.EOPNOTSUPP
}

// attrNames lists a file's attributes; ok is false when they cannot be told.
func attrNames(fd int) (names []string, ok bool) {
	n, err := unix.Flistxattr(fd, nil)
	if err == unix.EOPNOTSUPP || err == nil && n == 0 {
		return nil, true
	}
	list := make([]byte, maxAttrs)
	if n, err = unix.Flistxattr(fd, list); err != nil {
		return nil, false
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		names = append(names, name)
	}
	return names, true
}

// kept tells whether a copy gets an attribute.
func kept(name string) bool {
	return strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.overlay.") || name == "system.posix_acl_access"
}
