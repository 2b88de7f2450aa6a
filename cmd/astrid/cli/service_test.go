package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

func TestSystemdUnit(t *testing.T) {
	s := systemd("/c", `/home/a "b"`, `/opt/x%y/$z/astrid-daemon`, `/h\i $j`)
	for _, want := range []string{
		`ExecStart="/opt/x%%y/$$z/astrid-daemon" --workspace "/home/a \"b\""`,
		`Environment="ASTRID_HOME=/h\\i $j"`,
		"RestartPreventExitStatus=75",
	} {
		if !strings.Contains(s.text, want) {
			t.Errorf("no %s in\n%s", want, s.text)
		}
	}
	if s.path != "/c/systemd/user/astrid.service" {
		t.Errorf("%s", s.path)
	}
}

func TestLaunchdEscapes(t *testing.T) {
	s := launchd("/Users/a&b", "/opt/<x>/astrid-daemon", "/h", "/h/log")
	for _, want := range []string{"<string>/opt/&lt;x&gt;/astrid-daemon</string>", "<string>/Users/a&amp;b</string>"} {
		if !strings.Contains(s.text, want) {
			t.Errorf("no %s in\n%s", want, s.text)
		}
	}
}

// TestServiceInstallsAndGoes uses a stand-in for systemctl, which needs a login session.
func TestServiceInstallsAndGoes(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("systemd is Linux's")
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	calls := filepath.Join(dir, "calls")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("systemctl", "#!/bin/sh\necho \"$*\" >>'"+calls+"'\n")
	write("astrid-daemon", "#!/bin/sh\n")
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	env := map[string]string{"HOME": filepath.Join(dir, "u"), "ASTRID_HOME": filepath.Join(dir, "h")}
	run := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := Main(args, System{
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
			Getenv:     func(k string) (string, bool) { v, ok := env[k]; return v, ok },
			Getwd:      func() (string, error) { return dir, nil },
			IsTerminal: func(any) bool { return false },
		})
		return code, out.String() + errs.String()
	}
	unit := filepath.Join(dir, "u", ".config", "systemd", "user", "astrid.service")
	if code, out := run("service", "install"); code != 0 || !strings.Contains(out, unit) {
		t.Fatalf("install: %d %s", code, out)
	}
	_, text := run("service", "install", "--print")
	if b, err := os.ReadFile(unit); err != nil || string(b) != text {
		t.Errorf("%v; the unit is\n%s", err, b)
	}
	if code, out := run("service", "uninstall"); code != 0 {
		t.Fatalf("uninstall: %d %s", code, out)
	}
	if _, err := os.Stat(unit); !os.IsNotExist(err) {
		t.Errorf("the unit is still there: %v", err)
	}
	want := "--user daemon-reload\n--user enable --now astrid.service\n--user disable --now astrid.service\n"
	if b, err := os.ReadFile(calls); err != nil || string(b) != want {
		t.Errorf("%v; systemctl was called with\n%s", err, b)
	}
	if code, out := run("service", "uninstall"); code != 0 || !strings.Contains(out, "not installed") {
		t.Errorf("again: %d %s", code, out)
	}
	// Without a login session nothing is started; everything that is left to do is said.
	write("systemctl", "#!/bin/sh\necho Failed to connect to bus >&2\nexit 1\n")
	code, out := run("service", "install")
	for _, want := range []string{"not started", "login session", "\n  systemctl --user daemon-reload\n  systemctl --user enable --now astrid.service\n"} {
		if code != ExitError || !strings.Contains(out, want) {
			t.Errorf("no login session: %d, no %q in %s", code, want, out)
		}
	}
	// Where a daemon runs that the service did not start, the service has to wait for its end.
	write("systemctl", "#!/bin/sh\n")
	h, err := home.New(env["ASTRID_HOME"])
	if err == nil {
		err = h.Ensure()
	}
	if err != nil {
		t.Fatal(err)
	}
	lock, err := home.AcquireLock(h.LockFile())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if code, out := run("service", "install"); code != 0 || !strings.Contains(out, "astrid stop") || strings.Contains(out, "\nstarted") {
		t.Errorf("beside a daemon: %d %s", code, out)
	}
	if code, _ := run("service", "install", "--print", "--no-start"); code != ExitUsage {
		t.Errorf("contradicting flags: %d", code)
	}
}
