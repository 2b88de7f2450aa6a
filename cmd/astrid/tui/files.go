package tui

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

const (
	// maxFiles and maxWalk bound the list of files that @ completes.
	maxFiles = 20000
	maxWalk  = 2 * time.Second
)

// skipped are directories that nobody mentions files of.
var skipped = map[string]bool{".git": true, "node_modules": true, ".astrid": true, "vendor": true, ".venv": true, "__pycache__": true, "target": true}

// listFiles lists the files below a directory, directories with a slash at their end. It
// follows no links and gives up quietly when there is too much: it is a convenience.
func listFiles(dir string) fileList {
	var out fileList
	end := time.Now().Add(maxWalk)
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // what cannot be read is not offered
		case len(out) >= maxFiles || time.Now().After(end):
			return fs.SkipAll
		case path == dir:
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || !offered(rel) {
			return nil
		}
		if e.IsDir() {
			if skipped[e.Name()] {
				return fs.SkipDir
			}
			rel += "/"
		}
		out = append(out, filepath.ToSlash(rel))
		return nil
	})
	return out
}

// offered tells whether a path can stand in a line as it is.
func offered(path string) bool { return printable(path) == path && !strings.ContainsAny(path, "\n\t") }

// with is the list after a session's changes.
func (f fileList) with(changes []abi.OverlayChange) fileList {
	known, gone := map[string]bool{}, map[string]bool{}
	for _, p := range f {
		known[strings.TrimSuffix(p, "/")] = true
	}
	out := slices.Clone(f)
	for _, c := range changes {
		switch {
		case c.NewKind == "":
			gone[c.Path] = true
		case !known[c.Path] && offered(c.Path) && !slices.ContainsFunc(strings.Split(c.Path, "/"), func(n string) bool { return skipped[n] }):
			if c.NewKind == "directory" {
				c.Path += "/"
			}
			out = append(out, c.Path)
		}
	}
	return slices.DeleteFunc(out, func(p string) bool {
		for i, r := range p + "/" { // it, or a directory that it was in
			if r == '/' && gone[p[:i]] {
				return true
			}
		}
		return false
	})
}
