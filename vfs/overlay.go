package vfs

import (
	"errors"
	"time"
)

// OverlayOptions tunes an overlay; the zero value has no quota and DefaultMaxOpen handles.
type OverlayOptions struct {
	// StateDir holds what overlayfs has no place for; "" means upperDir + ".state". It must be on the upper's filesystem.
	StateDir string
	// Quota bounds the content bytes of the upper layer; 0 means no bound. A write over it is ErrQuota.
	Quota int64
	// MaxOpen bounds the files open at one time; 0 means DefaultMaxOpen.
	MaxOpen int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// OverlayVfs is a copy-on-write view of a workspace.
type OverlayVfs struct{ Vfs }

// NewOverlay opens the overlay of lower and upperDir, creating upperDir when it does not exist.
func NewOverlay(lower, upperDir string, o OverlayOptions) (*OverlayVfs, error) {
	return nil, errors.ErrUnsupported
}

// UpperDir is the overlayfs upper directory, WorkDir a directory for the same mount's workdir, LowerDir the workspace.
func (v *OverlayVfs) UpperDir() string { return "" }

// WorkDir see UpperDir.
func (v *OverlayVfs) WorkDir() string { return "" }

// Changes lists the differences to the workspace, sorted by path.
func (v *OverlayVfs) Changes(paths ...string) ([]Change, error) { return nil, errors.ErrUnsupported }

// Diff is the unified text diff of the given paths, or of everything.
func (v *OverlayVfs) Diff(paths ...string) (string, error) { return "", errors.ErrUnsupported }

// Commit applies changes to the workspace.
func (v *OverlayVfs) Commit(o CommitOptions) (*CommitResult, error) { return nil, errors.ErrUnsupported }

// Discard forgets changes, with everything below each path; no paths means all.
func (v *OverlayVfs) Discard(paths ...string) error { return errors.ErrUnsupported }
