package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// State keeps what a user wants of capsules besides having them installed: which are switched off, and which
// were removed while the daemon still has to take back their grants. Dir is StateDir below a principal's home.
//
// The daemon reads it at each load, so that a command works the same whether a daemon runs or not.
type State struct{ Dir string }

// StateDir is where the state is kept, below the principal's home.
const StateDir = ".config/capsules"

const (
	disabledSuffix = ".disabled"
	removedSuffix  = ".removed"
)

// Removal is a capsule that was removed, or is about to be. It is written before the capsule goes, so that no
// crash leaves grants behind for the next capsule of that name.
type Removal struct {
	Name string `json:"name"`
	// InstalledAt identifies the installation: while it is still there, the record means nothing.
	InstalledAt time.Time `json:"installed_at"`
	RemovedAt   time.Time `json:"removed_at"`
	Purge       bool      `json:"purge,omitempty"` // its stored data goes too
}

func (s State) path(name, suffix string) (string, error) {
	if err := capsule.ValidName(name); err != nil {
		return "", err
	}
	return filepath.Join(s.Dir, name+suffix), nil
}

func (s State) write(name, suffix string, data []byte) error {
	path, err := s.path(name, suffix)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	return capsule.WriteFileAtomic(path, data, 0o600)
}

// drop removes a mark; one that is not there is no error.
func (s State) drop(name, suffix string) error {
	path, err := s.path(name, suffix)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// names lists the capsules that bear a mark.
func (s State) names(suffix string) ([]string, error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if ok && capsule.ValidName(name) == nil {
			out = append(out, name)
		}
	}
	return out, nil
}

// Disable keeps a capsule from being loaded; it stays installed.
func (s State) Disable(name string) error { return s.write(name, disabledSuffix, nil) }

// Enable takes back Disable.
func (s State) Enable(name string) error { return s.drop(name, disabledSuffix) }

// Disabled lists the capsules that are switched off.
func (s State) Disabled() (map[string]bool, error) {
	names, err := s.names(disabledSuffix)
	if err != nil {
		return nil, fmt.Errorf("disabled capsules: %w", err)
	}
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out, nil
}

// SaveRemoval records that a capsule is about to be removed.
func (s State) SaveRemoval(r Removal) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.write(r.Name, removedSuffix, b)
}

// DropRemoval forgets a removal that was settled, or did not happen.
func (s State) DropRemoval(name string) error { return s.drop(name, removedSuffix) }

// Removals lists what has not been settled yet. A damaged record counts as a removal that happened: taking
// back grants is the safe side.
func (s State) Removals() ([]Removal, error) {
	names, err := s.names(removedSuffix)
	if err != nil {
		return nil, fmt.Errorf("removed capsules: %w", err)
	}
	var out []Removal
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(s.Dir, n+removedSuffix))
		if err != nil {
			return nil, fmt.Errorf("removed capsules: %w", err)
		}
		var r Removal
		if json.Unmarshal(b, &r) != nil || r.Name != n {
			r = Removal{Name: n}
		}
		out = append(out, r)
	}
	return out, nil
}

// Of reports whether the removal is that of an installation that is still there.
func (r Removal) Of(i Installed) bool {
	return i.Meta != nil && !r.InstalledAt.IsZero() && i.Meta.InstalledAt.Equal(r.InstalledAt)
}
