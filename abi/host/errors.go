package host

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// codes maps what the layers below return to the code the guest sees; first match wins.
var codes = []struct {
	err  error
	code abi.Code
}{
	{approval.ErrBudget, abi.CodeBudget},
	{approval.ErrDeferred, abi.CodeDeferred},
	{approval.ErrAuditFailed, abi.CodeAudit},
	{approval.ErrBraked, abi.CodeLimit},
	{approval.ErrDenied, abi.CodeDenied},
	{vfs.ErrEscape, abi.CodeDenied},
	{vfs.ErrReplaced, abi.CodeDenied},
	{vfs.ErrOutside, abi.CodeDenied},
	{vfs.ErrTooLarge, abi.CodeTooLarge},
	{vfs.ErrQuota, abi.CodeLimit},
	{fs.ErrNotExist, abi.CodeNotFound},
	{syscall.ENOTEMPTY, abi.CodeIO}, // which is an fs.ErrExist too
	{fs.ErrExist, abi.CodeExists},
	{fs.ErrInvalid, abi.CodeInvalid},
	{abi.ErrLimit, abi.CodeLimit},
	{context.DeadlineExceeded, abi.CodeTimeout},
	{context.Canceled, abi.CodeCanceled},
}

// toError gives err a code. The text is kept: layers below write texts that are safe to show.
func toError(err error) *abi.Error {
	var e *abi.Error
	if errors.As(err, &e) {
		return e
	}
	var full *ipc.QueueFullError
	if errors.As(err, &full) {
		return abi.Errorf(abi.CodeQueueFull, "%v", err)
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return abi.Errorf(c.code, "%v", err)
		}
	}
	return abi.Errorf(abi.CodeIO, "%v", err)
}
