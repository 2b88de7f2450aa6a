package kernel

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// manage makes a management call as a client and decodes its answer into v. It returns the
// error that the daemon answered.
func (p *peer) manage(method string, params, v any) string {
	p.t.Helper()
	raw, err := json.Marshal(map[string]any{"method": method, "params": params})
	if err != nil {
		p.t.Fatal(err)
	}
	p.send(`{"topic":"astrid.v1.request.m","payload":` + string(raw) + `}`)
	for {
		m := p.recv()
		if m.Topic != "astrid.v1.response.m" {
			continue
		}
		var resp abi.KernelResponse
		if err := json.Unmarshal(m.Payload, &resp); err != nil {
			p.t.Fatal(err)
		}
		if resp.Status == "Error" {
			return string(resp.Data)
		}
		if err := json.Unmarshal(resp.Data, v); err != nil {
			p.t.Fatal(err)
		}
		return ""
	}
}

func (p *peer) outcome(method string, params any) abi.OverlayOutcome {
	p.t.Helper()
	var out abi.OverlayOutcome
	if err := p.manage(method, params, &out); err != "" {
		p.t.Fatalf("%s: %s", method, err)
	}
	return out
}

func (p *peer) overlays(q abi.OverlayQuery) []abi.OverlayInfo {
	p.t.Helper()
	var list []abi.OverlayInfo
	if err := p.manage(abi.MethodListOverlays, q, &list); err != "" {
		p.t.Fatal(err)
	}
	return list
}

