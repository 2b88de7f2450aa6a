package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// foreign are the marks of projects that other tools build, with what their authors can do.
var foreign = []struct{ file, advice string }{
	{"Cargo.toml", "write a Capsule.toml beside it"},
	{"package.json", "build the module with an Extism JavaScript toolchain, put it where component.file says, and use --type wasm"},
	{"openclaw.plugin.json", "OpenClaw plugins are not supported; write a Capsule.toml"},
}

// detect decides how to build, or checks the wish of the caller.
func detect(dir string, m *capsule.Manifest, wish Kind) (Kind, error) {
	switch {
	case wish == KindStatic && m.Main() != nil:
		return "", fmt.Errorf("%w: --type static, but the manifest has a component", ErrProject)
	case wish != "" && wish != KindStatic && m.Main() == nil:
		return "", fmt.Errorf("%w: --type %s, but the manifest has no [[component]]", ErrProject, wish)
	case wish == KindGo || wish == KindWasm || wish == KindStatic || wish == KindRust:
		return wish, nil
	case wish != "":
		return "", fmt.Errorf("%w: unknown project type %q: want go, rust, wasm, mcp or static", ErrProject, wish)
	case m.Main() == nil:
		return KindStatic, nil
	case hasGo(dir):
		return KindGo, nil
	case exists(filepath.Join(dir, "Cargo.toml")):
		return KindRust, nil
	case exists(filepath.Join(dir, filepath.FromSlash(m.Main().File))):
		return KindWasm, nil
	}
	for _, f := range foreign {
		if exists(filepath.Join(dir, f.file)) {
			return "", fmt.Errorf("%w: it has a %s: %s", ErrProject, f.file, f.advice)
		}
	}
	return "", fmt.Errorf("%w: %s has neither Go files nor %s", ErrProject, dir, m.Main().File)
}

// explainMissing adds what to do when there is no manifest.
func explainMissing(dir string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range foreign {
		if exists(filepath.Join(dir, f.file)) {
			return fmt.Errorf("%w: %s has a %s but no %s: %s", ErrProject, dir, f.file, capsule.ManifestName, f.advice)
		}
	}
	return fmt.Errorf("%w: %w", ErrProject, err)
}

func hasGo(dir string) bool {
	matches, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.go"))
	return err == nil && len(matches) > 0
}

// escapeGlob makes a directory name stand for itself in a pattern.
func escapeGlob(dir string) string {
	var out []rune
	for _, r := range dir {
		switch r {
		case '*', '?', '[', '\\':
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
