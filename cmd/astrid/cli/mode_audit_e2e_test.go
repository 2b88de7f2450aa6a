package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/capability"
	"github.com/unicity-astrid/astrid-go/kernel"
)

// playMode: the world's own file says guided, with comments around it.
func playMode(t *testing.T, w *world) {
	config := w.home.ConfigFile()
	if out, _ := w.want(ExitOK, "mode"); out != "guided ("+config+":3:1)\n" {
		t.Errorf("mode says %q", out)
	}
	w.prompt(ExitApproval, "s")
	_, stderr := w.want(ExitOK, "mode", "set", "autonomous")
	if !strings.Contains(stderr, "asked nothing") {
		t.Errorf("a dangerous mode is set without a word: %q", stderr)
	}
	data, err := os.ReadFile(config)
	if err != nil || string(data) != "# mine\n[workspace]\nmode = \"autonomous\" # for now\n" {
		t.Errorf("the file is now %q (%v)", data, err)
	}
	w.prompt(ExitOK, "s") // the running daemon took it

	// A workspace may tighten, and its sessions follow.
	w.want(ExitOK, "mode", "set", "safe", "--workspace")
	w.prompt(ExitApproval, "s")
	info := decode[abi.ModeInfo](w, "mode", "show")
	if info.Mode != "safe" || !strings.HasPrefix(info.Source, filepath.Join(w.cwd, ".astrid", "config.toml")) {
		t.Errorf("mode in the workspace is %+v", info)
	}
	here := w.cwd
	w.cwd = realDir(t)
	w.prompt(ExitOK, "elsewhere")
	w.cwd = here
	if _, stderr := w.want(ExitOK, "mode", "set", "guided"); !strings.Contains(stderr, "safe is in force here") {
		t.Errorf("a mode without effect is set without a word: %q", stderr)
	}
	// It may not loosen.
	if _, stderr := w.want(ExitError, "mode", "set", "yolo", "--workspace"); !strings.Contains(stderr, "may only tighten") {
		t.Errorf("loosening says %q", stderr)
	}
	w.want(ExitUsage, "mode", "set", "free")
	// The project's file may come from a stranger.
	w.cwd = realDir(t)
	theirs := filepath.Join(w.cwd, ".astrid", "config.toml")
	w.write(theirs, "[workspace]\nx."+strings.Repeat("a.", 20000)+"a = 1\n")
	w.want(ExitError, "mode", "set", "safe", "--workspace")
	if err := errors.Join(os.Remove(theirs), os.Symlink(config, theirs)); err != nil {
		t.Fatal(err)
	}
	w.want(ExitError, "mode", "set", "safe", "--workspace")
	w.cwd = here

	// Without a daemon the files say it.
	w.shutdown()
	if info := decode[abi.ModeInfo](w, "mode"); info.Mode != "safe" {
		t.Errorf("without a daemon: %+v", info)
	}
	w.write(config, "[workspace]\nmood = 1\n")
	w.want(ExitError, "mode", "set", "safe")
	if data, _ := os.ReadFile(config); string(data) != "[workspace]\nmood = 1\n" {
		t.Errorf("a broken file was written over: %q", data)
	}
}

