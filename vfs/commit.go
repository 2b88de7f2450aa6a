package vfs

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Policy is what Commit does about a path that changed in the workspace too.
type Policy uint8

const (
	// Refuse commits nothing and returns a *ConflictError. It is the default.
	Refuse Policy = iota
	// Ours overwrites the workspace with the overlay's version.
	Ours
	// Theirs keeps the workspace's version and discards the overlay's.
	Theirs
)

// CommitOptions says how to commit; the zero value commits everything or, at a conflict, nothing.
type CommitOptions struct {
	// Paths to commit, each with everything below it; empty means all.
	Paths []string
	// OnConflict decides about paths that changed in the workspace since the overlay covered them.
	OnConflict Policy
	// Before, if not nil, is told what is going to happen, before anything does; its error stops the commit and is returned. It
	// is not called when conflicts stop the commit or nothing is left to do. It must not use the overlay, which is locked.
	Before func(*CommitResult) error
	// Preview stops after Before, which need not fail then. It is possible while programs run in the tree, too.
	Preview bool
	// Keep, if not nil, names changes that do not happen, whatever a program wrote there. They are skipped.
	Keep func(Change) bool
}

// Conflict is a path that both sides changed.
type Conflict struct {
	Change Change
	Reason string
}

// CommitResult is what a commit did.
type CommitResult struct {
	Committed []Change
	// Conflicts that OnConflict decided.
	Conflicts []Conflict
	// Skipped stay in the overlay: what Keep names and directories that would be deleted around it, devices, FIFOs and sockets that a child made, and with Ours what appeared in a directory after
	// the overlay deleted it (a commit never deletes what the session did not see).
	Skipped []Change
}

// ConflictError lists the conflicts that stopped a commit. It wraps ErrConflict.
type ConflictError struct{ Conflicts []Conflict }

func (e *ConflictError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v:", ErrConflict)
	for i, c := range e.Conflicts {
		if i == 5 {
			fmt.Fprintf(&b, " and %d more", len(e.Conflicts)-i)
			break
		}
		fmt.Fprintf(&b, " %s (%s);", c.Change.Path, c.Reason)
	}
	b.WriteString(" commit with theirs or ours, or discard these paths")
	return b.String()
}

func (e *ConflictError) Unwrap() error { return ErrConflict }

// Commit applies changes to the workspace. It is all or nothing against crashes (a journal finishes it at the next NewOverlay) and
// each file is replaced at once: a reader of the workspace sees the old or the new one. Files keep mode and time. What was
// committed leaves the upper layer. It is ErrMounted while programs run in the tree.
func (v *OverlayVfs) Commit(o CommitOptions) (res *CommitResult, err error) {
	sel, err := v.selection("commit", o.Paths)
	if err != nil {
		return nil, err
	}
	run := v.layers
	if o.Preview {
		run = v.alone
	}
	var stopped error
	if before := o.Before; before != nil {
		o.Before = func(r *CommitResult) error {
			stopped = before(r)
			return stopped
		}
	}
	err = run("commit", func() (err error) {
		res, err = v.commit(sel, o)
		return err
	})
	if stopped != nil {
		err = stopped
	}
	return res, err
}

func (v *OverlayVfs) commit(sel selection, o CommitOptions) (*CommitResult, error) {
	all, err := v.changes(nil)
	if err != nil {
		return nil, err
	}
	res := &CommitResult{}
	var todo []Change
	var theirs selection
	chosen := withParents(all, sel)
	kept := keptPaths(chosen, o.Keep)
	for _, c := range chosen {
		if kept[c.Path] || (&stat{mode: c.New}).isSpecial() {
			res.Skipped = append(res.Skipped, c)
			continue
		}
		reason, err := v.conflict(c)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			res.Conflicts = append(res.Conflicts, Conflict{c, reason})
			if o.OnConflict == Theirs {
				theirs = append(theirs, c.Path)
				continue
			}
			if c.Op == Deleted && !v.base.has(c.Path) {
				res.Skipped = append(res.Skipped, c)
				continue
			}
		}
		todo = append(todo, c)
	}
	if len(res.Conflicts) > 0 && o.OnConflict == Refuse {
		return nil, &ConflictError{res.Conflicts}
	}
	if len(theirs) > 0 {
		todo = slices.DeleteFunc(todo, func(c Change) bool { return theirs.has(c.Path) })
	}
	if o.Before != nil && len(todo)+len(theirs) > 0 {
		res.Committed = todo
		if err := o.Before(res); err != nil {
			return nil, err
		}
		if o.Preview {
			return res, nil
		}
		res.Committed = nil
	}
	if o.Preview {
		return res, nil
	}
	if len(theirs) > 0 {
		if err := v.discard(theirs); err != nil {
			return nil, err
		}
	}
	if len(todo) == 0 {
		return res, nil
	}
	j, err := v.plan(todo)
	if err != nil {
		return nil, err
	}
	if err := v.run(j); err != nil {
		return nil, err
	}
	res.Committed = todo
	return res, nil
}

// keptPaths are the changes that do not happen because of Keep: those it names, and the end of a directory above one.
func keptPaths(list []Change, keep func(Change) bool) map[string]bool {
	if keep == nil {
		return nil
	}
	kept := map[string]bool{}
	for _, c := range list {
		if !keep(c) {
			continue
		}
		kept[c.Path] = true
		for p := path.Dir(c.Path); p != "."; p = path.Dir(p) {
			kept[p+"/"] = true
		}
	}
	for _, c := range list {
		if c.Old.IsDir() && !c.New.IsDir() && kept[c.Path+"/"] {
			kept[c.Path] = true
		}
	}
	return kept
}

// withParents returns the selected changes and the new directories that they need.
func withParents(all []Change, sel selection) []Change {
	needed := map[string]bool{}
	for _, c := range all {
		if c.Op == Deleted || !sel.has(c.Path) {
			continue
		}
		for p := path.Dir(c.Path); p != "."; p = path.Dir(p) {
			needed[p] = true
		}
	}
	var out []Change
	for _, c := range all {
		newDir := c.New.IsDir() && !c.Old.IsDir()
		if sel.has(c.Path) || newDir && needed[c.Path] {
			out = append(out, c)
		}
	}
	return out
}
