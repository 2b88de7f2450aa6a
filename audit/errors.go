package audit

import (
	"errors"
	"fmt"
)

// Errors to compare with errors.Is.
var (
	// ErrInvalid marks a draft, entry id or principal that does not follow the format.
	ErrInvalid = errors.New("invalid audit entry")
	// ErrTooLarge marks a draft field over its limit. Nothing was recorded.
	ErrTooLarge = errors.New("audit entry too large")
	// ErrFormat marks bytes that are not one canonical entry or head.
	ErrFormat = errors.New("not an audit entry")
	// ErrNotFound marks an id no chain holds.
	ErrNotFound = errors.New("audit entry not found")
	// ErrNoAnchor is what an [Anchor] returns when it holds no head for a principal.
	ErrNoAnchor = errors.New("no audit anchor")
	// ErrBroken marks a chain whose tail contradicts its anchor, or whose entries contradict each other.
	ErrBroken = errors.New("audit chain broken")
	// ErrFailed marks a chain whose store, anchor or signer failed. See [Log.Append] for how long.
	ErrFailed = errors.New("audit log failed")
	// ErrClosed marks use of a log after [Log.Close].
	ErrClosed = errors.New("audit log closed")
	// ErrLocked marks a chain another process appends to.
	ErrLocked = errors.New("audit chain locked by another process")
)

// LineError is a line of a segment that is not an entry.
type LineError struct {
	Principal string
	File      string
	Line      int // from 1
	Err       error
}

func (e *LineError) Error() string {
	return fmt.Sprintf("audit: %s/%s line %d: %v", e.Principal, e.File, e.Line, e.Err)
}

func (e *LineError) Unwrap() error { return e.Err }
