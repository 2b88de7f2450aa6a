package doctor

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/secrets"
)

func options(t *testing.T) Options {
	t.Helper()
	h, err := home.New(filepath.Join(t.TempDir(), "h"))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"TERM": "xterm-256color", "LANG": "C.UTF-8"}
	return Options{
		Home: h, Version: "0.5.0", Workspace: t.TempDir(),
		Getenv:       func(k string) (string, bool) { v, ok := env[k]; return v, ok },
		TerminalSize: func() (int, int, error) { return 80, 24, nil },
	}
}

// find returns the results of one check.
func find(results []Result, check string) (out []Result) {
	for _, r := range results {
		if strings.HasPrefix(r.Check, check) {
			out = append(out, r)
		}
	}
	return out
}

func TestNothingIsMade(t *testing.T) {
	o := options(t)
	got := find(Run(t.Context(), o), "home")
	if len(got) != 1 || got[0].Status != Warn || !strings.Contains(got[0].Fix, "astrid init") {
		t.Errorf("%+v", got)
	}
	if _, err := os.Lstat(o.Home.Root()); !os.IsNotExist(err) {
		t.Errorf("the home was made: %v", err)
	}
}

func TestKeysThatOthersRead(t *testing.T) {
	o := options(t)
	if err := o.Home.Ensure(); err != nil {
		t.Fatal(err)
	}
	if got := find(Run(t.Context(), o), "keys"); len(got) != 1 || got[0].Status != OK {
		t.Fatalf("%+v", got)
	}
	if err := os.WriteFile(o.Home.RuntimeKey(), []byte("k"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(o.Home.RuntimeKey(), 0o644); err != nil {
		t.Fatal(err)
	}
	results := Run(t.Context(), o)
	got := find(results, "keys")
	if len(got) != 1 || got[0].Status != Fail || !strings.Contains(got[0].Detail, o.Home.RuntimeKey()) {
		t.Errorf("%+v", got)
	}
	if Worst(results) != Fail {
		t.Error("a key that others read is no failure")
	}
}

func TestConfigurationIsNamed(t *testing.T) {
	o := options(t)
	if err := o.Home.Ensure(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.Home.ConfigFile(), []byte("[workspace]\nmoed = \"safe\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := find(Run(t.Context(), o), "configuration")
	if len(got) != 1 || got[0].Status != Fail || !strings.Contains(got[0].Detail, "config.toml:2") {
		t.Errorf("%+v", got)
	}
}

func TestTerminal(t *testing.T) {
	for _, c := range []struct {
		name, term, lang string
		w, h             int
		err              error
		want             Status
	}{
		{"good", "xterm", "de_DE.UTF-8", 80, 24, nil, OK},
		{"lower case", "xterm", "C.utf8", 40, 10, nil, OK},
		{"small", "xterm", "C.UTF-8", 39, 24, nil, Warn},
		{"dumb", "dumb", "C.UTF-8", 80, 24, nil, Warn},
		{"latin", "xterm", "de_DE.ISO-8859-1", 80, 24, nil, Warn},
		{"no locale", "xterm", "", 80, 24, nil, Warn},
		{"pipe", "xterm", "C.UTF-8", 0, 0, os.ErrInvalid, Skip},
	} {
		o := options(t)
		o.Getenv = func(k string) (string, bool) {
			v := map[string]string{"TERM": c.term, "LANG": c.lang}[k]
			return v, v != ""
		}
		o.TerminalSize = func() (int, int, error) { return c.w, c.h, c.err }
		if got := find(Run(t.Context(), o), "terminal"); len(got) != 1 || got[0].Status != c.want {
			t.Errorf("%s: %+v, want %s", c.name, got, c.want)
		}
	}
}

func TestReach(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rule := ruleOf(t, l.Addr())
	if got := reach(t.Context(), "p", rule); got.Status != OK {
		t.Errorf("%+v", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := reach(t.Context(), "p", rule); got.Status != Warn || got.Fix == "" {
		t.Errorf("nobody listens: %+v", got)
	}
	rule.Host = "*"
	if got := reach(t.Context(), "p", rule); got.Status != Skip {
		t.Errorf("every host: %+v", got)
	}
}

func TestSecretsThatCannotBeRead(t *testing.T) {
	o := options(t)
	if err := o.Home.Ensure(); err != nil {
		t.Fatal(err)
	}
	st := secrets.Open(o.Home, secrets.Options{Store: secrets.File})
	if err := st.Set("default", "demo", "token", "geheim"); err != nil {
		t.Fatal(err)
	}
	if got := find(Run(t.Context(), o), "secrets"); len(got) != 1 || got[0].Status != OK || !strings.HasPrefix(got[0].Detail, "1 stored") {
		t.Fatalf("%+v", got)
	}
	if err := os.WriteFile(o.Home.SecretsKey(), []byte("file "+strings.Repeat("00", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := find(Run(t.Context(), o), "secrets"); len(got) != 1 || got[0].Status != Fail || got[0].Fix != "run: astrid secret set demo token" {
		t.Errorf("another key: %+v", got)
	}
	if err := os.Remove(o.Home.SecretsKey()); err != nil {
		t.Fatal(err)
	}
	if got := find(Run(t.Context(), o), "secrets"); len(got) != 1 || got[0].Status != Fail || !strings.Contains(got[0].Detail, "is missing") {
		t.Errorf("no key: %+v", got)
	}
}

func TestOutdatedDistribution(t *testing.T) {
	o := options(t)
	if err := o.Home.Ensure(); err != nil {
		t.Fatal(err)
	}
	p, err := o.Home.Principal(home.DefaultPrincipal)
	if err != nil {
		t.Fatal(err)
	}
	manifest := "[package]\nname = \"x\"\nversion = \"1.0.0\"\n"
	dir := filepath.Join(p.CapsulesDir(), "x")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Capsule.toml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	o.OutdatedFix = "astrid mend"
	for said, want := range map[string]int{"": 0, "1 of 2 are of another build": 1} {
		o.Outdated = func(home.Principal) (string, error) { return said, nil }
		got := find(Run(t.Context(), o), "distribution")
		if len(got) != want || want == 1 && (got[0].Status != Warn || got[0].Detail != said || got[0].Fix != "run: astrid mend") {
			t.Errorf("%q: %+v", said, got)
		}
	}
}
