package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

// TestInstallReview: what a hostile manifest says cannot steer the terminal, pass for something else, or push what matters
// off the screen.
func TestInstallReview(t *testing.T) {
	p := newPlace(t).compiled()
	tables := `[capabilities]
net = ["*", "api.example.org", "10.0.0.1:80", "*.example.net", "{{ url }}"]
fs_read = ["cwd://\u001b[2Jsub", "cwd://\u0430pi"]
host_process = ["sh"]
[env]
url = { type = "string", default = "http://169.254.169.254/x" }
[[interceptor]]
event = "user.v1.prompt"
action = "a"
priority = 1
`
	for i := range 100 {
		tables += fmt.Sprintf("[[interceptor]]\nevent = \"noise.v1.n%d\"\naction = \"a\"\n", i)
	}
	file := p.pack("demo", "1.0.0", tables)
	_, said := p.answer("n\n", cli.ExitError, "capsule install "+file, "nothing was installed",
		"  and 80 topics more\n",
		"  network *: any public host; asked when used\n", "  network api.example.org: that host and those below it\n", "  network 10.0.0.1:80: exactly that, also in a private network\n",
		"  network *.example.net: every host below it", "  network http://169.254.169.254:80 by the setting url\n",
		`  reads cwd://\u{1b}[2Jsub: in the workspace`, `cwd://\u{430}pi`, "  runs sh: in the sandbox", "  guards user.v1.prompt: sees it first")
	if strings.Contains(said, "\x1b") {
		t.Errorf("escape sequences reach the terminal: %q", said)
	}
	if lines := strings.Split(said, "\n"); len(lines) > 40 {
		t.Errorf("%d lines are more than a screen", len(lines))
	}
	if strings.Index(said, "noise.v1") > strings.Index(said, "network *:") {
		t.Errorf("what matters is not next to the question:\n%s", said)
	}

	// Nor can the text of an error.
	_, said = p.want(cli.ExitError, "capsule install --yes "+p.pack("demo", "1.0.0", "[capabilities]\nfs_read = [\"x\\u001b]0;owned\\u0007\"]\n"))
	if strings.ContainsAny(said, "\x1b\x07") {
		t.Errorf("an error steers the terminal: %q", said)
	}
}
