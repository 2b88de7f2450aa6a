package fs

import (
	"io/fs"
	"path"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Join appends names to a path and keeps its scheme.
func Join(base string, names ...string) string {
	scheme, rest, ok := strings.Cut(base, "://")
	if !ok {
		return path.Join(append([]string{base}, names...)...)
	}
	return scheme + "://" + path.Join(append([]string{rest}, names...)...)
}

// hostError is a host's refusal that the standard library's error values match too.
type hostError struct{ host *abi.Error }

func (e hostError) Error() string { return e.host.Message }
func (e hostError) Unwrap() error { return e.host }

func (e hostError) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e.host.Code == abi.CodeNotFound
	case fs.ErrExist:
		return e.host.Code == abi.CodeExists
	case fs.ErrPermission:
		return e.host.Code == abi.CodeDenied || e.host.Code == abi.CodeBudget || e.host.Code == abi.CodeDeferred || e.host.Code == abi.CodeAudit
	case fs.ErrInvalid:
		return e.host.Code == abi.CodeInvalid
	}
	return false
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*abi.Error); ok {
		err = hostError{e}
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
