package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Interrupted reports whether a crash interrupted a commit of the overlay with this state directory. NewOverlay finishes it.
func Interrupted(stateDir string) (bool, error) {
	_, err := os.Lstat(filepath.Join(stateDir, journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