func playAudit(t *testing.T, w *world) {
	for range 3 {
		w.prompt(ExitOK, "s")
	}
	out, _ := w.want(ExitOK, "audit", "tail", "-n", "3")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 3 {
		t.Fatalf("tail says\n%s", out)
	}
	out, _ = w.want(ExitOK, "audit", "tail", "-n", "1000")
	requests := 0
	for l := range strings.Lines(out) {
		if !strings.Contains(l, "astrid_http_stream_start") {
			continue // other capsules look for files of their own
		}
		requests++
		for _, want := range []string{"allow", provider, "astrid_http_stream_start", "net:http://127.0.0.1", "token/"} {
			if !strings.Contains(l, want) {
				t.Errorf("a line of tail does not say %q: %s", want, l)
			}
		}
	}
	all := w.query()
	if of := w.query("--function", "astrid_http_stream_start"); requests != 3 || len(of) != 3 {
		t.Errorf("%d requests in the tail, and %+v", requests, of)
	}
	if n := len(w.query("--limit", "2", "--capsule", provider, "--verdict", "allow", "--since", "1h")); n != 2 {
		t.Errorf("the filters choose %d, want 2", n)
	}
	for _, none := range [][]string{{"--until", "1h"}, {"--capsule", "other"}, {"--session", "other"}, {"--resource", "x"}, {"--function", "x"}} {
		if got := w.query(none...); len(got) != 0 {
			t.Errorf("%v chooses %+v", none, got)
		}
	}
	for _, bad := range [][]string{{"--verdict", "maybe"}, {"--since", "yesterday"}, {"--limit", "-1"}, {"--principal", "../x"}} {
		w.want(ExitUsage, append([]string{"audit", "query"}, bad...)...)
	}

	// While the daemon runs, and without one.
	w.want(0, "audit", "verify")
	w.shutdown()
	out, _ = w.want(0, "audit", "verify", "--json")
	var report struct {
		State  string
		Chains []struct {
			Principal string
			Entries   int
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.State != "intact" || len(report.Chains) != 1 || report.Chains[0].Entries < len(all) {
		t.Errorf("verify --json says %s (%v)", out, err)
	}
	w.want(2, "audit", "verify", "--principal", "nobody")

	file := filepath.Join(t.TempDir(), "export.jsonl")
	_, stderr := w.want(ExitOK, "audit", "export", "-o", file)
	key := stderr[strings.LastIndex(stderr, " ")+1:]
	w.want(0, "audit", "verify", "--file", file, "--key", key)
	w.want(1, "audit", "verify", "--file", file, "--key", strings.Repeat("ab", 32))
	w.want(2, "audit", "verify", "--file", file, "--key", "nonsense")
	w.want(2, "audit", "verify", "--file", file+".missing")

	segments, err := filepath.Glob(filepath.Join(w.home.PrincipalsDir(), "default", ".local", "audit", "*.jsonl"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments %v (%v)", segments, err)
	}
	data, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	w.write(segments[0], strings.Replace(string(data), `"verdict":"allow"`, `"verdict":"deny"`, 1))
	if out, _ := w.want(1, "audit", "verify"); !strings.Contains(out, "line ") || !strings.Contains(out, "bad signature") {
		t.Errorf("verify does not say where: %s", out)
	}
	w.write(segments[0], string(data[:strings.LastIndex(strings.TrimSpace(string(data)), "\n")+1]))
	if out, _ := w.want(1, "audit", "verify"); !strings.Contains(out, "truncated") {
		t.Errorf("a cut log: %s", out)
	}
	w.write(segments[0], string(data))
	w.want(0, "audit", "verify")
	playAuditRestart(t, w, segments[0], string(data))
	if err := os.Remove(w.home.RuntimeKey()); err != nil {
		t.Fatal(err)
	}
	w.want(2, "audit", "verify")
}

// playAuditRestart: a broken log keeps the daemon down until somebody begins a new one, which
// says what became of the old one.
func playAuditRestart(t *testing.T, w *world, segment, data string) {
	w.boot()
	w.want(ExitUsage, "audit", "restart", "--yes")
	w.want(ExitUsage, "audit", "restart", "--reason", "x")
	if _, stderr := w.want(ExitError, "audit", "restart", "--reason", "x", "--yes"); !strings.Contains(stderr, "astrid stop") {
		t.Errorf("while the daemon runs it says %q", stderr)
	}
	w.shutdown()
	w.want(ExitError, "audit", "restart", "--reason", "x", "--yes", "--principal", "nobody")
	w.write(segment, data[:len(data)/2])
	w.want(1, "audit", "verify")
	if _, err := kernel.Boot(t.Context(), kernel.Options{Home: w.home, Workspace: w.cwd}); err == nil || !strings.Contains(err.Error(), "astrid audit restart") {
		t.Errorf("a daemon with a broken log: %v", err)
	}
	out, _ := w.want(ExitOK, "audit", "restart", "--reason", "half of it was lost", "--yes")
	if !strings.Contains(out, "last_hash") || !strings.Contains(out, "retired-") {
		t.Errorf("restart says %q", out)
	}
	if out, _ := w.want(0, "audit", "verify"); !strings.Contains(out, "1 entries") {
		t.Errorf("verify says %q", out)
	}
	if first := w.query(); len(first) != 1 || first[0].Type != "restarted" {
		t.Errorf("the new log has %+v", first)
	}
	old, err := filepath.Glob(filepath.Join(filepath.Dir(segment), "retired-*", "*.jsonl"))
	if err != nil || len(old) != 1 {
		t.Fatalf("the old one is in %v (%v)", old, err)
	}
	if kept, err := os.ReadFile(old[0]); err != nil || string(kept) != data[:len(data)/2] {
		t.Errorf("what was put aside is not what was there (%v)", err)
	}
	w.boot()
	w.prompt(ExitOK, "after")
	w.shutdown()
	w.want(0, "audit", "verify")
}

// openLog opens a home's log for writing, as the daemon does.
func openLog(t *testing.T, w *world) *audit.Log {
	t.Helper()
	if err := w.home.Ensure(); err != nil {
		t.Fatal(err)
	}
	key, err := capability.OpenKey(w.home.RuntimeKey())
	if err != nil {
		t.Fatal(err)
	}
	store, err := audit.NewFileStore(w.home.PrincipalsDir(), audit.FileStoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := audit.NewSlotAnchor(w.home.AuditAnchorDir())
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(audit.Options{Store: store, Anchor: anchor, Signer: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(log.Close(), store.Close(), anchor.Close(), key.Close()); err != nil {
			t.Error(err)
		}
	})
	return log
}

// TestTailFollows: what is written while tail runs appears.
func TestTailFollows(t *testing.T) {
	w := &world{t: t, home: shortHome(t), cwd: realDir(t)}
	log := openLog(t, w)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	lines := make(chan string)
	done := make(chan error, 1)
	cmd := newAudit(System{
		Stdout: lineWriter{ctx, lines}, Stderr: lineWriter{ctx, lines}, Getwd: func() (string, error) { return w.cwd, nil },
		Getenv: func(name string) (string, bool) { return w.home.Root(), name == "ASTRID_HOME" },
	})
	cmd.SetArgs([]string{"tail", "-f", "-n", "0"})
	go func() { done <- cmd.ExecuteContext(ctx) }()
	// Whether the follower has begun cannot be seen; a new entry each time soon meets it.
	for {
		if _, err := log.Append(t.Context(), "default", audit.Draft{Kind: audit.KindEvent, Type: "test.event"}); err != nil {
			t.Fatal(err)
		}
		select {
		case l := <-lines:
			if !strings.Contains(l, "test.event") {
				t.Errorf("tail says %q", l)
			}
			cancel()
			if err := <-done; err != nil {
				t.Errorf("tail ended with %v", err)
			}
			return
		case err := <-done:
			t.Fatalf("tail ended: %v", err)
		case <-time.After(300 * time.Millisecond):
		}
	}
}

type lineWriter struct {
	ctx   context.Context
	lines chan<- string
}

func (l lineWriter) Write(p []byte) (int, error) {
	select {
	case l.lines <- string(p):
	case <-l.ctx.Done():
	}
	return len(p), nil
}
