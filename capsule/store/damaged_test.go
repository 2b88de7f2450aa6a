package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"testing"
)

// TestDamaged: a machine that cannot store what an archive holds does not make the archive a bad one.
func TestDamaged(t *testing.T) {
	for err, bad := range map[error]bool{
		io.ErrUnexpectedEOF: true, fmt.Errorf("gzip: invalid checksum"): true, &fs.PathError{Op: "open", Path: "x", Err: syscall.EEXIST}: true,
		&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}: false, &fs.PathError{Op: "open", Path: "x", Err: syscall.EMFILE}: false,
	} {
		if got := damaged(err); errors.Is(got, ErrBadPackage) != bad || !errors.Is(got, err) {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}
