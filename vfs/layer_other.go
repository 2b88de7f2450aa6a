//go:build unix && !linux

package vfs

import "golang.org/x/sys/unix"

// Without overlayfs in the kernel there is nobody to share a device whiteout with.
func mknodWhiteout(int, string) error { return unix.ENOSYS }

// exchange is not available everywhere; the caller falls back to two steps.
func exchange(int, string, int, string) error { return unix.ENOSYS }

// bornAt is unknown: the overlay then compares with its own age.
func bornAt(int, string) int64 { return 0 }

// FormatOverlayfs is never chosen here, so there is no attribute to miss.
func ignoreNoAttr(err error) error { return err }

// chmodAt changes the mode of an entry; of a link it changes the link's own.
func chmodAt(dir int, name string, mode uint32) error {
	return unix.Fchmodat(dir, name, mode, unix.AT_SYMLINK_NOFOLLOW)
}

// canSyncTogether: no call writes a whole filesystem to disk and waits for it.
const canSyncTogether = false

func syncTogether(int) error { return nil }
