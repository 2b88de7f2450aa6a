package home

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Workspace is a project folder, $W. What lies in its .astrid comes with the project, from whoever wrote it.
type Workspace struct{ root string }

// DetectWorkspace finds the project that a directory is part of, as git does: the nearest directory from there upwards that has
// .astrid or .git, else the nearest that has ASTRID.md, else the directory itself. ASTRID.md comes last so that a note in a
// subdirectory does not take it out of its project, whose rules may be stricter. The result is free of links.
//
// A directory above start is passed over where it cannot be the user's project: it holds Astrid's home or is the user's own home
// directory, as with dotfiles under git, or a stranger may have put the marker there, as in /tmp; see marked.
func DetectWorkspace(start string, h Home) (Workspace, error) {
	if !filepath.IsAbs(start) {
		return Workspace{}, fmt.Errorf("workspace %q must be an absolute path: %w", start, ErrBadPath)
	}
	dir, err := filepath.EvalSymlinks(start)
	if err != nil {
		return Workspace{}, fmt.Errorf("workspace: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return Workspace{}, fmt.Errorf("workspace: %w", err)
	}
	if !info.IsDir() {
		return Workspace{}, fmt.Errorf("workspace %s is not a directory", start)
	}
	trusted := []uint32{uint32(os.Geteuid()), 0, owner(info)}
	found, noted := dir, false
	for above := false; !above || !h.ends(dir); above, dir = true, filepath.Dir(dir) {
		switch {
		case marked(dir, ".astrid", above, trusted), marked(dir, ".git", above, trusted):
			return Workspace{root: dir}, nil
		case !noted && marked(dir, "ASTRID.md", above, trusted):
			found, noted = dir, true
		}
	}
	return Workspace{root: found}, nil
}

// marked tells whether a directory has a marker. One above the start makes a project only if no stranger put it there: it and its
// directory belong to the same one, who is the user, root or the owner of the start.
func marked(dir, name string, above bool, trusted []uint32) bool {
	marker, err := os.Lstat(filepath.Join(dir, name))
	if err != nil || !above {
		return err == nil
	}
	info, err := os.Stat(dir)
	return err == nil && owner(info) == owner(marker) && slices.Contains(trusted, owner(info))
}

func owner(info fs.FileInfo) uint32 {
	return info.Sys().(*syscall.Stat_t).Uid
}

// ends tells whether the search is over: a directory is, or holds, Astrid's home or the user's, as the root directory always does.
func (h Home) ends(dir string) bool {
	ends := []string{h.root}
	if user, err := os.UserHomeDir(); err == nil {
		ends = append(ends, user)
	}
	for _, end := range ends {
		for _, p := range []string{end, resolved(end)} {
			if rel, err := filepath.Rel(dir, p); err == nil && filepath.IsLocal(rel) {
				return true
			}
		}
	}
	return false
}

// Apart refuses a workspace that holds Astrid's home, or lies in it: an agent must not get at keys and audit log by the
// directory that somebody happens to be in.
func (h Home) Apart(workspace string) error {
	for _, root := range []string{h.root, resolved(h.root)} {
		for _, pair := range [][2]string{{workspace, root}, {root, workspace}} {
			if rel, err := filepath.Rel(pair[0], pair[1]); err == nil && filepath.IsLocal(rel) {
				return fmt.Errorf("%s cannot be a workspace, because Astrid's own home is %s: go to the directory of a project, or set ASTRID_HOME to another place", workspace, root)
			}
		}
	}
	return nil
}

// resolved follows links; what is not there yet stays as it is written.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// Root is $W itself.
func (w Workspace) Root() string { return w.root }

// Dir is $W/.astrid.
func (w Workspace) Dir() string { return filepath.Join(w.root, ".astrid") }

// ConfigFile is the project's configuration, which may only tighten.
func (w Workspace) ConfigFile() string { return filepath.Join(w.Dir(), "config.toml") }
