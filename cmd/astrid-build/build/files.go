package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/gobwas/glob"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

// project is one capsule on its way into an archive.
type project struct {
	dir      string
	manifest *capsule.Manifest
	text     []byte // of the manifest, if it was made here
	wasm     []byte
	extra    []store.File // made by the build
}

// files collects what goes into the archive: the manifest, the component, everything the manifest names, the
// interface files in wit/, and what package.include matches and package.exclude does not.
func (p *project) files() ([]store.File, error) {
	root, err := os.OpenRoot(p.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	names, err := p.named(root)
	if err != nil {
		return nil, err
	}
	if err := p.matched(root, names); err != nil {
		return nil, err
	}
	component := ""
	var out []store.File
	if p.wasm != nil {
		component = path.Clean(p.manifest.Main().File)
		out = append(out, store.File{Name: component, Data: p.wasm})
	}
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	sort.Strings(sorted)
	out = append(out, p.extra...)
	for _, name := range sorted {
		if name == component {
			continue
		}
		if slices.ContainsFunc(p.extra, func(f store.File) bool { return f.Name == name }) {
			return nil, fmt.Errorf("%w: %s is made by the build: give the file another name", ErrProject, name)
		}
		if name == capsule.ManifestName && p.text != nil {
			out = append(out, store.File{Name: name, Data: p.text})
			continue
		}
		f, err := read(root, name)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrProject, names[name], err)
		}
		out = append(out, f)
	}
	return out, nil
}

// named returns the files that the manifest refers to, each with where it does.
func (p *project) named(root *os.Root) (map[string]string, error) {
	m := p.manifest
	names := map[string]string{capsule.ManifestName: "the manifest"}
	add := func(file, why string) {
		if file != "" {
			names[path.Clean(file)] = why
		}
	}
	add(m.Package.LicenseFile, "package.license-file")
	add(m.Package.Readme, "package.readme")
	for _, f := range m.ContextFiles {
		add(f.File, "context_file "+f.Name)
	}
	for _, s := range m.Skills {
		add(s.File, "skill "+s.Name)
	}
	for _, c := range m.Commands {
		add(c.File, "command "+c.Name)
	}
	for _, t := range m.Topics {
		add(t.Schema, "schema of topic "+t.Name)
	}
	for _, s := range m.MCPServers {
		for _, word := range append([]string{s.Command}, s.Args...) {
			// A word that is a file of the project is one that the server needs: a program or a script.
			if capsule.LocalPath(word) == nil && isFile(root, word) {
				add(word, "mcp_server "+s.ID)
			}
		}
	}
	entries, err := fs.ReadDir(root.FS(), "wit")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if path.Ext(e.Name()) == ".wit" {
			add("wit/"+e.Name(), "interface file")
		}
	}
	return names, nil
}

// matched adds the files that package.include matches. Hidden directories and dist are never entered.
func (p *project) matched(root *os.Root, names map[string]string) error {
	include, err := globs("include", p.manifest.Package.Include)
	if err != nil {
		return err
	}
	exclude, err := globs("exclude", p.manifest.Package.Exclude)
	if err != nil || len(include) == 0 {
		return err
	}
	return fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && name != "." && (strings.HasPrefix(e.Name(), ".") || name == "dist") {
			return fs.SkipDir
		}
		if e.IsDir() || !anyMatch(include, name) || anyMatch(exclude, name) {
			return nil
		}
		if _, ok := names[name]; !ok {
			names[name] = "package.include"
		}
		return nil
	})
}

func globs(key string, patterns []string) ([]*glob.Pattern, error) {
	var out []*glob.Pattern
	for _, pattern := range patterns {
		g, err := glob.Compile(strings.TrimPrefix(pattern, "./"), '/')
		if err != nil {
			return nil, fmt.Errorf("%w: package.%s %q: %w", ErrProject, key, pattern, err)
		}
		out = append(out, g)
	}
	return out, nil
}

func anyMatch(list []*glob.Pattern, name string) bool {
	for _, g := range list {
		if g.Match(name) {
			return true
		}
	}
	return false
}

func isFile(root *os.Root, name string) bool {
	info, err := root.Lstat(path.Clean(name))
	return err == nil && info.Mode().IsRegular()
}

func read(root *os.Root, name string) (store.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return store.File{}, fmt.Errorf("%s is missing: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return store.File{}, fmt.Errorf("%s is not a regular file", filepath.ToSlash(name))
	}
	data, err := root.ReadFile(name)
	return store.File{Name: name, Data: data, Executable: info.Mode()&0o100 != 0}, err
}
