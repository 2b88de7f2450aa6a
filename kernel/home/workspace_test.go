package home

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestDetectWorkspace(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	t.Setenv("HOME", filepath.Join(top, "user"))
	h, _ := New(filepath.Join(top, "user", ".astrid"))
	must(t, h.Ensure())
	for _, c := range []struct{ name, marker, start, want string }{
		{".astrid above", "user/p1/.astrid/", "user/p1/a/b", "user/p1"},
		{".git above", "user/p2/.git/", "user/p2/a", "user/p2"},
		{".git of a worktree", "user/p3/.git", "user/p3/a", "user/p3"},
		{"the directory itself", "user/p4/.git/", "user/p4", "user/p4"},
		{"the nearest", "user/p1/sub/.git/", "user/p1/sub/x", "user/p1/sub"},
		{"from inside .astrid", "user/p5/.astrid/", "user/p5/.astrid/commands", "user/p5"},
		{"ASTRID.md", "user/p6/ASTRID.md", "user/p6/x", "user/p6"},
		{"the nearest ASTRID.md", "user/p6/sub/ASTRID.md", "user/p6/sub/x", "user/p6/sub"},
		{"ASTRID.md in a project", "user/p1/docs/ASTRID.md", "user/p1/docs/x", "user/p1"},
		{"no marker: Astrid's home beside it is none", "user/none/", "user/none/a", "user/none/a"},
		{"dotfiles under git", "user/.git/", "user/none/a", "user/none/a"},
		{"dotfiles, asked for", "user/.git/", "user", "user"},
		{"above the user's home", ".git/", "user/none/a", "user/none/a"},
		{"no user's home there", "elsewhere/.astrid/", "elsewhere/a", "elsewhere"},
	} {
		marker := filepath.Join(top, c.marker)
		must(t, os.MkdirAll(filepath.Dir(marker), 0o755))
		if filepath.Base(c.marker) == "ASTRID.md" || c.marker == "user/p3/.git" {
			must(t, os.WriteFile(marker, nil, 0o600))
		} else {
			must(t, os.MkdirAll(marker, 0o755))
		}
		start := filepath.Join(top, c.start)
		must(t, os.MkdirAll(start, 0o755))
		w, err := DetectWorkspace(start, h)
		if err != nil || w.Root() != filepath.Join(top, c.want) {
			t.Errorf("%s: from %s: %s, %v; want %s", c.name, c.start, w.Root(), err, c.want)
		}
		if again, err := DetectWorkspace(w.Root(), h); err != nil || again != w {
			t.Errorf("%s: from %s itself: %s, %v", c.name, w.Root(), again.Root(), err)
		}
	}

	link := filepath.Join(top, "user/none/link")
	must(t, os.Symlink(filepath.Join(top, "user/p2/a"), link))
	if w, _ := DetectWorkspace(link, h); w.Root() != filepath.Join(top, "user/p2") {
		t.Errorf("through a link: %s", w.Root())
	}
	for start, want := range map[string]error{"rel": ErrBadPath, filepath.Join(top, "absent"): fs.ErrNotExist} {
		if _, err := DetectWorkspace(start, h); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", start, err, want)
		}
	}
	if _, err := DetectWorkspace(filepath.Join(top, "user/p3/.git"), h); err == nil {
		t.Error("a file is a workspace")
	}
	if w, err := DetectWorkspace("/", h); err != nil || w.Root() != "/" {
		t.Errorf("from /: %s, %v", w.Root(), err)
	}
}

// TestStrangersProject: what others put above a directory does not widen what an agent gets.
func TestStrangersProject(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to act as other users")
	}
	top, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	h, _ := New(filepath.Join(top, "home"))
	const alice, mallory = 1234, 1235
	for _, c := range []struct {
		name               string
		dir, marker, start int
		found              bool
	}{
		{"mine", 0, 0, 0, true},
		{"planted in a shared directory", 0, mallory, 0, false},
		{"a stranger's directory", mallory, mallory, 0, false},
		{"a project of the owner of the start", alice, alice, alice, true},
		{"planted above it", 0, alice, alice, false},
		{"root's, around another's", 0, 0, alice, true},
	} {
		dir := filepath.Join(top, c.name)
		must(t, os.MkdirAll(filepath.Join(dir, ".git"), 0o755))
		must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
		must(t, os.Chown(filepath.Join(dir, ".git"), c.marker, -1))
		must(t, os.Chown(filepath.Join(dir, "sub"), c.start, -1))
		must(t, os.Chown(dir, c.dir, -1))
		want := filepath.Join(dir, "sub")
		if c.found {
			want = dir
		}
		if w, err := DetectWorkspace(filepath.Join(dir, "sub"), h); err != nil || w.Root() != want {
			t.Errorf("%s: %s, %v; want %s", c.name, w.Root(), err, want)
		}
		must(t, os.Chown(dir, 0, -1))
	}
}
