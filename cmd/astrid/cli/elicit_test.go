package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/secrets"
)

const askTables = `[env]
ask = { type = "string", default = "yes" }
`

// TestHookQuestionsOnTerminal: what an install hook asks comes to the terminal of `capsule install`.
func TestHookQuestionsOnTerminal(t *testing.T) {
	p := newPlace(t).compiled()
	p.serve()
	archive := p.pack("demo", "1.0.0", askTables)
	_, stderr := p.answer("y\n\nIda\ngeheim\nlarge\na, b\n", cli.ExitOK, "capsule install "+archive,
		"demo asks: Your name", "demo asks: The token", "(small, large)", "(separated by commas)", "demo 1.0.0 is ready")
	p.want(cli.ExitOK, "logs demo", "name=Ida size=large tags=a+b")
	if v, err := secrets.Open(p.home, secrets.Options{}).Get(home.DefaultPrincipal, "demo", "token"); v != "geheim" || err != nil {
		t.Errorf("the secret: %q, %v", v, err)
	}
	if strings.Contains(stderr, "geheim") {
		t.Errorf("the secret is shown: %s", stderr)
	}
}

// TestHookQuestionsHeadless: with nobody there an answer is found or the hook fails at once, with what to do.
func TestHookQuestionsHeadless(t *testing.T) {
	p := newPlace(t).compiled()
	p.serve()
	archive := p.pack("demo", "1.0.0", askTables)
	p.want(cli.ExitDegraded, "capsule install --yes "+archive, "its hook astrid_install failed", "demo asks for name", "--answers")
	p.want(cli.ExitOK, "logs demo", "demo asks for name", "--answers")

	// What the hook says to do is possible: the secret is found then.
	if code, out := p.pipe("geheim", "secret", "set", "demo", "token"); code != cli.ExitOK {
		t.Errorf("code %d: %s", code, out)
	}
	p.want(cli.ExitOK, "secret delete demo token")

	file := filepath.Join(t.TempDir(), "answers.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := "capsule install --yes --force " + archive + " --answers " + file
	for text, want := range map[string]string{
		"[hooks]\ntoken = 7": "token must be a string", "[hooks.demo]\ntoken = [7]": "demo.token must be a string",
		"[hooks]\ntoken = \"{{ NO_SUCH }}\"": "NO_SUCH is not set", "[hook]\ntoken = \"geheim\"": "hook must be", "[hooks.demo.x]\ntoken = \"geheim\"": "demo.x must be a string",
	} {
		write(text)
		if _, stderr := p.want(cli.ExitUsage, install, want); strings.Contains(stderr, "geheim") {
			t.Errorf("a value is shown: %s", stderr)
		}
	}
	write("[hooks]\nname = \"Ida\"\nsize = \"huge\"\ndemo.token = \"geheim\"\n")
	p.want(cli.ExitDegraded, install, "size wants one of small, large", "was not taken")
	write("[hooks]\nname = \"Ida\"\ntoken = \"another one's\"\nsize = \"small\"\ntags = [\"x\", \"y\"]\nspare = \"s\"\n[hooks.demo]\ntoken = \"geheim\"\n")
	_, stderr := p.want(cli.ExitOK, install, "demo 1.0.0 is ready", "has spare, which nobody asked for")
	p.want(cli.ExitOK, "logs demo", "name=Ida size=small tags=x+y")
	if v, err := secrets.Open(p.home, secrets.Options{}).Get(home.DefaultPrincipal, "demo", "token"); v != "geheim" || err != nil {
		t.Errorf("the secret: %q, %v", v, err)
	}
	if strings.Contains(stderr, "geheim") {
		t.Errorf("the secret is shown: %s", stderr)
	}
}
