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
)

// TestScripts runs the transcripts in testdata: a script, then files in the txtar format.
// The language is a part of rogpeppe's testscript, with commands for exit codes and waiting:
//
//	home offline|fake|none        start with a copy of that home
//	run CODE PROGRAM ARG…         run a program that must exit with CODE
//	eventually CODE PROGRAM ARG…  run it again and again until it does
//	[!] stdout|stderr REGEXP      what the last program printed
//	lines N FILE                  FILE (stdout, stderr or a path) has N lines, all whole
//	cmp FILE FILE                 are the same
//	stdin FILE                    of the next program
//	[!] exists PATH…
//	cd DIR, cp FROM TO, env NAME=VALUE
//
// Arguments are split at blanks, 'single quotes' keep them together, $NAME is expanded
// outside of quotes.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			runScript(t, path, string(text))
		})
	}
}

// script is a running transcript.
type script struct {
	t        *testing.T
	b        *box
	dir      string
	env      map[string]string
	stdin    string
	out, err string
}

var fileMark = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

func runScript(t *testing.T, path, text string) {
	b := newBox(t, "")
	s := &script{t: t, b: b, dir: b.ws, env: map[string]string{"ASTRID_HOME": b.home, "FAKE": fakeURL, "WORK": b.ws}}
	marks := fileMark.FindAllStringSubmatchIndex(text, -1)
	commands := text
	for i, m := range marks {
		if i == 0 {
			commands = text[:m[0]]
		}
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		b.write(text[m[2]:m[3]], text[m[1]:end])
	}
	for n, line := range strings.Split(commands, "\n") {
		args, err := s.split(line)
		if err == nil && len(args) > 0 {
			err = s.do(args)
		}
		if err != nil {
			t.Fatalf("%s:%d: %s\n%v\nstdout: %s\nstderr: %s", path, n+1, line, err, clip(s.out), clip(s.err))
		}
	}
}

// split cuts a line into arguments.
func (s *script) split(line string) ([]string, error) {
	var args []string
	for line = strings.TrimSpace(line); line != "" && line[0] != '#'; line = strings.TrimLeft(line, " \t") {
		if line[0] == '\'' {
			arg, rest, ok := strings.Cut(line[1:], "'")
			if !ok {
				return nil, errors.New("a quote is not closed")
			}
			args, line = append(args, arg), rest
			continue
		}
		end := strings.IndexAny(line, " \t")
		if end < 0 {
			end = len(line)
		}
		args = append(args, os.Expand(line[:end], func(k string) string { return s.env[k] }))
		line = line[end:]
	}
	return args, nil
}

func (s *script) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

func (s *script) read(name string) (string, error) {
	switch name {
	case "stdout":
		return s.out, nil
	case "stderr":
		return s.err, nil
	}
	b, err := os.ReadFile(s.path(name))
	return string(b), err
}

// do carries out one command.
func (s *script) do(args []string) error {
	not := args[0] == "!"
	if not {
		args = args[1:]
	}
	least := map[string]int{"home": 1, "run": 2, "eventually": 2, "stdout": 1, "stderr": 1, "lines": 2, "cmp": 2, "stdin": 1, "exists": 1, "cd": 1, "cp": 2, "env": 1}
	if n, ok := least[args[0]]; !ok || len(args) <= n {
		return errors.New("no such command, or arguments are missing")
	}
	switch cmd, args := args[0], args[1:]; cmd {
	case "home":
		if from, ok := map[string]string{"offline": offline, "fake": withFake}[args[0]]; ok {
			return copyHome(from, s.b.home)
		}
	case "run", "eventually":
		want, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return s.run(want, cmd == "eventually", args[1:])
	case "stdout", "stderr":
		text, _ := s.read(cmd) // these two are always there
		re, err := regexp.Compile(`(?m)` + args[0])
		if err != nil {
			return err
		}
		if re.MatchString(text) == not {
			return fmt.Errorf("%s matching %q is %v", cmd, args[0], not)
		}
	case "lines":
		text, err := s.read(args[1])
		if got := strconv.Itoa(strings.Count(text, "\n")); err != nil || got != args[0] || text != "" && !strings.HasSuffix(text, "\n") {
			return fmt.Errorf("%s has %s lines: %q %v", args[1], got, text, err)
		}
	case "cmp":
		a, err1 := s.read(args[0])
		b, err2 := s.read(args[1])
		if a != b || errors.Join(err1, err2) != nil {
			return fmt.Errorf("they differ: %q and %q (%v)", a, b, errors.Join(err1, err2))
		}
	case "stdin":
		text, err := s.read(args[0])
		s.stdin = text
		return err
	case "exists":
		for _, p := range args {
			if _, err := os.Lstat(s.path(p)); (err == nil) == not {
				return fmt.Errorf("%s: %v", p, err)
			}
		}
	case "cd":
		s.dir = s.path(args[0])
	case "cp":
		text, err := s.read(args[0])
		if err != nil {
			return err
		}
		return os.WriteFile(s.path(args[1]), []byte(text), 0o600)
	case "env":
		name, value, _ := strings.Cut(args[0], "=")
		s.env[name] = value
		s.b.env = append(s.b.env, args[0])
	}
	return nil
}

func (s *script) run(want int, repeat bool, args []string) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		cmd := exec.Command(filepath.Join(binDir, args[0]), args[1:]...)
		cmd.Dir, cmd.Env = s.dir, append(environ(s.b.home), s.b.env...)
		cmd.Stdin = strings.NewReader(s.stdin)
		r := s.b.finish(cmd)
		s.out, s.err = r.out, r.err
		if r.code == want {
			s.stdin = ""
			return nil
		}
		if !repeat || time.Now().After(deadline) {
			return fmt.Errorf("exit code %d, want %d", r.code, want)
		}
	}
}
