package trust

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// Limits of what is said about a project's capsules.
const (
	MaxOffers  = 50   // that are listed
	maxEntries = 1000 // that are looked at
)

// OffersDir is where a project has capsules that can be installed from there, relative to the workspace.
const OffersDir = ".astrid/capsules"

// offerName is what a capsule's directory may be called. Others are left out: such a name could be an option, a path, or something
// that a terminal obeys.
var offerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Offers lists the capsules that a project offers, by the names of their directories, sorted. Nothing of them is read, loaded or
// trusted: a person installs one, or does not. Links are no offers.
func Offers(workspace string) ([]string, error) {
	root, err := os.OpenRoot(workspace)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dir, err := root.OpenFile(OffersDir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", OffersDir, workspace, err)
	}
	defer dir.Close()
	entries, err := dir.ReadDir(maxEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s in %s: %w", OffersDir, workspace, err)
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() || !offerName.MatchString(e.Name()) {
			continue
		}
		if fi, err := root.Lstat(path.Join(OffersDir, e.Name(), "Capsule.toml")); err == nil && fi.Mode().IsRegular() {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out[:min(len(out), MaxOffers)], nil
}

// told is the file that remembers which of a project's capsules were mentioned.
func (s Store) told(workspace string) string {
	return strings.TrimSuffix(s.file(workspace), ".json") + ".offers.json"
}

// Mention returns those of a project's capsules that were not mentioned yet, and remembers that they are now.
func (s Store) Mention(workspace string) ([]string, error) {
	if err := s.home.Apart(workspace); err != nil {
		return nil, err
	}
	offers, err := Offers(workspace)
	if err != nil || len(offers) == 0 {
		return nil, err
	}
	var known []string
	file := s.told(workspace)
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, &known)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w (remove it to be told again)", file, err)
	}
	fresh := slices.DeleteFunc(slices.Clone(offers), func(name string) bool { return slices.Contains(known, name) })
	if len(fresh) == 0 {
		return nil, nil
	}
	// Only what is there now: the list cannot grow with what comes and goes.
	if raw, err = json.Marshal(offers); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	return fresh, home.WriteFileAtomic(file, append(raw, '\n'), 0o600)
}
