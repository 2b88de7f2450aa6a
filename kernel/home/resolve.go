package home

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNoHome says that neither ASTRID_HOME nor HOME is set.
var ErrNoHome = fmt.Errorf("neither ASTRID_HOME nor HOME environment variable is set: set ASTRID_HOME to an absolute path (%w)", fs.ErrNotExist)

// ErrBadPath says that a path given from outside cannot be used as a home.
var ErrBadPath = errors.New("not usable as a home directory")

// Home is the daemon's home directory. The zero Home is not usable.
type Home struct{ root string }

// Resolve finds the home in the environment: ASTRID_HOME if it is set, even if to nothing, else HOME/.astrid.
// lookup is os.LookupEnv or a stand-in. The disk is not touched; see Ensure.
func Resolve(lookup func(string) (string, bool)) (Home, error) {
	if dir, ok := lookup("ASTRID_HOME"); ok {
		return fromVar("ASTRID_HOME", dir)
	}
	if dir, ok := lookup("HOME"); ok {
		h, err := fromVar("HOME", dir)
		if err != nil {
			return Home{}, err
		}
		return Home{root: filepath.Join(h.root, ".astrid")}, nil
	}
	return Home{}, ErrNoHome
}

// New makes a Home of an absolute path without "..".
func New(root string) (Home, error) { return fromVar("home", root) }

func fromVar(name, dir string) (Home, error) {
	switch {
	case strings.ContainsRune(dir, 0):
		return Home{}, fmt.Errorf("%s must not contain null bytes: %w", name, ErrBadPath)
	case !filepath.IsAbs(dir):
		return Home{}, fmt.Errorf("%s must be an absolute path, it is %q: %w", name, dir, ErrBadPath)
	case slices.Contains(strings.Split(dir, string(filepath.Separator)), ".."):
		return Home{}, fmt.Errorf("%s must not contain '..' path components, it is %q: %w", name, dir, ErrBadPath)
	case filepath.Clean(dir) == string(filepath.Separator) && name != "HOME":
		return Home{}, fmt.Errorf("%s must not be the root directory: %w", name, ErrBadPath)
	}
	return Home{root: filepath.Clean(dir)}, nil
}
