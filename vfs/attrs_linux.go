package vfs

import (
	"strings"

	"golang.org/x/sys/unix"
)

// maxAttrs bounds the attribute list and each value, in bytes; the kernel allows no more either.
const maxAttrs = 64 << 10

// copyAttrs copies a file's user attributes and its access control list, as far as the filesystem lets us. overlayfs's own
// attributes stay behind: they mean something about the place, not about the file.
func copyAttrs(from, to int) {
	list := make([]byte, maxAttrs)
	n, err := unix.Flistxattr(from, list)
	if err != nil || n == 0 {
		return
	}
	value := make([]byte, maxAttrs)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		user := strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.overlay.")
		if !user && name != "system.posix_acl_access" {
			continue
		}
		if n, err := unix.Fgetxattr(from, name, value); err == nil {
			unix.Fsetxattr(to, name, value[:n], 0)
		}
	}
}
