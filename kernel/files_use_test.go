package kernel

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/vfs"
)

// TestOverlaysThatNobodyUsesAreClosed: a session's files are closed a while after the last call in them, not under one that lasts, and are
// opened again by the next as they were. One that nothing was written in leaves nothing behind.
func TestOverlaysThatNobodyUsesAreClosed(t *testing.T) {
	k := boot(t)
	f := k.files
	get := func(session string) (vfs.Vfs, func()) {
		t.Helper()
		v, release, err := f.Workspace(t.Context(), "default", session)
		noError(t, err)
		return v, release
	}
	open := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.overlays)
	}
	written, release := get("written")
	noError(t, written.WriteFile("a.txt", []byte("kept"), 0o644))
	_, again := get("written")
	_, empty := get("empty")
	_, used := get("used")
	release()
	empty()
	f.sweep(time.Now().Add(time.Hour))
	if n := open(); n != 2 {
		t.Errorf("%d overlays are open, want the two in use", n)
	}
	again()
	again() // counts once
	f.sweep(time.Now())
	if n := open(); n != 2 {
		t.Errorf("%d overlays are open, want one in use and one just left", n)
	}
	f.sweep(time.Now().Add(overlayLinger))
	if n := open(); n != 1 {
		t.Errorf("%d overlays are open, want the one in use", n)
	}
	if _, err := written.ReadFile("a.txt", 0); !errors.Is(err, vfs.ErrClosed) {
		t.Errorf("the closed tree reads: %v", err)
	}
	written, release = get("written")
	if b, err := written.ReadFile("a.txt", 0); err != nil || string(b) != "kept" {
		t.Errorf("opened again it has %q, %v", b, err)
	}
	release()
	used()
	dir, err := f.overlayDir(sessionKey{"default", "empty"})
	noError(t, err)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the empty overlay is still there: %v", err)
	}
	f.mu.Lock()
	armed := f.sweeper != nil
	f.mu.Unlock()
	if !armed {
		t.Error("nobody will close what is open now")
	}
}

// TestProgramsKeepOverlaysOpen: while a program runs in a session's files they stay open, however long ago a guest used them.
func TestProgramsKeepOverlaysOpen(t *testing.T) {
	needSandbox(t)
	k := boot(t)
	p := runIn(t, k, "s", "echo up; while ! test -e go; do sleep 0.01; done; cat go > done", true)
	waitOutput(t, p, "up")
	k.files.sweep(time.Now().Add(time.Hour))
	v, release, err := k.files.Workspace(t.Context(), "default", "s")
	noError(t, err)
	defer release()
	noError(t, v.WriteFile("go", []byte("seen"), 0o644))
	<-p.Done()
	if b, err := v.ReadFile("done", 0); err != nil || string(b) != "seen" {
		t.Errorf("the program left %q, %v", b, err)
	}
}
