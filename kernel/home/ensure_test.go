package home

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func tempHome(t *testing.T) Home {
	t.Helper()
	h, err := New(filepath.Join(t.TempDir(), "h"))
	must(t, err)
	return h
}

func TestEnsure(t *testing.T) {
	h := tempHome(t)
	for round := range 2 { // the second finds everything
		must(t, h.Ensure())
		for _, dir := range []string{"", "etc", "etc/hooks", "var", "var/cache", "var/audit", "run", "log", "keys", "bin", "wit", "home"} {
			wantPerm(t, filepath.Join(h.Root(), dir), 0o700)
		}
		if v, err := os.ReadFile(h.LayoutVersionFile()); err != nil || string(v) != "1" {
			t.Errorf("round %d: layout version is %q, %v", round, v, err)
		}
		must(t, os.Chmod(h.Etc(), 0o755), os.Chmod(h.Root(), 0o750)) // to be closed again
	}
	p, err := h.Principal("alice")
	must(t, err)
	must(t, p.Ensure(), p.Ensure())
	for _, dir := range append(p.dirs(), p.Root()) {
		wantPerm(t, dir, 0o700)
	}
}

func wantPerm(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != want {
		t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
	}
}

// TestEnsureRefuses spoils a home in one way each. The error must name the path, the problem and the fix.
func TestEnsureRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil    func(t *testing.T, h Home)
		path     string // relative to the home
		problem  string
		fix      string
		rootOnly bool
	}{
		"world-writable": {
			spoil: func(t *testing.T, h Home) { must(t, os.MkdirAll(h.Root(), 0o700), os.Chmod(h.Root(), 0o777)) },
			path:  ".", problem: "every user can write to it (mode 0777)", fix: "chmod 700",
		},
		"world-writable keys": {
			spoil: func(t *testing.T, h Home) { must(t, os.MkdirAll(h.KeysDir(), 0o700), os.Chmod(h.KeysDir(), 0o707)) },
			path:  "keys", problem: "every user can write to it", fix: "chmod 700",
		},
		"world-writable parent": {
			spoil: func(t *testing.T, h Home) { must(t, os.Chmod(filepath.Dir(h.Root()), 0o777)) },
			path:  "..", problem: "every user can rename", fix: "chmod o-w",
		},
		"file for home": {
			spoil: func(t *testing.T, h Home) { must(t, os.WriteFile(h.Root(), nil, 0o600)) },
			path:  ".", problem: "a file is in the way", fix: "move it away",
		},
		"file for run": {
			spoil: func(t *testing.T, h Home) { must(t, os.Mkdir(h.Root(), 0o700), os.WriteFile(h.Run(), nil, 0o600)) },
			path:  "run", problem: "a file is in the way", fix: "move it away",
		},
		"file for parent": {
			spoil: func(t *testing.T, h Home) {
				must(t, os.Remove(filepath.Dir(h.Root())), os.WriteFile(filepath.Dir(h.Root()), nil, 0o600))
			},
			path: "..", problem: "a file is in the way", fix: "ASTRID_HOME",
		},
		"dangling symlink": {
			spoil: func(t *testing.T, h Home) { must(t, os.Symlink("/nonexistent", h.Root())) },
			path:  ".", problem: "cannot follow the symlink", fix: "",
		},
		"other layout": {
			spoil: func(t *testing.T, h Home) {
				must(t, h.Ensure(), os.WriteFile(h.LayoutVersionFile(), []byte("2\n"), 0o600))
			},
			path: "etc/layout-version", problem: `version "2"`, fix: "update astrid",
		},
		"owned by another": {
			spoil: func(t *testing.T, h Home) { must(t, os.Mkdir(h.Root(), 0o700), os.Chown(h.Root(), 65534, 65534)) },
			path:  ".", problem: "the directory belongs to user 65534", fix: "run as its owner",
			rootOnly: true,
		},
		"symlink to another's": {
			spoil: func(t *testing.T, h Home) {
				other := filepath.Join(t.TempDir(), "other")
				must(t, os.Mkdir(other, 0o700), os.Chown(other, 65534, 65534), os.Symlink(other, h.Root()))
			},
			path: ".", problem: "the target of the symlink belongs to user 65534", fix: "run as its owner",
			rootOnly: true,
		},
		"another's symlink": {
			spoil: func(t *testing.T, h Home) {
				must(t, os.Symlink(t.TempDir(), h.Root()), os.Lchown(h.Root(), 65534, 65534))
			},
			path: ".", problem: "the symlink belongs to user 65534", fix: "run as its owner",
			rootOnly: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.rootOnly && os.Geteuid() != 0 {
				t.Skip("needs root, to give files to other users")
			}
			h := tempHome(t)
			c.spoil(t, h)
			wantHomeError(t, h.Ensure(), filepath.Join(h.Root(), c.path), c.problem, c.fix)
		})
	}
}

func wantHomeError(t *testing.T, err error, path, problem, fix string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error is %v", err)
	}
	if e.Path != path || !strings.Contains(e.Problem, problem) || !strings.Contains(e.Fix, fix) {
		t.Errorf("error is %v\nwant path %s, problem %q, fix %q", err, path, problem, fix)
	}
	if s := err.Error(); !strings.HasPrefix(s, e.Path+": "+e.Problem) || !strings.HasSuffix(s, e.Fix) {
		t.Errorf("the text is %q", s)
	}
}

// TestEnsureSymlink: a home on another disk, behind a link of one's own, is fine.
func TestEnsureSymlink(t *testing.T) {
	h := tempHome(t)
	must(t, os.Symlink(t.TempDir(), h.Root()), h.Ensure())
}

func TestEnsureUnreadable(t *testing.T) {
	dir, child := unprivileged(t, func(dir string) {
		must(t, os.MkdirAll(dir+"/closed/h", 0o777), os.Chmod(dir+"/closed", 0o700), os.Mkdir(dir+"/readable", 0o755))
	})
	if !child {
		return
	}
	h, _ := New(dir + "/closed/h")
	wantHomeError(t, h.Ensure(), dir+"/closed/h", "permission denied", "check the permissions")
	h, _ = New(dir + "/readable/h")
	wantHomeError(t, h.Ensure(), dir+"/readable/h", "permission denied", "check the permissions")
	if !errors.Is(h.Ensure(), fs.ErrPermission) {
		t.Error("the cause is lost")
	}
}

// TestEnsureOwnModes: the user took their own rights away; Ensure gives them back.
func TestEnsureOwnModes(t *testing.T) {
	dir, child := unprivileged(t, func(dir string) {
		must(t, os.Mkdir(dir+"/mine", 0o700), os.Chown(dir+"/mine", 65534, 65534))
	})
	if !child {
		return
	}
	h, _ := New(dir + "/mine/h")
	must(t, h.Ensure(), os.Chmod(h.Run(), 0), os.Chmod(h.Root(), 0o500), h.Ensure())
	wantPerm(t, h.Run(), 0o700)
}
