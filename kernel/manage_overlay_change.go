package kernel

import (
	"fmt"
	"io/fs"
	"path"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// listed leaves out the directories that came or went with something in them: what is in
// them is listed and says it all.
func listed(list []vfs.Change) []vfs.Change {
	parents := map[string]bool{}
	for _, c := range list {
		for p := path.Dir(c.Path); p != "." && !parents[p]; p = path.Dir(p) {
			parents[p] = true
		}
	}
	var out []vfs.Change
	for _, c := range list {
		implied := parents[c.Path] && (c.Op == vfs.Added && c.New.IsDir() || c.Op == vfs.Deleted && c.Old.IsDir())
		if !implied {
			out = append(out, c)
		}
	}
	return out
}

func changeInfo(c vfs.Change) abi.OverlayChange {
	out := abi.OverlayChange{Path: c.Path, Op: c.Op.String(), OldSize: c.OldSize, NewSize: c.NewSize}
	if c.Op != vfs.Added {
		out.OldKind, out.OldMode = kindOf(c.Old), fmt.Sprintf("%04o", c.Old.Perm())
	}
	if c.Op != vfs.Deleted {
		out.NewKind, out.NewMode = kindOf(c.New), fmt.Sprintf("%04o", c.New.Perm())
	}
	return out
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "file"
	case m.IsDir():
		return "directory"
	case m.Type() == fs.ModeSymlink:
		return "symlink"
	}
	return "special"
}

// page is the records of a list, cut to what one answer may hold.
func page(list []vfs.Change) []abi.OverlayChange {
	out := []abi.OverlayChange{}
	for _, c := range list[:min(len(list), abi.MaxOverlayPage)] {
		out = append(out, changeInfo(c))
	}
	return out
}

func conflictPage(list []vfs.Conflict) []abi.OverlayChange {
	out := []abi.OverlayChange{}
	for _, c := range list[:min(len(list), abi.MaxOverlayPage)] {
		change := changeInfo(c.Change)
		change.Conflict = c.Reason
		out = append(out, change)
	}
	return out
}
