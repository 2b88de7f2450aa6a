package store

import (
	"errors"
	"fmt"
	"maps"
	"os"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// Verify checks every byte of an installed capsule against what was recorded at its installation: the
// binary, each file, and that no file was added. The error joins all differences; each wraps ErrIntegrity.
func (s *Store) Verify(name string) error {
	i, err := s.Get(name)
	if err != nil {
		return err
	}
	if i.Err != nil {
		return i.Err
	}
	errs := []error{VerifyFiles(i.Dir, i.Meta)}
	if i.Manifest.Main() != nil {
		_, err := VerifyBinary(i.Dir, i.Manifest, i.Meta, s.BinDir)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// VerifyFiles checks the files beside meta.json, which include the manifest, scripts and programs, but not
// the WebAssembly binary. A record without file hashes is an error.
func VerifyFiles(dir string, meta *capsule.Meta) error {
	if len(meta.Files) == 0 {
		return fmt.Errorf("%s: %w: %s records no file hashes; install the capsule again", dir, ErrIntegrity, capsule.MetaName)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	found, err := hashTree(root)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", dir, ErrIntegrity, err)
	}
	delete(found, capsule.MetaName)
	if maps.Equal(found, meta.Files) {
		return nil
	}
	var errs []error
	for _, name := range differences(meta.Files, found) {
		switch want, have := meta.Files[name], found[name]; {
		case want == "":
			errs = append(errs, fmt.Errorf("%s: %w: %s was added", dir, ErrIntegrity, name))
		case have == "":
			errs = append(errs, fmt.Errorf("%s: %w: %s is missing", dir, ErrIntegrity, name))
		default:
			errs = append(errs, fmt.Errorf("%s: %w: %s has hash %s, %s records %s", dir, ErrIntegrity, name, have, capsule.MetaName, want))
		}
	}
	return errors.Join(errs...)
}
