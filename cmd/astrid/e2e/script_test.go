package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
//	follow CODE REGEXP PROGRAM ARG…
//	                              run a program until it has printed that, and interrupt it
//	terminal CODE FILE PROGRAM ARG…
//	                              run it on a terminal, where FILE says what happens, see [terminal.act]
//	save NAME stdout|stderr REGEXP
//	                              what the first group matches is $NAME from now on
//	lines N FILE                  FILE (stdout, stderr or a path) has N lines, all whole
//	socket FILE                   a conversation with the daemon, see scriptSocket
func TestScripts(t *testing.T) {
	out, err := exec.Command("go", "env", "GOROOT", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	goEnv := strings.Split(string(out), "\n")
	root, err := filepath.Abs(repo)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:         "testdata",
		WorkdirRoot: scratch,
		Setup: func(env *testscript.Env) error {
			b := newBox(env.T().(testing.TB), "")
			env.Vars = append(env.Vars, environ(b.home)...)
			env.Vars = append(env.Vars, "FAKE="+fakeURL, "DIST="+filepath.Join(root, "distros/astralis/dist"), "GOTOOL="+filepath.Join(goEnv[0], "bin"), "GOCACHE="+goEnv[1])
			env.Values["box"] = b
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"home":       scriptHome,
			"run":        scriptRun,
			"eventually": scriptEventually,
			"follow":     scriptFollow,
			"terminal":   scriptTerminal,
			"save":       scriptSave,
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

func scriptSave(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 3, "save NAME stdout|stderr REGEXP")
	re, err := regexp.Compile(`(?m)` + args[2])
	ts.Check(err)
	found := re.FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) != 2 {
		ts.Fatalf("%s does not match %q with one group", args[1], args[2])
	}
	ts.Setenv(args[0], found[1])
}

// scriptCommand is a program in the world of a script.
func scriptCommand(ts *testscript.TestScript, args []string) (*box, *exec.Cmd) {
	b, _ := ts.Value("box").(*box)
	cmd := exec.Command(filepath.Join(binDir, args[0]), args[1:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environ(ts.Getenv("ASTRID_HOME"))
	return b, cmd
}

func scriptTerminal(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 3, "terminal CODE FILE PROGRAM ARG…")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	b, cmd := scriptCommand(ts, args[2:])
	x := b.open(80, 24, cmd)
	if err := x.act(ts.ReadFile(args[1])); err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	x.ends(want)
	_, err = x.tty.WriteString("(ended)")
	ts.Check(err)
	x.printed("(ended)") // and so has all that the program wrote
	fmt.Fprint(ts.Stdout(), x.output())
}

func scriptFollow(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) >= 3, "follow CODE REGEXP PROGRAM ARG…")
	re, err := regexp.Compile(`(?m)` + args[1])
	ts.Check(err)
	r, w, err := os.Pipe()
	ts.Check(err)
	defer r.Close()
	b, cmd := scriptCommand(ts, args[2:])
	cmd.Stdout = w
	p := b.begin(cmd)
	ts.Check(w.Close()) // it has its own
	ts.Check(r.SetReadDeadline(time.Now().Add(3 * patience)))
	var out []byte
	buf := make([]byte, 4096)
	seen := false
	for err == nil {
		var n int
		n, err = r.Read(buf)
		out = append(out, buf[:n]...)
		if !seen && re.Match(out) {
			seen = true
			ts.Check(cmd.Process.Signal(os.Interrupt))
		}
	}
	if !seen {
		_ = cmd.Process.Kill()
	}
	got := p.wait()
	fmt.Fprintf(ts.Stdout(), "%s", out)
	fmt.Fprint(ts.Stderr(), got.err)
	if !seen || strconv.Itoa(got.code) != args[0] {
		ts.Fatalf("%q printed is %v, exit code %d, want %s\n%s", args[1], seen, got.code, args[0], got.err)
	}
}
