package home

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func env(pairs ...string) func(string) (string, bool) {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(k string) (string, bool) { v, ok := m[k]; return v, ok }
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want string // root, or a part of the error
		err  error
	}{
		{[]string{"ASTRID_HOME", "/a/b", "HOME", "/h"}, "/a/b", nil},
		{[]string{"ASTRID_HOME", "/a//b/./c/"}, "/a/b/c", nil},
		{[]string{"HOME", "/h"}, "/h/.astrid", nil},
		{[]string{"HOME", "/"}, "/.astrid", nil},
		{[]string{"ASTRID_HOME", "", "HOME", "/h"}, "ASTRID_HOME must be an absolute path", ErrBadPath},
		{[]string{"ASTRID_HOME", "rel"}, "ASTRID_HOME must be an absolute path", ErrBadPath},
		{[]string{"ASTRID_HOME", "/a/../b"}, "'..'", ErrBadPath},
		{[]string{"ASTRID_HOME", "/a/..b"}, "/a/..b", nil},
		{[]string{"ASTRID_HOME", "/"}, "root directory", ErrBadPath},
		{[]string{"ASTRID_HOME", "/a\x00b"}, "null bytes", ErrBadPath},
		{[]string{"HOME", "rel"}, "HOME must be an absolute path", ErrBadPath},
		{[]string{"HOME", "/h/.."}, "'..'", ErrBadPath},
		{nil, "neither ASTRID_HOME nor HOME environment variable is set", ErrNoHome},
		{nil, "", fs.ErrNotExist},
	} {
		h, err := Resolve(env(c.env...))
		if c.err == nil && (err != nil || h.Root() != c.want) {
			t.Errorf("%q: %q, %v; want %q", c.env, h.Root(), err, c.want)
		}
		if c.err != nil && (!errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: error %v; want %q", c.env, err, c.want)
		}
	}
}

