// Package scaffold makes new capsule projects.
//
// A new project is complete: one tool, a test of it, a manifest, and the source of the SDK
// in vendor, as "go mod vendor" would put it there. It builds and tests without a network
// and without this program.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	astrid "github.com/unicity-astrid/astrid-go"
	"github.com/unicity-astrid/astrid-go/capsule"
)

// ErrExists refuses to make a project where there is something already.
var ErrExists = errors.New("it exists already")

// The files of a project, as templates; their names end in .tmpl.
//
//go:embed project
var project embed.FS

// data is what the templates may use.
type data struct {
	Name    string // of the capsule
	Tool    string // of its tool: the name with underscores
	File    string // of its module
	Module  string // path of the SDK's module
	Version string // of the SDK's module
	Go      string // version of the language
}

// New makes the project of a capsule in dir, which must not exist or be empty, and returns
// the names of the files that are its author's, in order. A failure leaves nothing.
func New(dir, name string) ([]string, error) {
	if err := capsule.ValidName(name); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s: %w and is not empty", dir, ErrExists)
	}
	own, err := templates(name)
	if err != nil {
		return nil, err
	}
	vendored, err := vendor()
	if err != nil {
		return nil, err
	}
	if err := write(dir, own, vendored); err != nil {
		return nil, err
	}
	return sortedNames(own), nil
}

// write fills a directory beside dir and puts it in its place as a whole.
func write(dir string, sets ...map[string][]byte) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // after the rename there is nothing
	for _, files := range sets {
		for name, content := range files {
			target := filepath.Join(tmp, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(target, content, 0o644); err != nil {
				return err
			}
		}
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	// An empty directory gives way; it fails if somebody has put something in meanwhile.
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(tmp, dir)
}

func templates(name string) (map[string][]byte, error) {
	under := strings.ReplaceAll(name, "-", "_")
	d := data{Name: name, Tool: under, File: under + ".wasm", Module: astrid.Module, Version: version(), Go: astrid.GoVersion()}
	files := make(map[string][]byte)
	err := fs.WalkDir(project, "project", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		t, err := template.ParseFS(project, p)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, d); err != nil {
			return err
		}
		target := strings.TrimSuffix(strings.TrimPrefix(p, "project/"), ".tmpl")
		if target == "gitignore" {
			target = ".gitignore" // embedding leaves out names with a dot
		}
		files[target] = b.Bytes()
		return nil
	})
	return files, err
}

// version is the SDK's, as a module version.
func version() string { return "v" + capsule.RuntimeVersion.String() }

// vendor returns the SDK as "go mod vendor" lays it out.
func vendor() (map[string][]byte, error) {
	source, err := astrid.SDK()
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	packages := make(map[string][]byte)
	for name, content := range source {
		files["vendor/"+astrid.Module+"/"+name] = content
		packages[astrid.Module+"/"+path.Dir(name)] = nil
	}
	var list strings.Builder
	fmt.Fprintf(&list, "# %s %s\n## explicit; go %s\n", astrid.Module, version(), astrid.GoVersion())
	for _, p := range sortedNames(packages) {
		fmt.Fprintln(&list, p)
	}
	files["vendor/modules.txt"] = []byte(list.String())
	return files, nil
}

func sortedNames(files map[string][]byte) []string {
	var out []string
	for name := range files {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
