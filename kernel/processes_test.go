package kernel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/kernel/sandbox"
)

// needSandbox skips a test where programs cannot run, except where that is required.
func needSandbox(t testing.TB) {
	t.Helper()
	r := sandbox.Probe(t.Context())
	if r.Available {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no sandbox here: %s. %s", r.Problem, r.Remedy)
	}
	t.Skipf("no sandbox here: %s. %s", r.Problem, r.Remedy)
}

// runIn starts a shell script in a session.
func runIn(t testing.TB, k *Kernel, session, script string, background bool) host.Process {
	t.Helper()
	p, err := tryRun(t, k, session, script, background)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tryRun(t testing.TB, k *Kernel, session, script string, background bool) (host.Process, error) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	prog, err := k.processes.Find(ctx, "default", session, "sh")
	if err != nil {
		t.Fatal(err)
	}
	return k.processes.Start(ctx, host.ProcessCommand{Principal: "default", Session: session, Capsule: "shell", Program: prog,
		Argv: []string{"sh", "-c", script}, Background: background})
}

// output runs a script to its end and returns what it wrote.
func output(t testing.TB, k *Kernel, session, script string) string {
	t.Helper()
	p := runIn(t, k, session, script, false)
	<-p.Done()
	code, err := p.Exit()
	out, errs := p.Output()
	if err != nil || code != 0 {
		t.Fatalf("%s: status %d, %v\n%s%s", script, code, err, out.Bytes, errs.Bytes)
	}
	return string(out.Bytes)
}