func TestPaths(t *testing.T) {
	h, _ := New("/h")
	p, err := h.Principal("al-ice_1")
	must(t, err)
	c, err := p.Capsule("my-capsule")
	must(t, err)
	sock, err := h.SocketPath()
	must(t, err)
	for got, want := range map[string]string{
		h.ConfigFile():        "/h/etc/config.toml",
		h.ServersFile():       "/h/etc/servers.toml",
		h.HooksDir():          "/h/etc/hooks",
		h.LayoutVersionFile(): "/h/etc/layout-version",
		h.StateDB():           "/h/var/state.db",
		h.CacheDir():          "/h/var/cache",
		h.AuditAnchorDir():    "/h/var/audit",
		h.UpdateCheckFile():   "/h/var/update-check.json",
		sock:                  "/h/run/system.sock",
		h.TokenFile():         "/h/run/system.token",
		h.ReadyFile():         "/h/run/system.ready",
		h.LockFile():          "/h/run/daemon.lock",
		h.LogDir():            "/h/log",
		h.RuntimeKey():        "/h/keys/runtime.key",
		h.BinDir():            "/h/bin",
		h.WitDir():            "/h/wit",
		h.HistoryFile():       "/h/history",
		p.Root():              "/h/home/al-ice_1",
		p.CapsulesDir():       "/h/home/al-ice_1/.local/capsules",
		p.AuditDir():          "/h/home/al-ice_1/.local/audit",
		p.TmpDir():            "/h/home/al-ice_1/.local/tmp",
		p.DistroLock():        "/h/home/al-ice_1/.config/distro.lock",
		p.WitDir():            "/h/home/al-ice_1/wit",
		c.Dir():               "/h/home/al-ice_1/.local/capsules/my-capsule",
		c.Backup():            "/h/home/al-ice_1/.local/capsules/my-capsule.bak",
		c.LogDir():            "/h/home/al-ice_1/.local/log/my-capsule",
		c.EnvFile():           "/h/home/al-ice_1/.config/env/my-capsule.env.json",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestNames(t *testing.T) {
	h, _ := New("/h")
	for _, name := range []string{"", strings.Repeat("a", 65), "a b", "a/b", "..", ".", "a.b", "ä", "a\x00"} {
		if _, err := h.Principal(name); !errors.Is(err, ErrBadName) {
			t.Errorf("principal %q: %v", name, err)
		}
	}
	p, err := h.Principal(strings.Repeat("a", 64))
	must(t, err)
	for _, id := range []string{"", "-a", "a-", "A", "a_b", "a/b", "..", "a.b", strings.Repeat("a", 129)} {
		if _, err := p.Capsule(id); !errors.Is(err, ErrBadName) {
			t.Errorf("capsule %q: %v", id, err)
		}
	}
}

// TestOverlay: session ids are free text, and different ones must not share a directory or leave it.
func TestOverlay(t *testing.T) {
	h, _ := New("/h")
	p, _ := h.Principal("p")
	seen := map[string]string{}
	for _, s := range []string{"a", "A", "a/", "../a", "..", ".", "/", "\x00", "ä", "a b", "a  b", strings.Repeat("x", 128), strings.Repeat("x", 127)} {
		dir, err := p.Overlay(s)
		must(t, err)
		if filepath.Dir(dir) != p.OverlaysDir() || len(filepath.Base(dir)) > 60 {
			t.Errorf("session %q is in %s", s, dir)
		}
		if other, dup := seen[strings.ToLower(dir)]; dup {
			t.Errorf("sessions %q and %q share %s", s, other, dir)
		}
		seen[strings.ToLower(dir)] = s
	}
	for _, s := range []string{"", strings.Repeat("x", 129)} {
		if _, err := p.Overlay(s); !errors.Is(err, ErrBadName) {
			t.Errorf("session of %d bytes: %v", len(s), err)
		}
	}
}

func TestWorkspace(t *testing.T) {
	top := t.TempDir()
	mk := func(rel string) string {
		dir := filepath.Join(top, rel)
		must(t, os.MkdirAll(dir, 0o755))
		return dir
	}
	h, _ := New(filepath.Join(top, "user", ".astrid"))
	must(t, h.Ensure())
	for _, c := range []struct{ marker, start, want string }{
		{"user/p1/.astrid", "user/p1/a/b", "user/p1"},
		{"user/p2/.git", "user/p2/a", "user/p2"},
		{"user/p3/.git", "user/p3", "user/p3"},
		{"user/p4/.git/sub/.astrid", "user/p4/.git/sub/x", "user/p4/.git/sub"},
		{"user/none", "user/none/a", "user/none/a"}, // the daemon's own home in user/ is no project
	} {
		mk(c.marker)
		w, err := DetectWorkspace(mk(c.start), h)
		if err != nil || w.Root() != filepath.Join(top, c.want) {
			t.Errorf("from %s: %s, %v; want %s", c.start, w.Root(), err, c.want)
		}
	}
	must(t, os.WriteFile(filepath.Join(mk("user/p5"), "ASTRID.md"), nil, 0o600))
	if w, _ := DetectWorkspace(mk("user/p5/x"), h); w.Root() != filepath.Join(top, "user/p5") {
		t.Errorf("ASTRID.md does not mark a project: %s", w.Root())
	}
	if _, err := DetectWorkspace("rel", h); !errors.Is(err, ErrBadPath) {
		t.Errorf("a relative start: %v", err)
	}
}

func TestWorkspaceID(t *testing.T) {
	w, err := NewWorkspace(t.TempDir())
	must(t, err)
	ids := make(chan string, 16)
	for range cap(ids) { // all at once agree on one
		go func() {
			id, err := w.ID()
			if err != nil {
				t.Error(err)
			}
			ids <- id.String()
		}()
	}
	first := <-ids
	for range cap(ids) - 1 {
		if id := <-ids; id != first {
			t.Fatalf("two ids: %s and %s", first, id)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(w.Dir(), ".workspace-id.tmp*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	must(t, os.WriteFile(w.IDFile(), []byte(strings.ToUpper(first)+"\n"), 0o600))
	if id, err := w.ID(); err != nil || id.String() != first {
		t.Errorf("adopted %v, %v", id, err)
	}
	must(t, os.WriteFile(w.IDFile(), []byte("garbage"), 0o600))
	_, err = w.ID()
	wantHomeError(t, err, w.IDFile(), "no UUID", "remove it")
	if raw, _ := os.ReadFile(w.IDFile()); string(raw) != "garbage" {
		t.Errorf("the file was replaced by %q", raw)
	}
}
