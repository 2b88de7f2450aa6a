package kernel

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestSessionsHaveTheirOwnFiles: what one session writes is seen by itself alone, and not
// by the workspace; it is there after a restart.
func TestSessionsHaveTheirOwnFiles(t *testing.T) {
	o := options(t)
	write(t, filepath.Join(o.Workspace, "a.txt"), "old")
	k, err := Boot(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s1, _, err := k.files.Workspace(t.Context(), "default", "s1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s1.WriteFile("a.txt", []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	s2, _, err := k.files.Workspace(t.Context(), "default", "s2")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := s2.ReadFile("a.txt", 0); string(b) != "old" {
		t.Errorf("the other session reads %q", b)
	}
	if b, _ := os.ReadFile(filepath.Join(o.Workspace, "a.txt")); string(b) != "old" {
		t.Errorf("the workspace holds %q", b)
	}
	p, err := o.Home.Principal("default")
	if err != nil {
		t.Fatal(err)
	}
	empty, err := p.Overlay("s2")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Shutdown("test"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(empty); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a session that wrote nothing left %s behind (%v)", empty, err)
	}
	k, err = Boot(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Shutdown("test")
	s1, _, err = k.files.Workspace(t.Context(), "default", "s1")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := s1.ReadFile("a.txt", 0); string(b) != "new" {
		t.Errorf("after a restart the session reads %q", b)
	}
}

// TestSessionKeepsItsWorkspace: the first client ties it, later ones do not move it.
func TestSessionKeepsItsWorkspace(t *testing.T) {
	k := boot(t)
	first, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{first, second} {
		if err := k.files.bind(t.Context(), "default", "s", dir); err != nil {
			t.Fatal(err)
		}
	}
	got, err := k.files.WorkspaceOf(t.Context(), "default", "s")
	if err != nil || got != first {
		t.Errorf("workspace is %q (%v), want %q", got, err, first)
	}
	if got, err := k.files.WorkspaceOf(t.Context(), "default", "unbound"); err != nil || got != k.opts.Workspace {
		t.Errorf("a session that named none works in %q (%v)", got, err)
	}
}

// TestHomeIsNoWorkspace: neither the home nor what holds it or lies in it, by whatever path.
func TestHomeIsNoWorkspace(t *testing.T) {
	o := options(t)
	h := o.Home.Root()
	k, err := Boot(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Shutdown("test") })
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(h, "keys"), link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{h, filepath.Dir(h), "/", filepath.Join(h, "keys"), link} {
		if err := k.files.bind(t.Context(), "default", "s", dir); err == nil || !strings.Contains(err.Error(), "cannot be a workspace") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	// A daemon that was started there lends it to nobody either.
	k.files.workspace = filepath.Join(h, "keys")
	if _, _, err := k.files.Workspace(t.Context(), "default", "s"); err == nil || !strings.Contains(err.Error(), "cannot be a workspace") {
		t.Errorf("the daemon's own directory: %v", err)
	}
}

func TestTrees(t *testing.T) {
	k := boot(t)
	h, err := k.files.Home(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	tmp, err := k.files.Tmp(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if h.Root() == tmp.Root() || filepath.Dir(filepath.Dir(tmp.Root())) != h.Root() {
		t.Errorf("home is %s, tmp is %s", h.Root(), tmp.Root())
	}
	if _, err := k.files.Home(t.Context(), "../x"); err == nil {
		t.Error("a principal with a path for a name got a home")
	}
	if _, err := k.files.Home(t.Context(), "nobody-yet"); err == nil {
		t.Error("an unknown principal got a home")
	}
}
