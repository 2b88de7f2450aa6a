package scaffold_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/cmd/astrid-build/build"
	"github.com/unicity-astrid/astrid-go/cmd/astrid-build/scaffold"
)

func TestNewBuildsAndTestsOffline(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles")
	}
	var hashes []string
	for range 2 {
		dir := filepath.Join(t.TempDir(), "my-tool")
		files, err := scaffold.New(dir, "my-tool")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(files, "main_test.go") || !slices.Contains(files, ".gitignore") {
			t.Errorf("files of the author: %v", files)
		}
		for _, args := range [][]string{{"test", "./..."}, {"vet", "./..."}} {
			cmd := exec.Command("go", args...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("go %v: %v\n%s", args, err, out)
			}
		}
		r, err := build.Build(t.Context(), build.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if r.Manifest.ID() != "my-tool" || len(r.Manifest.Warnings) > 0 {
			t.Errorf("built %s, warnings %v", r.Manifest.ID(), r.Manifest.Warnings)
		}
		archive, err := os.ReadFile(r.Path)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, capsule.Hash(archive))
	}
	if hashes[0] != hashes[1] {
		t.Errorf("the same project in two folders gave %v", hashes)
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := scaffold.New(dir, "demo"); !errors.Is(err, scaffold.ErrExists) {
		t.Errorf("a directory with a file: %v", err)
	}
	for _, name := range []string{"", "..", "A", "a_b", "-a", "a/b"} {
		if _, err := scaffold.New(filepath.Join(dir, "new"), name); err == nil {
			t.Errorf("%q was taken for a name", name)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestNewFillsAnEmptyDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := scaffold.New(dir, "demo"); err != nil {
		t.Fatal(err)
	}
	if m, err := capsule.LoadManifest(filepath.Join(dir, capsule.ManifestName)); err != nil || m.ID() != "demo" {
		t.Errorf("manifest: %v, %v", m, err)
	}
}
