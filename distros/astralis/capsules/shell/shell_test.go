package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func text(t *testing.T, h *sdktest.Host, tool string, args any) (s string, ok bool) {
	t.Helper()
	r := h.CallTool(tool, args)
	if r.IsError {
		return r.Content, false
	}
	if err := json.Unmarshal([]byte(r.Content), &s); err != nil {
		t.Fatalf("%s: result %s: %v", tool, r.Content, err)
	}
	return s, true
}

type obj = map[string]any

// TestDirectory: a command runs where it was said, whatever the directory is called, or not at all.
func TestDirectory(t *testing.T) {
	for _, c := range []struct{ directory, command, want string }{
		{"", "ls", "ls"},
		{"a/b.c-d", "ls", "cd -- a/b.c-d || exit\nls"},
		{"a b", "ls; pwd &\n", "cd -- 'a b' || exit\nls; pwd &"},
		{"-x'; id #", "ls", `cd -- '-x'\''; id #' || exit` + "\nls"},
	} {
		h := sdktest.New(t)
		h.Process = func(r abi.ProcessRequest) (abi.ProcessResult, error) {
			if len(r.Args) != 2 || r.Args[1] != c.want {
				t.Errorf("%q: asked for %q, want %q", c.directory, r.Args, c.want)
			}
			return abi.ProcessResult{}, nil
		}
		if _, ok := text(t, h, "run_shell_command", obj{"command": c.command, "directory": c.directory}); !ok {
			t.Errorf("%q: it failed", c.directory)
		}
	}
	if _, ok := text(t, sdktest.New(t), "run_shell_command", obj{"command": " ", "directory": "a"}); ok {
		t.Error("an empty command ran")
	}
}

// TestRun: what a command's end becomes for the model.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   obj
		result abi.ProcessResult
		want   string
		fails  bool
	}{
		{"output", obj{"command": "ls"}, abi.ProcessResult{Stdout: "a\nb\n"}, "a\nb\n", false},
		{"nothing", obj{"command": "true"}, abi.ProcessResult{}, "", false},
		{"both streams", obj{"command": "x"}, abi.ProcessResult{Stdout: "out", Stderr: "warning\n"}, "out\n--- stderr ---\nwarning\n", false},
		{"only errors", obj{"command": "x"}, abi.ProcessResult{Stderr: "warning\n"}, "warning\n", false},
		{"failure", obj{"command": "x"}, abi.ProcessResult{Stdout: "FAIL\n", Stderr: "bad\n", ExitCode: 2}, "Command failed with exit code 2: FAIL\n--- stderr ---\nbad\n", true},
		{"signal", obj{"command": "x"}, abi.ProcessResult{ExitCode: 139}, "Command failed with exit code 139: ", true},
		{"timeout", obj{"command": "x", "timeout_secs": 7}, abi.ProcessResult{Stdout: "half", ExitCode: -1, TimedOut: true},
			"Command was ended after 7s; start it with spawn_background_process if it is to run on\nhalf", true},
		{"empty", obj{"command": " \n"}, abi.ProcessResult{}, "Command cannot be empty", true},
		{"no time", obj{"command": "x", "timeout_secs": 0}, abi.ProcessResult{}, "timeout_secs must be 1 or more", true},
		{"dropped", obj{"command": "x"}, abi.ProcessResult{Stdout: "end", StdoutDropped: 9}, note(9) + "end", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := sdktest.New(t)
			h.Process = func(r abi.ProcessRequest) (abi.ProcessResult, error) {
				if r.Cmd != "bash" || len(r.Args) != 2 || r.Args[0] != "-c" || r.Args[1] != c.args["command"] || r.Stdin != "" {
					t.Errorf("asked for %+v", r)
				}
				want := uint64(120_000)
				if c.args["timeout_secs"] != nil {
					want = 7000
				}
				if r.TimeoutMS != want {
					t.Errorf("timeout %d ms, want %d", r.TimeoutMS, want)
				}
				return c.result, nil
			}
			if got, ok := text(t, h, "run_shell_command", c.args); got != c.want || ok == c.fails {
				t.Errorf("got %q (success %v), want %q", got, ok, c.want)
			}
		})
	}
}

