package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/kernel/trust"
)

// TestProjectAsksOnATerminal: the question shows the files and what is hidden in them, is asked once for each state of them, and
// no answer is no.
func TestProjectAsksOnATerminal(t *testing.T) {
	dir, ws := t.TempDir(), t.TempDir()
	agents := filepath.Join(ws, "AGENTS.md")
	text := "be kind\u200b\U000e0041\x1b[2J\n"
	if err := os.WriteFile(agents, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	meet := func(terminal bool, typed string) (string, trust.State, error) {
		var errs bytes.Buffer
		sys := System{
			Stdin: strings.NewReader(typed), Stdout: &bytes.Buffer{}, Stderr: &errs,
			Getenv:     func(k string) (string, bool) { return dir, k == "ASTRID_HOME" },
			Getwd:      func() (string, error) { return ws, nil },
			IsTerminal: func(any) bool { return terminal },
		}
		err := sys.meetProject(t.Context(), terminal)
		_, st, serr := sys.projectTrust()
		if serr != nil {
			t.Fatal(serr)
		}
		return errs.String(), st.State, err
	}
	if out, state, err := meet(true, ""); err == nil || state != trust.New {
		t.Errorf("nobody answers: %v, %s\n%s", err, state, out)
	}
	if out, state, err := meet(false, ""); err != nil || state != trust.New || !strings.Contains(out, "AGENTS.md") || !strings.Contains(out, "astrid trust") {
		t.Errorf("no terminal: %v, %s\n%s", err, state, out)
	}
	out, state, err := meet(true, "s\n\n")
	if err != nil || state != trust.Declined || !strings.Contains(out, `be kind\u{200b}\u{e0041}\u{001b}[2J`) {
		t.Errorf("shown, and nothing said: %v, %s\n%s", err, state, out)
	}
	if out, state, err := meet(true, ""); err != nil || state != trust.Declined || out != "" {
		t.Errorf("it was asked again: %v, %s\n%s", err, state, out)
	}
	if err := os.WriteFile(agents, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, state, err := meet(true, "y\n"); err != nil || state != trust.Trusted || !strings.Contains(out, "changed") {
		t.Errorf("yes: %v, %s\n%s", err, state, out)
	}
	if out, state, err := meet(true, ""); err != nil || state != trust.Trusted || out != "" {
		t.Errorf("it was asked again: %v, %s\n%s", err, state, out)
	}
}
