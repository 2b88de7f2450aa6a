//go:build unix && !linux && !darwin

package store

import (
	"errors"

	"golang.org/x/sys/unix"
)

// exchange is not available here; the caller renames twice.
func exchange(string, string) error { return errors.ErrUnsupported }

// syncTree asks for everything written so far to be made durable.
func syncTree(string) error { return unix.Sync() }
