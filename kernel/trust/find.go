package trust

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/zeebo/blake3"
)

// Limits of what can be trusted.
const (
	MaxFiles = 500
	MaxFile  = 1 << 20 // bytes
	MaxBytes = 8 << 20 // of all files: they are read at each prompt
)

// File is a file that addresses agents.
type File struct {
	Path string `json:"path"` // relative to the workspace, with slashes
	Size int64  `json:"size"` // bytes
	Hash string `json:"hash"` // BLAKE3 in hexadecimal; empty when any content will do
}

const memoryFile = ".astrid/memory.md"

var notAsked = []string{".astrid/config.toml", OffersDir}

// Find lists the files of a workspace that address agents, sorted by path.
func Find(workspace string) ([]File, error) {
	root, err := os.OpenRoot(workspace)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var out []File
	total := int64(0)
	add := func(name string) error {
		if len(out) == MaxFiles {
			return fmt.Errorf("%s has more than %d files for agents", workspace, MaxFiles)
		}
		f, err := look(root, name)
		if err != nil {
			return fmt.Errorf("%s in %s: %w", name, workspace, err)
		}
		if total += f.Size; total > MaxBytes {
			return fmt.Errorf("%s has more than %d bytes of files for agents", workspace, MaxBytes)
		}
		out = append(out, f)
		return nil
	}
	for _, name := range []string{"AGENTS.md", "ASTRID.md"} {
		if _, err := root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := add(name); err != nil {
			return nil, err
		}
	}
	for _, dir := range []string{".agents", ".astrid"} {
		if _, err := root.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err := fs.WalkDir(root.FS(), dir, func(p string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case slices.Contains(notAsked, p) && d.IsDir():
				return fs.SkipDir
			case d.IsDir() || slices.Contains(notAsked, p):
				return nil
			}
			return add(p)
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// Added lists something that a tree has where Find looks, whatever it is, except memory. It is for a layer above a workspace:
// what is there hides the workspace's own.
func Added(root *os.Root) ([]string, error) {
	var out []string
	for _, name := range []string{"AGENTS.md", "ASTRID.md", ".agents", ".astrid"} {
		fi, err := root.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		case !fi.IsDir():
			out = append(out, name)
			continue
		}
		err = fs.WalkDir(root.FS(), name, func(p string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case slices.Contains(notAsked, p) && d.IsDir():
				return fs.SkipDir
			case !d.IsDir() && p != memoryFile && !slices.Contains(notAsked, p):
				out = append(out, p)
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Read returns the text of a file that Find has listed.
func Read(workspace, name string) ([]byte, error) {
	root, err := os.OpenRoot(workspace)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return read(root, name)
}

// read follows links that stay in the workspace, as agents do, and blocks at nothing.
func read(root *os.Root, name string) ([]byte, error) {
	f, err := root.OpenFile(path.Clean(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, err
	}
	defer f.Close()
	switch fi, err := f.Stat(); {
	case err != nil:
		return nil, err
	case !fi.Mode().IsRegular():
		return nil, errors.New("it is not a file, and does not lead to one")
	case fi.Size() > MaxFile:
		return nil, fmt.Errorf("it has %d bytes, at most %d are trusted", fi.Size(), MaxFile)
	}
	return io.ReadAll(io.LimitReader(f, MaxFile))
}

func look(root *os.Root, name string) (File, error) {
	text, err := read(root, name)
	if err != nil {
		return File{}, err
	}
	f := File{Path: name, Size: int64(len(text))}
	if name != memoryFile {
		sum := blake3.Sum256(text)
		f.Hash = hex.EncodeToString(sum[:])
	}
	return f, nil
}
