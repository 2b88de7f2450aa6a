package e2e

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	// The programs are built from these; naming them here makes the test cache notice changes.
	_ "github.com/unicity-astrid/astrid-go/cmd/astrid-daemon/daemon"
	_ "github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/testdata/compiled"
)

// What TestMain prepares for all tests.
var (
	scratch  string // removed at the end
	binDir   string // astrid and astrid-daemon
	offline  string // template of a home with the offline provider
	withFake string // template of a home whose provider is fake
	fakeURL  string // base URL of fake
)

// repo is the root of the repository.
const repo = "../../.."

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	// The short path leaves room for sockets.
	if scratch, err = os.MkdirTemp("/tmp", "astrid-e2e-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(scratch)
	if err := os.Chmod(scratch, 0o711); err != nil { // some tests run programs as another user
		return 1, err
	}
	if err := build(); err != nil {
		return 1, err
	}
	srv := httptest.NewServer(fake)
	defer srv.Close()
	fakeURL = srv.URL
	offline, withFake = filepath.Join(scratch, "offline"), filepath.Join(scratch, "fake")
	h, err := home.New(offline)
	if err != nil {
		return 1, err
	}
	if err := compiled.Seed(h); err != nil {
		return 1, err
	}
	if err := setUp(offline, "init", "--yes"); err != nil {
		return 1, err
	}
	if err := copyHome(offline, withFake); err != nil {
		return 1, err
	}
	if err := setUp(withFake, "init", "--yes", "--provider", "openai-compat",
		"--set", "openai_base_url="+fakeURL, "--set", "openai_model=some-model"); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// build compiles the programs, and the capsules first if `make` has not been here: they
// are embedded.
func build() error {
	binDir = filepath.Join(scratch, "bin")
	if err := os.Mkdir(binDir, 0o755); err != nil {
		return err
	}
	if err := goBuild("astrid-build"); err != nil {
		return err
	}
	dirs, err := filepath.Glob(filepath.Join(repo, "distros/astralis/capsules/*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		archive := filepath.Join(repo, "distros/astralis/dist", "astrid-capsule-"+filepath.Base(dir)+".capsule")
		if _, err := os.Stat(archive); err == nil {
			continue
		}
		if err := runTool(filepath.Join(binDir, "astrid-build"), "-o", archive, dir); err != nil {
			return err
		}
	}
	if err := goBuild("astrid"); err != nil {
		return err
	}
	return goBuild("astrid-daemon")
}

func goBuild(name string) error {
	return runTool("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(binDir, name), repo+"/cmd/"+name)
}

func runTool(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

func setUp(home string, args ...string) error {
	cmd := exec.Command(filepath.Join(binDir, "astrid"), args...)
	cmd.Env = environ(home)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}
