package home

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

const childEnv = "HOME_TEST_CHILD"

// unprivileged runs the current test again as a user without rights (uid 65534), for what root is never refused.
// It returns true in the child. prepare is called in the parent only, as root.
func unprivileged(t *testing.T, prepare func(dir string)) (dir string, child bool) {
	t.Helper()
	if dir := os.Getenv(childEnv); dir != "" {
		return dir, true
	}
	return dir, rerun(t, prepare, "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
}

// rerun runs the current test in a child below a command and fails or skips as it does.
func rerun(t *testing.T, prepare func(dir string), command ...string) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to act as other users")
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		t.Skipf("needs %s", command[0])
	}
	// t.TempDir is closed to the child: a folder of its own, and a copy of the test binary in it.
	dir, err := os.MkdirTemp("", "home-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	bin, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/test", bin, 0o755); err != nil {
		t.Fatal(err)
	}
	prepare(dir)
	cmd := exec.Command(command[0], append(command[1:], dir+"/test", "-test.run=^"+t.Name()+"$", "-test.v")...)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil && strings.Contains(string(out), "--- PASS: "+t.Name()):
	case strings.Contains(string(out), "--- SKIP: "+t.Name()), !strings.Contains(string(out), "=== RUN"):
		t.Skipf("the child could not run: %s", out)
	default:
		t.Errorf("in the child: %v\n%s", err, out)
	}
	return false
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
