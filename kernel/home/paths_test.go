package home

import (
	"errors"
	"io/fs"
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
