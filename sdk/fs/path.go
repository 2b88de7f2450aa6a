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
type hostError struct {
	host *abi.Error
	name string // of the file
}

// Error is what the host says without the operation and the file, which the fs.PathError around it has. The host's name
// for the file may be a shorter one: without the scheme, relative to the workspace.
func (e hostError) Error() string {
	for at := 0; ; {
		i := strings.Index(e.host.Message[at:], ": ")
		if i < 0 {
			return e.host.Message
		}
		at += i
		said := e.host.Message[:at]
		_, file, _ := strings.Cut(said, " ") // behind the operation
		if sameFile(e.name, said) || sameFile(e.name, file) {
			return e.host.Message[at+2:]
		}
		at += 2
	}
}

// sameFile tells whether a host may say that for the name.
func sameFile(name, said string) bool {
	_, rest, ok := strings.Cut(name, "://")
	if !ok {
		rest = name
	}
	rest = path.Clean("/" + rest)
	return said != "" && (said == name || said == "." && rest == "/" || strings.HasSuffix(rest, "/"+said))
}

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
		err = hostError{e, name}
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
