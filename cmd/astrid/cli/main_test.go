package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/unicity-astrid/astrid-go/distros"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/testdata/compiled"
)

// Run is run for tests outside of the package.
var Run = run

// scratch holds what tests share: it is made once, by the first that needs it.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "astrid-cli-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// Scratch is a directory of a name in it.
func Scratch(name string) (string, error) {
	dir := filepath.Join(scratch, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// Program builds a program of this module and puts it on the test's PATH.
func Program(t *testing.T, name string) (path string) {
	t.Helper()
	build, _ := programs.LoadOrStore(name, sync.OnceValues(func() (string, error) {
		dir, err := Scratch("programs/" + name)
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, name)
		if text, err := exec.Command("go", "build", "-o", path, "../../"+name).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w: %s", err, text)
		}
		return path, nil
	}))
	path, err := build.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(path)+":"+os.Getenv("PATH"))
	return path
}

var programs sync.Map // builders by name

// compiledStock is the compile cache of a home with the smallest distribution and all of its providers.
var compiledStock = sync.OnceValues(func() (string, error) {
	dir, err := Scratch("stock")
	if err != nil {
		return "", err
	}
	h, err := home.New(dir)
	if err != nil {
		return "", err
	}
	if err := compiled.Seed(h); err != nil {
		return "", err
	}
	var said bytes.Buffer
	code := Main([]string{"init", "--yes", "--distro", distros.Minimal, "--provider", "offline,openai-compat"}, System{
		Stdin: strings.NewReader(""), Stdout: &said, Stderr: &said,
		Getenv: func(name string) (string, bool) {
			v, ok := map[string]string{"ASTRID_HOME": dir, "ASTRID_SECRETS_STORE": "file"}[name]
			return v, ok
		},
		Getwd:      func() (string, error) { return dir, nil },
		IsTerminal: func(any) bool { return false },
	})
	if code != ExitOK {
		return "", errors.New(said.String())
	}
	return h.CacheDir(), nil
})

// Stock gives a home what the smallest distribution compiles to: compiling takes longer than a test.
func Stock(t *testing.T, h home.Home) {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles the capsules of a distribution")
	}
	if d, err := distros.Open(distros.Minimal); err != nil {
		t.Fatal(err)
	} else if found, _ := fs.Glob(d, "dist/*.capsule"); len(found) == 0 {
		t.Skip("the stock capsules are not built: run make capsules")
	}
	dir, err := compiledStock()
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Link(dir, h); err != nil {
		t.Fatal(err)
	}
}
