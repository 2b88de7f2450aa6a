package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// MarkReady makes the file that says that the daemon takes clients. It is empty.
func (h Home) MarkReady() error {
	if err := WriteFileAtomic(h.ReadyFile(), nil, 0o600); err != nil {
		return fmt.Errorf("mark the daemon ready: %w", err)
	}
	return nil
}

// ClearReady removes the file; it is no error if there is none.
func (h Home) ClearReady() error {
	if err := os.Remove(h.ReadyFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Ready tells whether the file is there. It may be left from a daemon that crashed: only with the lock held by someone
// (HolderOf) does it mean anything.
func (h Home) Ready() bool {
	info, err := os.Lstat(h.ReadyFile())
	return err == nil && info.Mode().IsRegular()
}
