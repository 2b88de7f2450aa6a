package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/unicity-astrid/astrid-go/cmd/astrid-build/build"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

// TestNewCapsuleToPrompt goes the whole way of an author: a new project, its build, its
// installation into a running agent, and a prompt that uses its tool.
func TestNewCapsuleToPrompt(t *testing.T) {
	p := newPlace(t)
	cli.Stock(t, p.home)
	cli.Program(t, "astrid-build")
	t.Setenv("GOPROXY", "off")
	p.want(cli.ExitOK, "init --yes --distro astralis-min --provider offline")
	// The archive in the distribution may be older than its source.
	offline, err := build.Build(t.Context(), build.Options{Dir: "../../../distros/astralis/capsules/offline", Output: filepath.Join(p.cwd, "offline.capsule")})
	if err != nil {
		t.Fatal(err)
	}
	p.want(cli.ExitOK, "capsule install --yes "+offline.Path)
	p.serve()

	p.want(cli.ExitOK, "build new my-tool", "next: cd my-tool")
	project := filepath.Join(p.cwd, "my-tool")
	cmd := exec.Command("go", "test", "./...")
	cmd.Dir = project
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the project's own test: %v\n%s", err, out)
	}
	p.want(cli.ExitOK, "build my-tool", "dist/my-tool.capsule")
	p.want(cli.ExitOK, "capsule install ./my-tool --yes", "my-tool 0.1.0 is ready")
	if code, out, errs := p.run("", "-p", `use my_tool with {"name": "Ida"}`); code != cli.ExitOK || out != "Hello, Ida!\n" {
		t.Errorf("exit %d, %q, %s", code, out, errs)
	}
	p.want(cli.ExitOK, "capsule logs my-tool", "Greeting name=Ida")

	if err := os.Remove(filepath.Join(project, "main.go")); err != nil {
		t.Fatal(err)
	}
	p.want(cli.ExitError, "build my-tool")
	p.want(cli.ExitError, "capsule install ./my-tool --yes")
	p.want(cli.ExitOK, "capsule list", "my-tool")
}
