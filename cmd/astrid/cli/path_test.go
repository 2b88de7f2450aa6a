package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

func TestPath(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(program)
	for shell, file := range map[string]string{"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/conf.d/astrid.fish"} {
		t.Run(shell, func(t *testing.T) {
			p := newPlace(t)
			user := t.TempDir()
			p.environ = map[string]string{"HOME": user, "SHELL": "/bin/" + shell, "PATH": "/bin"}
			rc := filepath.Join(user, file)
			before := "# mine\nalias x=y\n"
			if shell != "fish" {
				if err := os.WriteFile(filepath.Join(user, "dotfile"), []byte(before), 0o640); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink("dotfile", rc); err != nil {
					t.Fatal(err)
				}
			}
			p.want(cli.ExitOK, "path add", "a new shell has it")
			once := p.read(rc)
			p.want(cli.ExitOK, "path add", "has it already")
			if p.read(rc) != once || strings.Count(once, dir) != 1 {
				t.Errorf("added twice:\n%s", p.read(rc))
			}
			if program, err := exec.LookPath(shell); err == nil {
				cmd := exec.Command(program, "-c", ". "+rc+"; printf %s \"$PATH\"")
				if shell == "fish" {
					cmd = exec.Command(program, "-c", "source "+rc+"; string join : $PATH")
				}
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.HasPrefix(string(out), dir+":") {
					t.Errorf("%s has PATH %s, %v", shell, out, err)
				}
			}
			p.want(cli.ExitOK, "path remove", "removed from")
			if shell == "fish" {
				if _, err := os.Stat(rc); !os.IsNotExist(err) {
					t.Error("the file is still there")
				}
				return
			}
			if p.read(rc) != before {
				t.Errorf("afterwards it is %q", p.read(rc))
			}
			if fi, err := os.Lstat(rc); err != nil || fi.Mode()&os.ModeSymlink == 0 {
				t.Error("the link was replaced")
			}
			if fi, err := os.Stat(rc); err != nil || fi.Mode().Perm() != 0o640 {
				t.Error("the mode changed")
			}
			p.want(cli.ExitOK, "path remove", "does not have it")
		})
	}
	p := newPlace(t)
	p.environ = map[string]string{"HOME": t.TempDir(), "SHELL": "/bin/tcsh"}
	p.want(cli.ExitUsage, "path add", `"tcsh" is not known`)
}

// Init writes to the shell's file only after a yes, and never where nobody was asked.
func TestInitAsksBeforePath(t *testing.T) {
	p := newPlace(t).compiled()
	p.miniDistro("1.0.0", beside)
	user := t.TempDir()
	p.environ = map[string]string{"HOME": user, "SHELL": "/bin/zsh", "PATH": "/bin"}
	rc := filepath.Join(user, ".zshrc")
	absent := func(when string) {
		t.Helper()
		if _, err := os.Stat(rc); !os.IsNotExist(err) {
			t.Errorf("%s: the file was written", when)
		}
	}
	p.want(cli.ExitOK, "init --yes --distro mini")
	absent("nobody was asked")
	p.answer("\ny\n\n", cli.ExitOK, "init --distro mini", "on your PATH")
	absent("no answer")
	p.answer("\ny\nn\n", cli.ExitOK, "init --distro mini")
	absent("no")
	p.answer("\ny\ny\n", cli.ExitOK, "init --distro mini", "takes it away again")
	if !strings.Contains(p.read(rc), "export PATH=") {
		t.Error("after a yes it was not written")
	}
}
