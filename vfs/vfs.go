package vfs

import (
	"io"
	"io/fs"
)

const (
	// MaxName is the longest name, in bytes, that an operation accepts (PATH_MAX, and the guest ABI's limit).
	MaxName = 4096
	// DefaultMaxOpen is the number of files a tree keeps open when its options do not say.
	DefaultMaxOpen = 64
	// DefaultReadLimit bounds ReadFile when the caller gives no limit: 50 MiB.
	DefaultReadLimit = 50 << 20

	// maxLinks is the number of symbolic links one name may pass, as in the kernel.
	maxLinks = 40
)

// Vfs is a tree of files below one root. The package comment states what names, links and errors mean.
type Vfs interface {
	// Open opens a regular file for reading. A directory is EISDIR.
	Open(name string) (File, error)
	// OpenFile opens with os.O_ flags; parents are not created. A copy-on-write tree copies the file up when flag writes.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Create is OpenFile with O_RDWR|O_CREATE|O_TRUNC and 0666.
	Create(name string) (File, error)
	// ReadFile returns the content, or ErrTooLarge beyond limit bytes. limit <= 0 means DefaultReadLimit.
	ReadFile(name string, limit int64) ([]byte, error)
	// WriteFile replaces the content or creates the file: a reader sees all of it or nothing. perm is for a new file, an old
	// one keeps its mode. Parents are created in an overlay, not in a host tree.
	WriteFile(name string, data []byte, perm fs.FileMode) error

	// Stat follows a final symbolic link, Lstat does not.
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	// ReadDir lists a directory sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	Readlink(name string) (string, error)

	// MkdirAll creates a directory and its parents; an existing directory is success.
	MkdirAll(name string, perm fs.FileMode) error
	// Remove deletes a file, a link (not its target) or an empty directory.
	Remove(name string) error
	// RemoveAll deletes a tree; a missing one is success.
	RemoveAll(name string) error
	// Rename moves a file, link or directory as rename(2) does. It does not follow a final link.
	Rename(oldname, newname string) error
	// Symlink creates newname with the given target text. A target that is absolute or climbs out of the root is ErrEscape.
	Symlink(target, newname string) error
	// Chmod sets the permission bits; set-id bits and the like are dropped.
	Chmod(name string, mode fs.FileMode) error

	// Resolve returns the absolute host path that name stands for, which is what a gate decides about: links are followed, the
	// last one too, and a tail that does not exist yet is kept. In an overlay it is the path in the workspace.
	Resolve(name string) (string, error)
	// Root returns the absolute, symlink-free host path of the root. Resolve's answers are below it.
	Root() string
	// Close releases the root. Open files stay usable.
	Close() error
}

// File is an open regular file.
type File interface {
	fs.File
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Seeker
	Name() string
	Truncate(size int64) error
	Sync() error
}

var (
	_ Vfs = (*HostVfs)(nil)
	_ Vfs = (*OverlayVfs)(nil)
)
