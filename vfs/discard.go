package vfs

import (
	"maps"
	"path"

	"golang.org/x/sys/unix"
)

// Discard forgets changes: each path, with everything below it, is again as the workspace has it. No paths means all changes.
// The workspace is not touched. It is ErrMounted while programs run in the tree.
func (v *OverlayVfs) Discard(paths ...string) error {
	sel, err := v.selection("discard", paths)
	if err != nil {
		return err
	}
	return v.layers("discard", func() error {
		if len(sel) == 0 {
			sel = selection{"."}
		}
		return v.discard(sel)
	})
}

func (v *OverlayVfs) discard(sel selection) error {
	for _, p := range sel {
		if p == "." {
			if err := v.discardAll(); err != nil {
				return err
			}
			continue
		}
		if err := v.expose(p, true); err != nil {
			return err
		}
		if err := v.discardEntry(p); err != nil {
			return err
		}
		if err := v.prune(path.Dir(p)); err != nil {
			return err
		}
	}
	var gone []string
	for p := range maps.Keys(v.base.recs) {
		if sel.has(p) {
			gone = append(gone, p)
		}
	}
	return v.base.drop(gone...)
}

// discardEntry deletes the upper entry at p.
func (v *OverlayVfs) discardEntry(p string) error {
	up, err := descend(v.up, path.Dir(p))
	if err != nil {
		return ignoreGone(err)
	}
	defer unix.Close(up)
	st, err := statAt(up, path.Base(p))
	if err != nil {
		return ignoreGone(err)
	}
	if !st.isDir() {
		return v.unlinkUp(up, path.Base(p))
	}
	old, err := v.moveOut(up, path.Base(p))
	if err != nil {
		return err
	}
	return removeTree(v.stage, old)
}

func (v *OverlayVfs) discardAll() error {
	names, err := namesAt(v.up)
	for _, name := range names {
		if err == nil {
			err = v.discardEntry(name)
		}
	}
	return err
}