// TestProgramsShareTheSession: a program sees what the session wrote and the other way round, while it runs and after, and
// the user's files stay as they are until a commit.
func TestProgramsShareTheSession(t *testing.T) {
	needSandbox(t)
	k := boot(t)
	ws := k.opts.Workspace
	write(t, filepath.Join(ws, "a.txt"), "lower\n")
	write(t, filepath.Join(ws, "gone.txt"), "x")
	tree, _, err := k.files.Workspace(t.Context(), "default", "s")
	noError(t, err)
	noError(t, tree.WriteFile("b.txt", []byte("guest\n"), 0o644))
	if got := output(t, k, "s", "cat a.txt b.txt; echo child > c.txt; rm gone.txt; mkdir -p d/e; mv a.txt d/e/"); got != "lower\nguest\n" {
		t.Errorf("the program read %q", got)
	}
	if b, err := tree.ReadFile("d/e/a.txt", 0); err != nil || string(b) != "lower\n" {
		t.Errorf("the guest reads %q, %v", b, err)
	}
	// A program in the background, which looks for a file that is not there yet.
	p := runIn(t, k, "s", "cat late.txt; echo started; while ! grep -q now late.txt; do sleep 0.01; done 2>/dev/null; echo seen >> late.txt", true)
	waitOutput(t, p, "started")
	noError(t, tree.WriteFile("late.txt", []byte("now\n"), 0o644))
	noError(t, tree.WriteFile("new/dir/f", []byte("f"), 0o644))
	<-p.Done()
	if b, err := tree.ReadFile("late.txt", 0); err != nil || string(b) != "now\nseen\n" {
		t.Errorf("late.txt is %q, %v", b, err)
	}
	// What the user changes meanwhile shows, too.
	noError(t, os.WriteFile(filepath.Join(ws, "tmp"), []byte("by the user"), 0o644))
	noError(t, os.Rename(filepath.Join(ws, "tmp"), filepath.Join(ws, "user.txt")))
	if got := output(t, k, "s", "cat user.txt"); got != "by the user" {
		t.Errorf("the program read %q of the user's change", got)
	}
	if b, err := os.ReadFile(filepath.Join(ws, "a.txt")); err != nil || string(b) != "lower\n" {
		t.Errorf("the workspace changed: %q, %v", b, err)
	}
	out := commitAll(t, k, "s")
	if !out.Done || len(out.Skipped) != 0 {
		t.Errorf("commit: %+v", out)
	}
	for name, want := range map[string]string{"b.txt": "guest\n", "c.txt": "child\n", "d/e/a.txt": "lower\n", "late.txt": "now\nseen\n", "new/dir/f": "f"} {
		if b, err := os.ReadFile(filepath.Join(ws, name)); err != nil || string(b) != want {
			t.Errorf("committed %s: %q, %v", name, b, err)
		}
	}
	for _, name := range []string{"a.txt", "gone.txt"} {
		if _, err := os.Lstat(filepath.Join(ws, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}

func commitAll(t testing.TB, k *Kernel, session string) abi.OverlayOutcome {
	t.Helper()
	out, err := k.commitOverlay(t.Context(), "default", mustJSON(t, abi.OverlayCommit{Session: session}))
	if err != nil {
		t.Fatal(err)
	}
	return out.(abi.OverlayOutcome)
}

// waitOutput waits until a program has written a text.
func waitOutput(t testing.TB, p host.Process, text string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	var all string
	for !strings.Contains(all, text) {
		out, errs := p.Output()
		all += string(out.Bytes) + string(errs.Bytes)
		select {
		case <-p.Done():
			out, errs := p.Output()
			if all += string(out.Bytes) + string(errs.Bytes); !strings.Contains(all, text) {
				t.Fatalf("it ended before it wrote %q: %q", text, all)
			}
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("it wrote %q, not %q", all, text)
		}
	}
}

// TestInteractiveProgram: what a program in the sandbox is told reaches it, also more than a pipe holds.
func TestInteractiveProgram(t *testing.T) {
	needSandbox(t)
	k := boot(t)
	prog, err := k.processes.Find(t.Context(), "default", "s", "sh")
	if err != nil {
		t.Fatal(err)
	}
	start := func(script string) host.Process {
		t.Helper()
		p, err := k.processes.Start(context.WithoutCancel(t.Context()), host.ProcessCommand{Principal: "default", Session: "s", Capsule: "mcp", Program: prog,
			Argv: []string{"sh", "-c", script}, Stdin: []byte("one\n"), Background: true, Interactive: true})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := start("read a; echo got $a; read b; echo got ${#b}; exit 3")
	<-p.Wrote()
	waitOutput(t, p, "got one")
	if err := p.Write(append(bytes.Repeat([]byte("x"), 300<<10), '\n')); err != nil {
		t.Fatal(err)
	}
	waitOutput(t, p, "got 307200")
	<-p.Done()
	if code, err := p.Exit(); code != 3 || err != nil {
		t.Errorf("status %d, %v", code, err)
	}
	if err := p.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write to a program that has ended: %v", err)
	}
	if err := runIn(t, k, "s", "sleep 1000", true).Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write to a program without input: %v", err)
	}
}

// TestNothingIsCommittedUnderAProgram: commit and discard wait for a program in the foreground and name one in the background.
func TestNothingIsCommittedUnderAProgram(t *testing.T) {
	needSandbox(t)
	k := boot(t)
	p := runIn(t, k, "s", "echo 1 > f; echo ready; read x < /dev/null; sleep 1000", true)
	waitOutput(t, p, "ready")
	_, err := k.commitOverlay(t.Context(), "default", mustJSON(t, abi.OverlayCommit{Session: "s"}))
	if err == nil || !strings.Contains(err.Error(), "still running: sh -c") {
		t.Errorf("commit: %v", err)
	}
	_, err = k.discardOverlay(t.Context(), "default", mustJSON(t, abi.OverlaySelector{Session: "s"}))
	if err == nil || !strings.Contains(err.Error(), "still running: sh -c") {
		t.Errorf("discard: %v", err)
	}
	// To look is always possible.
	out, err := k.commitOverlay(t.Context(), "default", mustJSON(t, abi.OverlayCommit{Session: "s", DryRun: true}))
	if err != nil || out.(abi.OverlayOutcome).Count != 1 {
		t.Errorf("dry run: %+v %v", out, err)
	}
	list, err := k.overlayChanges(t.Context(), "default", mustJSON(t, abi.OverlaySelector{Session: "s"}))
	if err != nil || list.(abi.OverlayChanges).Total != 1 {
		t.Errorf("changes: %+v %v", list, err)
	}
	p.Kill()
	<-p.Done()
	if code, _ := p.Exit(); code != -1 {
		t.Errorf("exit status %d of a killed program", code)
	}
	q := runIn(t, k, "s", "sleep 0.3; echo 2 > f", false)
	if got := commitAll(t, k, "s"); !got.Done || got.Remaining != 0 {
		t.Errorf("commit behind a program in the foreground: %+v", got)
	}
	<-q.Done()
	if b, err := os.ReadFile(filepath.Join(k.opts.Workspace, "f")); err != nil || string(b) != "2\n" {
		t.Errorf("committed %q, %v", b, err)
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustJSON(t testing.TB, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	noError(t, err)
	return b
}
