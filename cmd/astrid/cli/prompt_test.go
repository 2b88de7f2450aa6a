package cli

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestComposePrompt(t *testing.T) {
	for _, c := range []struct {
		name, stdin, prompt string
		terminal            bool
		want                string
		wantErr             string
	}{
		{"prompt alone", "", "hi", true, "hi", ""},
		{"a terminal is not read", "typed", "hi", true, "hi", ""},
		{"empty input adds nothing", "", "hi", false, "hi", ""},
		{"input comes first", "diff\n", "review", false, "diff\n\n\nreview", ""},
		{"input alone", "do it", "", false, "do it", ""},
		{"nothing at all", "", "", false, "", "empty"},
		{"white space only", " \n\t", "", false, "", "empty"},
		{"input is not text", "ok \xff\xfe", "hi", false, "", "byte 3"},
		{"prompt is not text", "", "\xff", true, "", "UTF-8"},
		{"input too long", strings.Repeat("x", MaxPrompt+1), "hi", false, "", "longer than"},
		{"both together too long", strings.Repeat("x", MaxPrompt), "hi", false, "", "limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sys, _, _ := system(c.stdin, c.terminal)
			got, err := composePrompt(sys, c.prompt)
			if c.wantErr == "" && (err != nil || got != c.want) {
				t.Errorf("got %q, %v", got, err)
			}
			if c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)) {
				t.Errorf("error is %v, want one with %q", err, c.wantErr)
			}
		})
	}
}

func TestSessionID(t *testing.T) {
	id := "2E872A9E-E2AA-4DEB-ACCB-290BA0DAE7A8"
	if got, err := sessionID(id); err != nil || got != strings.ToLower(id) {
		t.Errorf("an id became %q, %v", got, err)
	}
	a, _ := sessionID("work")
	b, _ := sessionID("work")
	c, _ := sessionID("other")
	if a != b || a == c || uuid.Validate(a) != nil {
		t.Errorf("names became %s, %s and %s", a, b, c)
	}
	d, _ := sessionID("")
	e, _ := sessionID("")
	if d == e {
		t.Error("two new sessions have one id")
	}
	if _, err := sessionID(strings.Repeat("n", 200)); codeOf(err) != ExitUsage {
		t.Errorf("a name that is too long gave %v", err)
	}
}

func TestUsageErrors(t *testing.T) {
	for _, args := range [][]string{
		{"--no-such-flag"}, {"no-such-command"}, {"status", "extra"}, {"-p", "x", "--output-format", "xml"},
		{"-p", ""}, {"init", "--provider", "nobody", "--yes"}, {"init", "--set", "nonsense", "--yes"}, {"init", "--distro", "/no/such/dir"},
	} {
		sys, out, errs := system("", false)
		home := t.TempDir() + "/h"
		sys.Getenv = func(k string) (string, bool) { return home, k == "ASTRID_HOME" }
		sys.Getwd = func() (string, error) { return "/", nil }
		if code := Main(args, sys); code != ExitUsage {
			t.Errorf("astrid %q: exit code %d (%s)", args, code, errs)
		}
		if out.Len() > 0 {
			t.Errorf("astrid %q printed to standard output: %s", args, out)
		}
		if !strings.HasPrefix(errs.String(), "astrid: ") {
			t.Errorf("astrid %q: standard error is %q", args, errs)
		}
	}
}
