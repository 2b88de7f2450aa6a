package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// checkPath refuses what could mean something else on a command line or in a profile.
func checkPath(label, p string) error {
	switch {
	case !filepath.IsAbs(p):
		return fmt.Errorf("sandbox %s must be an absolute path, got: %s", label, p)
	case !utf8.ValidString(p):
		return fmt.Errorf("sandbox %s is not valid UTF-8: %q", label, p)
	case strings.ContainsAny(p, "\"\\\x00"):
		return fmt.Errorf("sandbox %s contains forbidden characters (double-quote, backslash, or null): %q", label, p)
	}
	return nil
}

// below reports whether p is dir or inside of it. Both are clean and absolute.
func below(p, dir string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && (rel == "." || filepath.IsLocal(rel))
}

// systemDirs is where children find programs and libraries. They are shown read only.
var systemDirs = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store"}

// fixedPath is searched after the directories of the user's PATH that children see.
var fixedPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// searchPath lists where programs are looked for: of the user's PATH what children see, and the usual places. A directory that
// a child could write to is not among them.
func (o *Options) searchPath() []string {
	var out []string
	add := func(dir string) {
		if filepath.IsAbs(dir) && !slices.Contains(out, dir) && o.shown(dir) {
			out = append(out, filepath.Clean(dir))
		}
	}
	for _, dir := range filepath.SplitList(lookupEnv(o.Environ, "PATH")) {
		add(dir)
	}
	for _, dir := range fixedPath {
		add(dir)
	}
	return out
}

// shown tells whether a directory is among the read-only ones, links in it followed.
func (o *Options) shown(dir string) bool {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil || below(real, o.Workspace) || slices.ContainsFunc(o.Hidden, func(h string) bool { return below(real, h) }) {
		return false
	}
	for _, list := range [][]string{systemDirs, o.Readable} {
		if slices.ContainsFunc(list, func(s string) bool { return below(real, s) }) {
			return true
		}
	}
	return false
}

// errNotFound is an fs.ErrNotExist with the name that was looked for.
type errNotFound struct{ name, where string }

func (e *errNotFound) Error() string {
	return fmt.Sprintf("program %q was not found in %s", e.name, e.where)
}
func (e *errNotFound) Is(target error) bool { return target == fs.ErrNotExist }

// Find resolves the name of a program that lies outside of the workspace. A name without a slash is looked for where children
// look; another one must be absolute. path is what is to be run, real the file behind all links. An error that matches
// fs.ErrNotExist says that children see no such program. With bare, children see all programs of the user.
func (o Options) Find(name string, bare bool) (path, real string, err error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if bare {
		o.Readable = []string{"/"}
	}
	if name == "" || strings.ContainsRune(name, 0) {
		return "", "", errors.New("the name of the program is empty or contains NUL")
	}
	candidates := []string{name}
	where := "the directories that programs see: " + strings.Join(systemDirs, " ")
	if !strings.Contains(name, "/") {
		candidates = nil
		dirs := o.searchPath()
		for _, dir := range dirs {
			candidates = append(candidates, filepath.Join(dir, name))
		}
		where = strings.Join(dirs, string(filepath.ListSeparator))
	}
	for _, c := range candidates {
		if !filepath.IsAbs(c) || filepath.Clean(c) != c || !o.shown(filepath.Dir(c)) {
			continue
		}
		real, err := filepath.EvalSymlinks(c)
		if err != nil || !o.shown(filepath.Dir(real)) {
			continue
		}
		if fi, err := os.Stat(real); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return c, real, nil
		}
	}
	return "", "", &errNotFound{name, where}
}
