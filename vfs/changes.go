package vfs

import "io/fs"

// Op is what happened to a path.
type Op uint8

// The operations a Change can be. A rename is a Deleted and an Added.
const (
	Added Op = iota + 1
	Modified
	Deleted
)

func (o Op) String() string {
	switch o {
	case Added:
		return "added"
	case Modified:
		return "modified"
	case Deleted:
		return "deleted"
	}
	return "unknown"
}

// Change is one difference between the workspace and what the overlay shows.
type Change struct {
	Path string // canonical, relative to the root
	Op   Op
	// Old and New have type and permission bits. Old is 0 when added, New when deleted. Different types mean that the path
	// was replaced by another kind of file.
	Old, New fs.FileMode
	// OldSize and NewSize are bytes; 0 for directories.
	OldSize, NewSize int64
}
