package store

import (
	"fmt"
	"io"
	"os"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// Inspect reads the manifest of a prepared directory or a .capsule file under all the rules of an
// installation, without installing anything.
func Inspect(source string) (*capsule.Manifest, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	if info.IsDir() {
		return inspect(func(root *os.Root) error { return copyTree(source, root) })
	}
	f, err := os.Open(source)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	defer f.Close()
	return InspectArchive(f)
}

// InspectArchive is Inspect for a packed capsule from a stream.
func InspectArchive(r io.Reader) (*capsule.Manifest, error) {
	return inspect(func(root *os.Root) error { return unpack(r, root) })
}

func inspect(fill func(*os.Root) error) (*capsule.Manifest, error) {
	dir, err := os.MkdirTemp("", "astrid-inspect-")
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	defer root.Close()
	if err := fill(root); err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	in := &installation{dir: dir, root: root}
	if err := in.loadManifest(); err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	return in.manifest, nil
}
