package vfs

import (
	"fmt"
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
}

// Conflict is a path that both sides changed.
type Conflict struct {
	Change Change
	Reason string
}

// CommitResult is what a commit did.
type CommitResult struct {
	Committed []Change
	// Conflicts that OnConflict decided; their paths are in Committed too when it was Ours.
	Conflicts []Conflict
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
