package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Prefixes of what is in progress. A scan ignores every name that begins with a dot.
const (
	stagingPrefix = ".staging-" // not installed yet, or replaced already
	oldPrefix     = ".old-"     // the previous state, while the new one is moved into place
)

// Recover finishes what a crash interrupted: a previous state whose successor never arrived is put back, and
// leftovers are removed. Call it at start; an installation does the same first. It returns the names that it
// put back. While another process is changing the store, there is nothing to recover, and Recover returns at
// once.
func (s *Store) Recover() (restored []string, err error) {
	if _, err := os.Stat(s.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	unlock, err := s.tryLock()
	if errors.Is(err, errLocked) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unlock()
	return s.recoverLocked()
}

// recoverLocked is Recover for who holds the lock: everything that is in progress belongs to nobody.
func (s *Store) recoverLocked() (restored []string, err error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, e := range entries {
		path := filepath.Join(s.Dir, e.Name())
		if name, ok := strings.CutPrefix(e.Name(), oldPrefix); ok {
			target := filepath.Join(s.Dir, name)
			if _, err := os.Lstat(target); errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, os.Rename(path, target))
				restored = append(restored, name)
				continue
			}
		} else if !strings.HasPrefix(e.Name(), stagingPrefix) {
			continue
		}
		errs = append(errs, os.RemoveAll(path))
	}
	return restored, errors.Join(errs...)
}

// swap puts the staged directory in the place of target. On return the store holds the new state, or, with
// an error, the previous one.
func (s *Store) swap(staged, target string) error {
	if _, err := os.Lstat(target); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(staged, target)
	}
	if err := exchange(staged, target); err == nil {
		return nil // staged now holds the previous state, which the caller removes
	}
	return swapByRename(staged, target)
}

// swapByRename is for file systems that cannot exchange. A crash between the two renames leaves only the old
// state, under a name from which Recover restores it.
func swapByRename(staged, target string) error {
	old := filepath.Join(filepath.Dir(target), oldPrefix+filepath.Base(target))
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(target, old); err != nil {
		return err
	}
	if err := os.Rename(staged, target); err != nil {
		return errors.Join(err, os.Rename(old, target))
	}
	// The new state is in place; what is left of the old one, Recover removes too.
	_ = os.RemoveAll(old)
	return nil
}
