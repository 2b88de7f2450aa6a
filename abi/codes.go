package abi

import "fmt"

// Code is the outcome of a host call in the native convention.
type Code uint32

// Error codes. They are stable: new ones are only ever appended.
const (
	OK              Code = iota // the call succeeded
	CodeInvalid                 // a parameter is malformed; the message says which and how
	CodeDenied                  // the gate refused; the message names layer, rule and source
	CodeBudget                  // the gate refused because a budget is exhausted
	CodeDeferred                // nobody was there to ask; the action is queued for approval
	CodeAudit                   // the decision could not be recorded, so nothing was done
	CodeNotFound                // the thing named does not exist
	CodeExists                  // the thing named exists already
	CodeTooLarge                // a size limit is exceeded; the message says which
	CodeLimit                   // a count or rate limit is exceeded, that of recorded calls among them; try again later or free something
	CodeQueueFull               // a receiver's queue is full; the message names the receiver
	CodeHandle                  // no such handle, or it belongs to somebody else
	CodeTimeout                 // the operation did not finish in time
	CodeCanceled                // the call, session or capsule is being ended
	CodeClosed                  // the peer or stream is closed
	CodeIO                      // the operating system or the network reported an error
	CodeUnsupported             // this build or platform cannot do it; the message says what would
	CodeInternal                // a defect of the host; the message is safe to show
)

var codeNames = [...]string{
	"ok", "invalid", "denied", "budget", "deferred", "audit", "not_found", "exists", "too_large", "limit",
	"queue_full", "handle", "timeout", "canceled", "closed", "io", "unsupported", "internal",
}

// String returns the stable snake_case name of the code.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code_%d", uint32(c))
}

// Error is a failed host call.
type Error struct {
	Code    Code
	Message string
}

// Error returns the message of the host; the code is reached with errors.As or [Error.Is].
func (e *Error) Error() string { return e.Message }

// Is makes errors.Is(err, abi.ErrNotFound) and the like compare codes.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Message == "" && t.Code == e.Code
}

// Sentinels to compare with errors.Is: each matches any [Error] with its code.
var (
	ErrInvalid     error = &Error{Code: CodeInvalid}
	ErrDenied      error = &Error{Code: CodeDenied}
	ErrBudget      error = &Error{Code: CodeBudget}
	ErrDeferred    error = &Error{Code: CodeDeferred}
	ErrAudit       error = &Error{Code: CodeAudit}
	ErrNotFound    error = &Error{Code: CodeNotFound}
	ErrExists      error = &Error{Code: CodeExists}
	ErrTooLarge    error = &Error{Code: CodeTooLarge}
	ErrLimit       error = &Error{Code: CodeLimit}
	ErrQueueFull   error = &Error{Code: CodeQueueFull}
	ErrHandle      error = &Error{Code: CodeHandle}
	ErrTimeout     error = &Error{Code: CodeTimeout}
	ErrCanceled    error = &Error{Code: CodeCanceled}
	ErrClosed      error = &Error{Code: CodeClosed}
	ErrIO          error = &Error{Code: CodeIO}
	ErrUnsupported error = &Error{Code: CodeUnsupported}
	ErrInternal    error = &Error{Code: CodeInternal}
)

// Errorf makes an [Error] with a formatted message.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}
