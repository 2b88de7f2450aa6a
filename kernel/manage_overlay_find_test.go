package kernel

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// TestOverlaysAreFound: by directory, the nearest workspace first and then the last used.
func TestOverlaysAreFound(t *testing.T) {
	now := time.Now()
	o := options(t)
	o.Now = func() time.Time { return now }
	k, err := Boot(t.Context(), o)
	ok(t, err)
	p := connect(t, k)
	outer := t.TempDir()
	inner := filepath.Join(outer, "sub")
	ok(t, os.MkdirAll(filepath.Join(inner, "deep"), 0o755))
	other := t.TempDir()
	for _, s := range []struct{ id, ws string }{{"old", outer}, {"new", outer}, {"in", inner}, {"other", other}, {"clean", outer}} {
		now = now.Add(time.Minute)
		v := work(t, k, s.id, s.ws)
		if s.id != "clean" {
			ok(t, v.WriteFile("f", []byte(s.id), 0o644))
		}
	}
	// Used again, also from elsewhere: it is the last used one of its own workspace.
	now = now.Add(time.Minute)
	ok(t, k.files.bind(t.Context(), "default", "old", other))
	link := filepath.Join(other, "link")
	ok(t, os.Symlink(inner, link))
	for _, c := range []struct{ dir, want string }{
		{outer, "old new"}, {inner, "in old new"}, {filepath.Join(inner, "deep"), "in old new"}, {link, "in old new"},
		{other, "other"}, {"", "old other in new"}, {filepath.Dir(outer), ""},
	} {
		var ids []string
		for _, i := range p.overlays(abi.OverlayQuery{Directory: c.dir}) {
			ids = append(ids, i.Session)
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("in %s: %q, want %q", c.dir, got, c.want)
		}
	}
	list := p.overlays(abi.OverlayQuery{Session: "old"})
	if len(list) != 1 || list[0].Workspace != outer || !list[0].UsedAt.Equal(now) || !list[0].CreatedAt.Equal(now.Add(-5*time.Minute)) {
		t.Errorf("the session is %+v at %v", list, now)
	}
	if list := p.overlays(abi.OverlayQuery{Session: "clean"}); len(list) != 1 || list[0].Changes != 0 {
		t.Errorf("a session without changes: %+v", list)
	}
	if list := p.overlays(abi.OverlayQuery{Session: "nobody"}); len(list) != 0 {
		t.Errorf("a session that never was: %+v", list)
	}
	// A workspace that is gone is a problem of its session alone.
	ok(t, k.Shutdown("restart"))
	ok(t, os.RemoveAll(other))
	k, err = Boot(t.Context(), o)
	ok(t, err)
	defer func() { ok(t, k.Shutdown("test")) }()
	list = connect(t, k).overlays(abi.OverlayQuery{})
	i := slices.IndexFunc(list, func(i abi.OverlayInfo) bool { return i.Session == "other" })
	if len(list) != 4 || i < 0 || list[i].Problem == "" {
		t.Errorf("after a workspace is gone: %+v", list)
	}
}

// TestOverlayIsClosedAgain: looking at sessions keeps nothing open and leaves nothing behind,
// and what a capsule uses stays open.
func TestOverlayIsClosedAgain(t *testing.T) {
	o := options(t)
	k, err := Boot(t.Context(), o)
	ok(t, err)
	v := work(t, k, "s", o.Workspace)
	ok(t, v.WriteFile("f", []byte("x"), 0o644))
	ok(t, k.Shutdown("restart"))
	k, err = Boot(t.Context(), o)
	ok(t, err)
	defer func() { ok(t, k.Shutdown("test")) }()
	p := connect(t, k)
	if list := p.overlays(abi.OverlayQuery{}); len(list) != 1 {
		t.Fatalf("sessions: %+v", list)
	}
	if len(k.files.overlays) != 0 {
		t.Errorf("open are %v", k.files.overlays)
	}
	p.outcome(abi.MethodDiscardOverlay, abi.OverlaySelector{Session: "s"})
	dir, err := k.files.overlayDir(sessionKey{"default", "s"})
	ok(t, err)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there (%v)", dir, err)
	}
	v = work(t, k, "s", o.Workspace)
	p.overlays(abi.OverlayQuery{})
	ok(t, v.WriteFile("g", []byte("x"), 0o644))
}

// TestBootFinishesInterruptedCommits: although nobody uses the session. What the journal says
// is the overlay's own business.
func TestBootFinishesInterruptedCommits(t *testing.T) {
	o := options(t)
	k, err := Boot(t.Context(), o)
	ok(t, err)
	var states []string
	for _, id := range []string{"interrupted", "damaged", "whole"} {
		ok(t, work(t, k, id, o.Workspace).WriteFile("f", []byte(id), 0o644))
		dir, err := k.files.overlayDir(sessionKey{"default", id})
		ok(t, err)
		states = append(states, stateDir(dir))
	}
	ok(t, k.Shutdown("restart"))
	journal := func(i int) string { return filepath.Join(states[i], "journal.json") }
	step := map[string]any{"kind": "mkdir", "path": "made", "mode": fs.ModeDir | 0o750, "was": map[string]any{"path": "made"}}
	b, err := json.Marshal(map[string]any{"version": 1, "phase": "apply", "steps": []any{step}})
	ok(t, err)
	write(t, journal(0), string(b))
	write(t, journal(1), `{"version":`)
	if yes, err := vfs.Interrupted(states[0]); !yes || err != nil {
		t.Fatalf("interrupted: %v %v", yes, err)
	}
	k, err = Boot(t.Context(), o)
	ok(t, err)
	defer func() { ok(t, k.Shutdown("test")) }()
	if yes, err := vfs.Interrupted(states[0]); yes || err != nil {
		t.Errorf("after the boot it is still interrupted (%v)", err)
	}
	if fi, err := os.Stat(filepath.Join(o.Workspace, "made")); err != nil || !fi.IsDir() {
		t.Errorf("the last step of the commit was not made up for: %v", err)
	}
	// One that cannot be finished is told about to whoever looks, and stays as it is.
	for _, i := range connect(t, k).overlays(abi.OverlayQuery{}) {
		if damaged := i.Session == "damaged"; damaged != (i.Problem != "") || !damaged && i.Changes != 1 {
			t.Errorf("session: %+v", i)
		}
	}
	if content(t, journal(1)) != `{"version":` {
		t.Error("the damaged journal was changed")
	}
}
