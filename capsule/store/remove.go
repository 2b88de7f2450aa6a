package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// RemoveOptions changes what Remove does. The zero value refuses when others need the capsule and keeps the
// user's answers.
type RemoveOptions struct {
	Force   bool
	EnvFile string // also delete this file with the user's answers; "" keeps them
}

// Dependent is a capsule that would lose its only provider of an interface.
type Dependent struct {
	Name string
	Need capsule.Import
}

// NeededError refuses a removal. It lists who would break.
type NeededError struct {
	Name       string
	Dependents []Dependent
}

func (e *NeededError) Error() string {
	parts := make([]string, len(e.Dependents))
	for i, d := range e.Dependents {
		parts[i] = fmt.Sprintf("%s needs %s %s", d.Name, d.Need.Interface, d.Need.Requirement)
	}
	return fmt.Sprintf("capsule %s is the only provider: %s; remove those first, or use --force", e.Name, strings.Join(parts, ", "))
}

// Remove deletes an installed capsule. Its binary stays until Prune, because other stores may share it.
func (s *Store) Remove(ctx context.Context, name string, o RemoveOptions) error {
	if _, err := s.path(name); err != nil {
		return err
	}
	if _, err := s.Get(name); err != nil {
		return err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	target, err := s.Get(name)
	if err != nil {
		return err
	}
	if !o.Force {
		if err := s.needed(target); err != nil {
			return err
		}
	}
	// One rename takes the capsule away as a whole; Recover finishes an interrupted deletion.
	trash, err := os.MkdirTemp(s.Dir, stagingPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(trash)
	if err := os.Rename(target.Dir, filepath.Join(trash, name)); err != nil {
		return err
	}
	if err := capsule.SyncDir(s.Dir); err != nil {
		return err
	}
	if o.EnvFile != "" {
		if err := os.Remove(o.EnvFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// needed returns a *NeededError when a required import of another capsule has no provider besides target.
func (s *Store) needed(target Installed) error {
	all, err := List(append([]string{s.Dir}, s.Others...)...)
	if err != nil {
		return err
	}
	e := &NeededError{Name: target.Name}
	for _, dependent := range all {
		if dependent.Dir == target.Dir || dependent.Manifest == nil {
			continue
		}
		for _, need := range dependent.Manifest.Imports {
			if !need.Optional && exports(target, need) && !providedBy(all, need, target.Dir) {
				e.Dependents = append(e.Dependents, Dependent{dependent.Name, need})
			}
		}
	}
	if len(e.Dependents) == 0 {
		return nil
	}
	return e
}

func exports(i Installed, need capsule.Import) bool {
	if i.Manifest == nil {
		return false
	}
	for _, e := range i.Manifest.Exports {
		if e.Satisfies(need) {
			return true
		}
	}
	return false
}

// providedBy looks for a provider other than the one in the directory except. A capsule may satisfy itself.
func providedBy(all []Installed, need capsule.Import, except string) bool {
	for _, i := range all {
		if i.Dir != except && exports(i, need) {
			return true
		}
	}
	return false
}

// pruneAge protects files that an installation in another store has written and not yet recorded.
const pruneAge = time.Hour

// Prune deletes what Unreferenced lists, and returns what it deleted.
func (s *Store) Prune(dir string, stores []string) (removed []string, err error) {
	names, err := s.Unreferenced(dir, stores)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return removed, err
		}
		removed = append(removed, name)
	}
	return removed, nil
}

// Unreferenced lists the content-addressed files of dir (a BinDir or WitDir) that no capsule in the given
// stores records, and what interrupted writes have left there, all if older than an hour. stores must be all
// that share dir, those of other principals included, each after its Recover. It lists nothing when one of
// their records cannot be read.
func (s *Store) Unreferenced(dir string, stores []string) ([]string, error) {
	all, err := List(stores...)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, i := range all {
		if i.Meta == nil {
			return nil, fmt.Errorf("prune: %s: %w", i.Dir, i.Err)
		}
		used[i.Meta.WasmHash] = true
		for _, hash := range i.Meta.WitFiles {
			used[hash] = true
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		hash, _, _ := strings.Cut(e.Name(), ".")
		info, err := e.Info()
		abandoned := strings.HasPrefix(e.Name(), capsule.TempPrefix)
		if err != nil || !abandoned && (!capsule.ValidHash(hash) || used[hash]) || s.now().Sub(info.ModTime()) < pruneAge {
			continue
		}
		out = append(out, e.Name())
	}
	return out, nil
}
