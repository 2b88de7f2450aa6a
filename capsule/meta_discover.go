package capsule

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Discovery is what a scan found: manifests in scan order, and everything that could not be used.
type Discovery struct {
	Manifests []*Manifest
	Problems  []Problem
}

// Problem is a directory that should hold a capsule and does not.
type Problem struct {
	Dir string
	Err error
}

func (p Problem) Error() string { return fmt.Sprintf("%s: %v", p.Dir, p.Err) }

// Unwrap gives access to the cause.
func (p Problem) Unwrap() error { return p.Err }

// Discover scans directories of installed capsules, one level deep, in the given order and by name within
// each, so earlier directories win when Resolve finds a name twice. A directory that does not exist is empty.
// Names beginning with a dot belong to the store and are passed over. A capsule must be a real directory
// named after its package: a symbolic link, another name, or a missing or bad manifest is a Problem.
func Discover(dirs ...string) *Discovery {
	d := &Discovery{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			d.fail(dir, err)
		}
		for _, e := range entries {
			d.entry(dir, e)
		}
	}
	return d
}

func (d *Discovery) fail(dir string, err error) {
	d.Problems = append(d.Problems, Problem{dir, err})
}

func (d *Discovery) entry(dir string, e os.DirEntry) {
	path := filepath.Join(dir, e.Name())
	switch {
	case strings.HasPrefix(e.Name(), "."):
		return
	case e.Type()&fs.ModeSymlink != 0:
		d.fail(path, errors.New("a symbolic link is not an installed capsule; install it with astrid capsule install"))
		return
	case e.Name() == ManifestName:
		d.fail(dir, fmt.Errorf("%s lies in the directory of all capsules; move it to one of its own", ManifestName))
		return
	case !e.IsDir():
		return
	}
	m, err := LoadManifest(filepath.Join(path, ManifestName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.fail(path, fmt.Errorf("there is no %s", ManifestName))
	case err != nil:
		d.fail(path, err)
	case m.ID() != e.Name():
		d.fail(path, fmt.Errorf("the capsule is called %q, so its directory must be too", m.ID()))
	default:
		d.Manifests = append(d.Manifests, m)
	}
}
