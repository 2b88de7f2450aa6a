package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts plays the transcripts in testdata, in the language of testscript, with commands
// for homes, exit codes and waiting:
//
//	home offline|fake|none        start with a copy of that home
//	home compiled                 start with nothing but the code that capsules were compiled to
//	run CODE PROGRAM ARG…         run a program that must exit with CODE
//	eventually CODE PROGRAM ARG…  run it again and again until it does
//	lines N FILE                  FILE (stdout, stderr or a path) has N lines, all whole
//	socket FILE                   a conversation with the daemon, see scriptSocket
func TestScripts(t *testing.T) {
	goCache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:         "testdata",
		WorkdirRoot: scratch,
		Setup: func(env *testscript.Env) error {
			b := newBox(env.T().(testing.TB), "")
			env.Vars = append(env.Vars, environ(b.home)...)
			env.Vars = append(env.Vars, "FAKE="+fakeURL, "GOTOOL="+filepath.Join(runtime.GOROOT(), "bin"), "GOCACHE="+strings.TrimSpace(string(goCache)))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"home":       scriptHome,
			"run":        scriptRun,
			"eventually": scriptEventually,
			"lines":      scriptLines,
			"socket":     scriptSocket,
		},
	})
}

func scriptHome(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "home offline|fake|none")
	switch args[0] {
	case "offline":
		ts.Check(copyHome(offline, ts.Getenv("ASTRID_HOME")))
	case "fake":
		ts.Check(copyHome(withFake, ts.Getenv("ASTRID_HOME")))
	case "compiled":
		ts.Check(copyHome(withFake, ts.Getenv("ASTRID_HOME")))
		ts.Check(onlyCompiled(ts.Getenv("ASTRID_HOME")))
	case "none":
	default:
		ts.Fatalf("no such home: %s", args[0])
	}
}

// onlyCompiled takes everything out of a home but compiled code.
func onlyCompiled(home string) error {
	for _, pattern := range []string{"*", "var/*"} {
		found, err := filepath.Glob(filepath.Join(home, pattern))
		if err != nil {
			return err
		}
		for _, path := range found {
			if name := filepath.Base(path); name != "var" && name != "cache" {
				err = errors.Join(err, os.RemoveAll(path))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func scriptRun(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "run CODE PROGRAM ARG…")
	if got := exitCode(ts, args[1:]); strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

func scriptEventually(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 2, "eventually CODE PROGRAM ARG…")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		got := exitCode(ts, args[1:])
		if strconv.Itoa(got) == args[0] {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("exit code is still %d, want %s", got, args[0])
		}
	}
}

func exitCode(ts *testscript.TestScript, args []string) int {
	var exit *exec.ExitError
	switch err := ts.Exec(args[0], args[1:]...); {
	case errors.As(err, &exit):
		return exit.ExitCode()
	default:
		ts.Check(err)
		return 0
	}
}

func scriptLines(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "lines N FILE")
	text := ts.ReadFile(args[1])
	if got := strconv.Itoa(strings.Count(text, "\n")); got != args[0] || text != "" && !strings.HasSuffix(text, "\n") {
		ts.Fatalf("%s has %s lines, want %s: %q", args[1], got, args[0], text)
	}
}

func usage(ts *testscript.TestScript, ok bool, text string) {
	if !ok {
		ts.Fatalf("usage: %s", text)
	}
}
