// Package vfs gives guests a file tree that they cannot leave.
//
// There are two trees. [HostVfs] is one directory of the host, written in place (home://, /tmp).
// [OverlayVfs] is a copy-on-write view of a workspace: the lower directory is read and never written by a guest,
// everything a guest changes lands in an upper directory, and [OverlayVfs.Commit] or [OverlayVfs.Discard] ends the session.
//
// The contract of both, in the order a caller meets it:
//
//   - A name is UTF-8, slash separated and relative to the root; "." is the root and a leading "/" is dropped. It is cleaned
//     before the disk is asked, so "a/../.env" is ".env" to the gate and to the tree alike. A name that leaves the root is
//     [ErrEscape]; NUL, invalid UTF-8 and more than [MaxName] bytes are [ErrName].
//   - Symbolic links are followed while they stay inside. A link with an absolute target, or one that climbs out, is
//     [ErrEscape], even when its target happens to lie inside.
//   - Only regular files and directories can be opened. Devices, FIFOs and sockets are [ErrSpecial], without blocking.
//   - Errors are *fs.PathError or *os.LinkError with the caller's spelling of the name, and errors.Is finds fs.ErrNotExist,
//     fs.ErrExist, fs.ErrPermission, the sentinels of this package and the errno.
//   - Everything may be called from many goroutines.
//
// # The layers on disk
//
// The upper directory is a valid Linux overlayfs upper directory for a mount with the userxattr option: a deletion is a
// character device 0/0, a directory that hides the lower one has the attribute user.overlay.opaque=y. So a sandboxed child
// can be given the same view by the kernel, and what it writes is part of the same diff. Nothing about the tree is cached
// between calls, because the kernel may have written since. What overlayfs does not know (what a lower file looked like
// when it was first covered, the commit journal, staging files) lives in the state directory beside it.
//
// Where mknod is not permitted a deletion is an empty file with user.overlay.whiteout=y in a directory marked
// user.overlay.opaque=x: a kernel mount hides its content but, in an upper layer, may list its name (seen with Linux 6.18).
// Where there are no extended attributes either, deletions and opaque directories are files that hold a secret token: the
// view is the same, but only OverlayVfs understands it. [OverlayVfs.Format] tells.
//
// A checkpoint is a copy of the upper layer and of its records in the state directory. Restoring one names it in a file, empties the
// upper layer and copies it back; a crash in between is finished at the next [NewOverlay].
//
// # Questions
//
// Why does the overlay not use os.Root? A link in one layer may point to what the other layer covers, so links must be followed
// in the merged view. The walk opens one component at a time with O_NOFOLLOW, as os.Root does, and follows links itself.
//
// Why does a file with several hard links refuse to be opened for writing and chmod (HostVfs), or get a copy of its own (OverlayVfs)? The
// other name may lie outside the root, and nothing on the file tells where. Commit replaces a name and leaves others alone.
//
// Why is a file with several hard links read at times, and at times not? To read it is to read what the other name holds. All names
// of the workspace are counted to find out whether one is missing, so it is elsewhere. Trees of packages consist of such files, linked
// from a store, so what everybody on the machine may read is read; a private file is not, see [HardLinks]. The kernel knows nothing
// of that: [OverlayVfs.Outside] lists what a mount has to be covered at.
//
// How is a conflict found for what a sandboxed child wrote, which OverlayVfs did not see? By birth: overlayfs copies up into a
// new inode, so a workspace file whose ctime is older than the upper entry's birth has not changed since.
//
// What does a commit not keep? Hard links between files of the workspace (a replaced name gets a new inode) and attributes
// outside user.* and access control lists. A directory that a guest made unreadable cannot be committed by an unprivileged
// process until its mode is set back; it can be discarded.
package vfs