// work is a session of a workspace, with its files as a capsule gets them.
func work(t *testing.T, k *Kernel, session, workspace string) vfs.Vfs {
	t.Helper()
	if err := k.files.bind(t.Context(), "default", session, workspace); err != nil {
		t.Fatal(err)
	}
	v, _, err := k.files.Workspace(t.Context(), "default", session)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func ok(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func paths(list []abi.OverlayChange) string {
	var out []string
	for _, c := range list {
		out = append(out, c.Op+" "+c.Path)
	}
	return strings.Join(out, ", ")
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		return "-"
	}
	return string(b)
}

// events returns the audit entries about overlays.
func events(t *testing.T, k *Kernel) []audit.Entry {
	t.Helper()
	var out []audit.Entry
	for _, e := range entries(t, k, audit.Filter{Principal: "default"}) {
		if strings.HasPrefix(e.Type, "overlay.") {
			out = append(out, e)
		}
	}
	return out
}

// TestOverlayLifecycle goes once through everything as a client does.
func TestOverlayLifecycle(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	ws := k.opts.Workspace
	write(t, filepath.Join(ws, "a.txt"), "one\n")
	write(t, filepath.Join(ws, "gone.txt"), "gone\n")
	ok(t, os.Chmod(filepath.Join(ws, "a.txt"), 0o640))
	v := work(t, k, "s", ws)
	ok(t, v.WriteFile("a.txt", []byte("two\n"), 0o644), v.Remove("gone.txt"),
		v.WriteFile("new/deep/b.txt", []byte("b\n"), 0o755), v.MkdirAll("new/empty", 0o755), v.Symlink("a.txt", "link"))
	const all = "modified a.txt, deleted gone.txt, added link, added new/deep/b.txt, added new/empty"

	var changes abi.OverlayChanges
	if err := p.manage(abi.MethodOverlayChanges, abi.OverlaySelector{Session: "s"}, &changes); err != "" || paths(changes.Changes) != all || changes.Total != 5 {
		t.Fatalf("changes are %q %s (%s)", paths(changes.Changes), err, all)
	}
	var diff abi.OverlayDiff
	if err := p.manage(abi.MethodOverlayDiff, abi.OverlaySelector{Session: "s", Paths: []string{"a.txt"}}, &diff); err != "" || !strings.Contains(string(diff.Text), "-one\n+two\n") || diff.Total != len(diff.Text) {
		t.Errorf("diff is %q %s", diff.Text, err)
	}
	dry := p.outcome(abi.MethodCommitOverlay, abi.OverlayCommit{Session: "s", DryRun: true})
	if paths(dry.Changes) != all || dry.Done || dry.AuditID != "" || content(t, filepath.Join(ws, "a.txt")) != "one\n" || len(events(t, k)) != 0 {
		t.Errorf("dry run: %+v", dry)
	}
	part := p.outcome(abi.MethodCommitOverlay, abi.OverlayCommit{Session: "s", Paths: []string{"new/deep"}})
	if paths(part.Changes) != "added new/deep/b.txt" || !part.Done || part.Remaining != 4 || content(t, filepath.Join(ws, "new/deep/b.txt")) != "b\n" {
		t.Errorf("commit of a part: %+v", part)
	}
	gone := p.outcome(abi.MethodDiscardOverlay, abi.OverlaySelector{Session: "s", Paths: []string{"gone.txt", "link"}})
	if paths(gone.Changes) != "deleted gone.txt, added link" || gone.Remaining != 2 {
		t.Errorf("discard of a part: %+v", gone)
	}
	rest := p.outcome(abi.MethodCommitOverlay, abi.OverlayCommit{Session: "s"})
	if paths(rest.Changes) != "modified a.txt, added new/empty" || rest.Remaining != 0 {
		t.Errorf("commit of the rest: %+v", rest)
	}
	if fi, err := os.Stat(filepath.Join(ws, "a.txt")); err != nil || fi.Mode().Perm() != 0o640 || content(t, filepath.Join(ws, "gone.txt")) != "gone\n" {
		t.Errorf("workspace: %v %v", fi.Mode(), err)
	}
	if again := p.outcome(abi.MethodCommitOverlay, abi.OverlayCommit{Session: "s"}); again.Done || again.Count != 0 {
		t.Errorf("nothing is left, but it committed %+v", again)
	}
	// The session goes on, over what it committed.
	ok(t, v.WriteFile("a.txt", []byte("three\n"), 0o644))
	if list := p.overlays(abi.OverlayQuery{}); len(list) != 1 || list[0].Changes != 1 || list[0].Workspace != ws {
		t.Errorf("sessions: %+v", list)
	}
	got := events(t, k)
	if len(got) != 3 || got[0].Type != "overlay.commit" || got[1].Type != "overlay.discard" || got[0].Session != "s" ||
		got[0].ID.String() != part.AuditID || !strings.Contains(string(got[1].Data), `"deleted gone.txt"`) || !strings.Contains(string(got[1].Data), ws) {
		t.Errorf("recorded: %+v", got)
	}
}

// TestOverlayConflicts commits over files that the user changed meanwhile.
func TestOverlayConflicts(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	for _, c := range []struct{ policy, want string }{{"", "user"}, {abi.ConflictRefuse, "user"}, {abi.ConflictOurs, "agent"}, {abi.ConflictTheirs, "user"}} {
		ws := t.TempDir()
		write(t, filepath.Join(ws, "a"), "old")
		v := work(t, k, "conflict"+c.policy, ws)
		ok(t, v.WriteFile("a", []byte("agent"), 0o644), v.WriteFile("b", []byte("agent"), 0o644))
		write(t, filepath.Join(ws, "a"), "user")
		var changes abi.OverlayChanges
		p.manage(abi.MethodOverlayChanges, abi.OverlaySelector{Session: "conflict" + c.policy}, &changes)
		if len(changes.Changes) != 2 || changes.Changes[0].Conflict == "" || changes.Changes[1].Conflict != "" {
			t.Errorf("%q: changes %+v", c.policy, changes)
		}
		out := p.outcome(abi.MethodCommitOverlay, abi.OverlayCommit{Session: "conflict" + c.policy, OnConflict: c.policy})
		refused := c.policy == "" || c.policy == abi.ConflictRefuse
		if out.ConflictCount != 1 || out.Conflicts[0].Path != "a" || out.Conflicts[0].Conflict == "" || out.Done == refused {
			t.Errorf("%q: %+v", c.policy, out)
		}
		if got := content(t, filepath.Join(ws, "a")); got != c.want {
			t.Errorf("%q: the workspace has %q", c.policy, got)
		}
		if there := content(t, filepath.Join(ws, "b")) == "agent"; there == refused {
			t.Errorf("%q: the file without a conflict is there: %v", c.policy, there)
		}
	}
}

// TestOverlayNothingWithoutARecord: when the audit log takes no entry, nothing happens.
func TestOverlayNothingWithoutARecord(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	ws := k.opts.Workspace
	v := work(t, k, "s", ws)
	ok(t, v.WriteFile("a", []byte("agent"), 0o644))
	ok(t, k.gate.log.Close())
	var out abi.OverlayOutcome
	for _, method := range []string{abi.MethodCommitOverlay, abi.MethodDiscardOverlay} {
		if err := p.manage(method, map[string]string{"session": "s"}, &out); !strings.Contains(err, "nothing was done") {
			t.Errorf("%s: %q", method, err)
		}
	}
	if b, err := v.ReadFile("a", 0); err != nil || string(b) != "agent" || content(t, filepath.Join(ws, "a")) != "-" {
		t.Errorf("the session has %q (%v), the workspace %q", b, err, content(t, filepath.Join(ws, "a")))
	}
}

// TestOverlayFailureIsRecorded: a commit that fails after its record gets a second one.
func TestOverlayFailureIsRecorded(t *testing.T) {
	k := boot(t)
	rec := overlayRecord{Type: "overlay.commit", Session: "s", Workspace: "/w"}
	e, err := k.record(t.Context(), "default", rec)
	ok(t, err)
	disk := errors.New("disk is full")
	if err := k.recordFailure(t.Context(), "default", rec, e.ID, disk); !errors.Is(err, disk) {
		t.Errorf("failure is %v", err)
	}
	if err := k.recordFailure(t.Context(), "default", rec, audit.ID{}, disk); !errors.Is(err, disk) {
		t.Errorf("failure is %v", err)
	}
	got := events(t, k)
	if len(got) != 2 || got[1].Type != "overlay.commit.failed" || got[1].Of != e.ID || got[1].Reason != "disk is full" {
		t.Errorf("recorded: %+v", got)
	}
}

// TestNoCommitOverAHalfDoneOne: its journal is what finishes it at the next start.
func TestNoCommitOverAHalfDoneOne(t *testing.T) {
	k := boot(t)
	v := work(t, k, "s", k.opts.Workspace)
	ok(t, v.WriteFile("a", []byte("x"), 0o644))
	dir, err := k.files.overlayDir(sessionKey{"default", "s"})
	ok(t, err)
	journal := filepath.Join(stateDir(dir), "journal.json")
	write(t, journal, "{}")
	p := connect(t, k)
	var out abi.OverlayOutcome
	if err := p.manage(abi.MethodCommitOverlay, abi.OverlayCommit{Session: "s"}, &out); !strings.Contains(err, "half done") || content(t, journal) != "{}" || len(events(t, k)) != 0 {
		t.Errorf("got %q, the journal is %q", err, content(t, journal))
	}
	ok(t, os.Remove(journal))
	if out := p.outcome(abi.MethodCommitOverlay, abi.OverlayCommit{Session: "s"}); !out.Done {
		t.Errorf("commit: %+v", out)
	}
}

// TestOverlayRecordFits: whatever a session changed, its commit can be recorded.
func TestOverlayRecordFits(t *testing.T) {
	k := boot(t)
	name := strings.Repeat("\x01", vfs.MaxName)
	rec := overlayRecord{Type: "overlay.commit", Session: strings.Repeat("s", 128), Workspace: "/w", Conflicts: make([]vfs.Conflict, 3)}
	for i := range 5000 {
		rec.Paths = append(rec.Paths, name[i%100:], "x")
		rec.Changes = append(rec.Changes, vfs.Change{Path: "dir/file.txt", Op: vfs.Added}, vfs.Change{Path: name[i%100:], Op: vfs.Deleted})
	}
	e, err := k.record(t.Context(), "default", rec)
	ok(t, err)
	var d overlayData
	ok(t, json.Unmarshal(e.Data, &d))
	if d.Count != 10000 || d.LeftOut == nil || d.LeftOut.Changes+len(d.Changes) != 10000 || d.Conflicts != 3 || len(d.Digest) != 64 {
		t.Errorf("recorded %+v", d)
	}
}

func TestOverlayErrors(t *testing.T) {
	k := boot(t)
	p := connect(t, k)
	work(t, k, "s", k.opts.Workspace)
	for _, c := range []struct {
		method, params, want string
	}{
		{abi.MethodCommitOverlay, `{"session":"nobody"}`, "no such session"},
		{abi.MethodDiscardOverlay, `{"session":""}`, "no such session"},
		{abi.MethodOverlayChanges, `{"session":"s","paths":["../x"]}`, "outside"},
		{abi.MethodOverlayDiff, `{"session":"s","offset":1}`, "offset"},
		{abi.MethodOverlayDiff, `{"session":"s","offset":-1}`, "offset"},
		{abi.MethodCommitOverlay, `{"session":"s","paths":["\u0000"]}`, "invalid"},
		{abi.MethodCommitOverlay, `{"session":"s","on_conflict":"mine"}`, "none of"},
		{abi.MethodCommitOverlay, `{"session":"s","force":true}`, "unknown field"},
		{abi.MethodListOverlays, `{"directory":"x"}`, "absolute"},
		{abi.MethodListOverlays, `{"directory":"/does/not/exist"}`, "no such file"},
	} {
		var v any
		if err := p.manage(c.method, json.RawMessage(c.params), &v); !strings.Contains(err, c.want) {
			t.Errorf("%s %s: %q, want %q", c.method, c.params, err, c.want)
		}
	}
}

// TestCommitWhileATurnWrites: every commit takes whole files, and nothing is lost or doubled.
func TestCommitWhileATurnWrites(t *testing.T) {
	k := boot(t)
	ws := k.opts.Workspace
	v := work(t, k, "s", ws)
	texts := map[string]bool{strings.Repeat("a", 5000): true, strings.Repeat("b", 5000): true}
	done := make(chan error, 1)
	go func() {
		var errs []error
		for i := range 100 {
			name := filepath.Join("d", string(rune('a'+i%7)))
			for text := range texts {
				errs = append(errs, v.WriteFile(name, []byte(text), 0o644))
			}
			if i%10 == 9 {
				errs = append(errs, v.Remove(name))
			}
		}
		done <- errors.Join(errs...)
	}()
	p := connect(t, k)
	for running := true; running; {
		select {
		case err := <-done:
			ok(t, err)
			running = false
		default:
		}
		out := p.outcome(abi.MethodCommitOverlay, abi.OverlayCommit{Session: "s"})
		if out.ConflictCount != 0 {
			t.Fatalf("conflicts with itself: %+v", out.Conflicts)
		}
		entries, err := os.ReadDir(filepath.Join(ws, "d"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !texts[content(t, filepath.Join(ws, "d", e.Name()))] {
				t.Fatalf("%s is torn", e.Name())
			}
		}
	}
	entries, err := v.ReadDir("d")
	ok(t, err)
	disk, err := os.ReadDir(filepath.Join(ws, "d"))
	ok(t, err)
	if len(entries) != len(disk) {
		t.Errorf("the session has %d files, the workspace %d", len(entries), len(disk))
	}
}
