package distro

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

// ErrNoSource is wrapped when a Source does not have a capsule.
var ErrNoSource = errors.New("no source for this capsule")

// Source finds the package of an entry. It is asked at least twice for each, and gives the same.
type Source interface {
	Open(ctx context.Context, e Entry) (Package, error)
}

// Package is a capsule ready to install: a directory or a .capsule file at Path, or a stream of an archive,
// which is closed after use; or nothing but the hash of its archive, because that is what is installed.
type Package struct {
	Path      string
	Archive   io.ReadCloser
	Installed string
}

func (p Package) install(ctx context.Context, s *store.Store, o store.InstallOptions) (store.Installed, error) {
	if p.Archive == nil {
		return s.InstallPath(ctx, p.Path, o)
	}
	defer p.Archive.Close()
	return s.InstallArchive(ctx, p.Archive, o)
}

func (p Package) inspect() (m *capsule.Manifest, archiveHash string, err error) {
	if p.Archive == nil {
		return store.InspectPath(p.Path)
	}
	defer p.Archive.Close()
	return store.InspectArchive(p.Archive)
}

// Archives is a Source over a file tree with <name>.capsule files, such as one embedded in the program. What
// an entry calls its source does not matter.
func Archives(fsys fs.FS) Source { return archives{fsys} }

type archives struct{ fsys fs.FS }

func (a archives) Open(_ context.Context, e Entry) (Package, error) {
	f, err := a.fsys.Open(e.Name + store.ArchiveSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return Package{}, fmt.Errorf("%w: %s is not among the built-in archives", ErrNoSource, e.Name)
	}
	return Package{Archive: f}, err
}

// Directory is a Source for entries whose source is a path: absolute, or beginning with ./ or ../ and then
// relative to dir, the directory of the Distro.toml.
func Directory(dir string) Source { return directory(dir) }

type directory string

func (d directory) Open(_ context.Context, e Entry) (Package, error) {
	path := filepath.FromSlash(e.Source)
	switch {
	case filepath.IsAbs(path):
	case e.Source == "." || strings.HasPrefix(e.Source, "./") || strings.HasPrefix(e.Source, "../"):
		path = filepath.Join(string(d), path)
	default:
		return Package{}, fmt.Errorf("%w: %q is not a path", ErrNoSource, e.Source)
	}
	return Package{Path: path}, nil
}

// First is a Source that asks several in turn and takes the first that has the capsule.
func First(sources ...Source) Source { return first(sources) }

type first []Source

func (f first) Open(ctx context.Context, e Entry) (Package, error) {
	var reasons []error
	for _, s := range f {
		p, err := s.Open(ctx, e)
		if !errors.Is(err, ErrNoSource) {
			return p, err
		}
		reasons = append(reasons, err)
	}
	return Package{}, errors.Join(reasons...)
}
