package wasm

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule/meter"
)

// Stale lists the files of a compile cache that nobody needs: what is on record of binaries that keep does not want, by the
// BLAKE3 hash in hexadecimal, or of another version of the meter; code that no other record names; and what is
// left of compilations, directories after what is in them. Those of one that is running now are among them: leave the youngest alone.
func Stale(cacheDir string, keep func(hash string) bool) ([]string, error) {
	var stale, dirs []string
	needed := map[string]bool{}
	err := filepath.WalkDir(cacheDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(cacheDir, path)
		if err != nil {
			return err
		}
		sub, _, _ := strings.Cut(rel, string(filepath.Separator))
		hash, rest, _ := strings.Cut(d.Name(), "-")
		switch {
		case strings.HasPrefix(sub, asideDir) && d.IsDir():
			dirs = append(dirs, path)
			return nil
		case d.IsDir():
			return nil
		case strings.HasPrefix(sub, asideDir):
			stale = append(stale, path)
			return nil
		case sub != codeDir && sub != knownDir: // machine code is looked at below, the rest is of others
			return nil
		case !keep(hash), !strings.HasPrefix(rest, meter.Version+"-"):
			stale = append(stale, path)
			return nil
		case sub == knownDir:
			return nil
		}
		raw, err := os.ReadFile(path)
		if c, ok := parseCode(raw); ok {
			needed[filepath.Join(cacheDir, nativeDir, c.Native)] = true
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	native, err := filepath.Glob(filepath.Join(cacheDir, nativeDir, "*", "*"))
	for _, path := range native {
		if !needed[path] {
			stale = append(stale, path)
		}
	}
	slices.Reverse(dirs) // the walk comes to a directory before what is in it
	return append(stale, dirs...), err
}
