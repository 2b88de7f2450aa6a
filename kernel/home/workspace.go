package home

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"
)

// Workspace is a project folder, $W. What lies in its .astrid comes with the project, from whoever wrote it.
type Workspace struct{ root string }

// NewWorkspace makes a Workspace of an absolute path.
func NewWorkspace(root string) (Workspace, error) {
	if !filepath.IsAbs(root) {
		return Workspace{}, fmt.Errorf("workspace must be an absolute path, it is %q: %w", root, ErrBadPath)
	}
	return Workspace{root: filepath.Clean(root)}, nil
}

// DetectWorkspace walks up from an absolute path to the nearest folder that has .astrid, .git or ASTRID.md; without one it is
// start itself. The daemon's own home does not make a project of the folder it lies in.
func DetectWorkspace(start string, h Home) (Workspace, error) {
	w, err := NewWorkspace(start)
	if err != nil {
		return Workspace{}, err
	}
	for dir := w.root; ; {
		dot := filepath.Join(dir, ".astrid")
		if info, err := os.Stat(dot); err == nil && info.IsDir() && !h.is(info) {
			return Workspace{root: dir}, nil
		}
		for _, name := range []string{".git", "ASTRID.md"} {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				return Workspace{root: dir}, nil
			}
		}
		up := filepath.Dir(dir)
		if up == dir {
			return w, nil
		}
		dir = up
	}
}

func (h Home) is(dir fs.FileInfo) bool {
	own, err := os.Stat(h.root)
	return err == nil && os.SameFile(own, dir)
}

// Root is $W itself.
func (w Workspace) Root() string { return w.root }

// Dir is $W/.astrid.
func (w Workspace) Dir() string { return filepath.Join(w.root, ".astrid") }

// ConfigFile is the project's configuration, which may only tighten.
func (w Workspace) ConfigFile() string { return filepath.Join(w.Dir(), "config.toml") }

// CapsulesDir holds the capsules that are installed for the project.
func (w Workspace) CapsulesDir() string { return filepath.Join(w.Dir(), "capsules") }

// IDFile names the project for the state that is kept about it, see ID.
func (w Workspace) IDFile() string { return filepath.Join(w.Dir(), "workspace-id") }

// ID returns the workspace's UUID and makes one, with .astrid, if there is none. A file that holds something else is an error, not
// replaced: a new id would cut the link to the state that the old one names.
func (w Workspace) ID() (uuid.UUID, error) {
	if err := os.Mkdir(w.Dir(), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return uuid.Nil, explain("create", w.Dir(), err)
	}
	id, err := w.readID()
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	// Link a complete file to the name: of two processes one wins, and both read what it wrote.
	tmp, err := os.CreateTemp(w.Dir(), ".workspace-id.tmp-*")
	if err != nil {
		return uuid.Nil, explain("write", w.IDFile(), err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(uuid.NewString())
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return uuid.Nil, explain("write", w.IDFile(), err)
	}
	if err := os.Link(tmp.Name(), w.IDFile()); err != nil && !errors.Is(err, fs.ErrExist) {
		return uuid.Nil, explain("write", w.IDFile(), err)
	}
	return w.readID()
}

func (w Workspace) readID() (uuid.UUID, error) {
	raw, err := os.ReadFile(w.IDFile())
	if err != nil {
		return uuid.Nil, explain("read", w.IDFile(), err)
	}
	id, err := uuid.ParseBytes(bytes.TrimSpace(raw))
	if err != nil {
		return uuid.Nil, &Error{Path: w.IDFile(), Problem: fmt.Sprintf("it holds %.40q, which is no UUID", raw),
			Fix: "restore it, or remove it to begin with an empty state", Err: err}
	}
	return id, nil
}