// TestRefusals reach the model in the host's words; a missing bash is none.
func TestRefusals(t *testing.T) {
	h := sdktest.New(t)
	var asked []string
	h.Process = func(r abi.ProcessRequest) (abi.ProcessResult, error) {
		asked = append(asked, r.Cmd)
		switch {
		case r.Cmd == "bash":
			return abi.ProcessResult{}, abi.Errorf(abi.CodeNotFound, "no bash")
		case r.Args[1] == "sudo x":
			return abi.ProcessResult{}, abi.Errorf(abi.CodeDenied, "denied by policy: sudo is never allowed")
		}
		return abi.ProcessResult{Stdout: "ok"}, nil
	}
	if got, ok := text(t, h, "run_shell_command", obj{"command": "x"}); got != "ok" || !ok || fmt.Sprint(asked) != "[bash sh]" {
		t.Errorf("%q after %v", got, asked)
	}
	for _, tool := range []string{"run_shell_command", "spawn_background_process"} {
		if got, ok := text(t, h, tool, obj{"command": "sudo x"}); ok || got != "denied by policy: sudo is never allowed" {
			t.Errorf("%s: %q", tool, got)
		}
	}
	if got, ok := text(t, h, "run_shell_command", obj{"command": "x", "timeout_secs": 100000}); !ok || got != "ok" {
		t.Errorf("a long timeout: %q", got)
	}
}

func TestBackground(t *testing.T) {
	h := sdktest.New(t)
	h.Process = func(abi.ProcessRequest) (abi.ProcessResult, error) {
		return abi.ProcessResult{Stdout: "listening", Stderr: "warn\n", ExitCode: 4}, nil
	}
	steps := []struct {
		tool string
		args obj
		want string
	}{
		{"spawn_background_process", obj{"command": "serve"}, "Background process started with id: 1. Use read_process_logs to see what it writes, and kill_process to end it."},
		{"read_process_logs", obj{"id": 1}, "Process 1 status: exited with code 4\n(it has ended: kill_process frees its place)\n--- stdout ---\nlistening\n--- stderr ---\nwarn\n"},
		{"read_process_logs", obj{"id": 1}, "Process 1 status: exited with code 4\n(it has ended: kill_process frees its place)\n(no new output)\n"},
		{"kill_process", obj{"id": 1}, "Process 1 had ended (exit code 4).\n"},
		{"read_process_logs", obj{"id": 1}, "no background process with id 1"},
		{"kill_process", obj{"id": 1}, "no background process with id 1"},
		{"spawn_background_process", obj{"command": ""}, "Command cannot be empty"},
	}
	for i, s := range steps {
		if got, _ := text(t, h, s.tool, s.args); got != s.want {
			t.Errorf("step %d: %q, want %q", i, got, s.want)
		}
	}
	h.Running(true)
	text(t, h, "spawn_background_process", obj{"command": "serve"})
	if got, _ := text(t, h, "read_process_logs", obj{"id": 2}); got != "Process 2 status: running\n--- stdout ---\nlistening\n--- stderr ---\nwarn\n" {
		t.Errorf("%q", got)
	}
	if got, _ := text(t, h, "kill_process", obj{"id": 2}); got != "Process 2 killed (it was running).\n" {
		t.Errorf("%q", got)
	}
}

// TestClip: a long output keeps its ends and stays text.
func TestClip(t *testing.T) {
	lines := strings.Repeat("a line of output: ä\n", 5000)
	for name, s := range map[string]string{"lines": "first\n" + lines + "last\n", "one line": "first\n" + strings.Repeat("ä", 50_000) + "last\n"} {
		got := clip(s, 0)
		if len(got) > maxText+200 || !strings.HasPrefix(got, "first\n") || !strings.HasSuffix(got, "last\n") || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes, valid %v", name, len(got), utf8.ValidString(got))
		}
		if strings.Count(got, "bytes are left out here") != 1 {
			t.Errorf("%s: no note", name)
		}
	}
	if s := strings.Repeat("x", maxText); clip(s, 0) != s {
		t.Error("a text that fits was cut")
	}
}
