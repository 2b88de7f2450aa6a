package store

import (
	"fmt"
	"io"
	"os"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// InspectPath reads the manifest of a prepared directory or a .capsule file under all the rules of an
// installation, without installing anything, and returns the hash of the archive with it.
func InspectPath(source string) (*capsule.Manifest, string, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, "", fmt.Errorf("inspect: %w", err)
	}
	if info.IsDir() {
		return inspect(func(root *os.Root) (string, error) { return fillFromDir(source, root) })
	}
	f, err := os.Open(source)
	if err != nil {
		return nil, "", fmt.Errorf("inspect: %w", err)
	}
	defer f.Close()
	return InspectArchive(f)
}

// InspectArchive is InspectPath for a packed capsule from a stream.
func InspectArchive(r io.Reader) (*capsule.Manifest, string, error) {
	return inspect(func(root *os.Root) (string, error) { return fillFromArchive(r, root) })
}

func inspect(fill func(*os.Root) (string, error)) (*capsule.Manifest, string, error) {
	dir, err := os.MkdirTemp("", "astrid-inspect-")
	if err != nil {
		return nil, "", fmt.Errorf("inspect: %w", err)
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, "", fmt.Errorf("inspect: %w", err)
	}
	defer root.Close()
	hash, err := fill(root)
	if err != nil {
		return nil, "", fmt.Errorf("inspect: %w", err)
	}
	in := &installation{dir: dir, root: root}
	if err := in.loadManifest(); err != nil {
		return nil, "", fmt.Errorf("inspect: %w", err)
	}
	return in.manifest, hash, nil
}
