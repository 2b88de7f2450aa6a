package vfs

import "errors"

// What can go wrong besides the operating system's own errors. Each is found with errors.Is in the error of an operation.
var (
	// ErrEscape: the name or a symbolic link on the way leads out of the root.
	ErrEscape = errors.New("path leads outside the root")
	// ErrReplaced: a link stands on the way of a name that had none (see OverlayVfs.Exact).
	ErrReplaced = errors.New("a link was put where there was none")
	// ErrName: the name has a NUL byte, is not UTF-8, or is longer than MaxName bytes.
	ErrName = errors.New("invalid file name")
	// ErrTooLarge: the file has more bytes than the caller's limit.
	ErrTooLarge = errors.New("file is too large")
	// ErrQuota: the write would take the upper layer over its quota.
	ErrQuota = errors.New("the session's changes exceed their quota; commit or discard some")
	// ErrReadOnly: the tree was opened read-only.
	ErrReadOnly = errors.New("the tree is read-only")
	// ErrSpecial: a device, FIFO or socket, which is never opened or copied.
	ErrSpecial = errors.New("not a regular file or directory")
	// ErrHardLink: opening for writing, or chmod, would change a second name of the file, which may lie outside the root.
	ErrHardLink = errors.New("the file has several hard links and is not written in place")
	// ErrOutside: the file has another name that is not in its tree, and others may not read it. See HardLinks.
	ErrOutside = errors.New("the file has another name (a hard link) outside and is not for everybody: put a copy in its place, or see workspace.hard_links in the configuration")
	// ErrTooManyOpen: the tree's handle limit is reached.
	ErrTooManyOpen = errors.New("too many open files")
	// ErrRoot: the operation makes no sense on the root itself.
	ErrRoot = errors.New("cannot operate on the root itself")
	// ErrClosed: the tree was closed.
	ErrClosed = errors.New("the tree is closed")
	// ErrConflict: the lower layer changed since the overlay covered it. Commit's error is a *ConflictError that wraps it.
	ErrConflict = errors.New("the workspace changed since the session started to change it")
	// ErrInUse: another OverlayVfs, perhaps of another process, has the upper directory open.
	ErrInUse = errors.New("the overlay is in use")
)
