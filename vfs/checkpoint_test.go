package vfs

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// TestCheckpointModel: whatever happens after a checkpoint, restoring it gives the view of then, also when a crash
// interrupts it, and what is committed afterwards is that view.
func TestCheckpointModel(t *testing.T) {
	for _, format := range []Format{FormatOverlayfs, FormatXattr, FormatFiles} {
		t.Run(string(format), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				v, m, lower := withModel(t, rt, format)
				for range rapid.IntRange(1, 15).Draw(rt, "steps before") {
					randomStep(rt, v, m)
				}
				m.committed = false
				want := tree(rt, v)
				c, err := v.Checkpoint("x")
				if err != nil {
					rt.Fatal(err)
				}
				for range rapid.IntRange(1, 15).Draw(rt, "steps after") {
					randomStep(rt, v, m)
				}
				if m.committed { // the workspace is another one now, and shows where the checkpoint has nothing
					return
				}
				checkRestore(rt, v, c)
				if d := diffTrees(want, tree(rt, v)); d != "" {
					rt.Fatalf("restored is something else:\n%s", d)
				}
				if _, err := v.Commit(CommitOptions{}); err != nil {
					rt.Fatal(err)
				}
				if d := diffTrees(want, treeOf(rt, lower)); d != "" {
					rt.Fatalf("committed is something else:\n%s", d)
				}
			})
		})
	}
}

// checkRestore restores a checkpoint, at once or after a crash in the middle.
func checkRestore(t *rapid.T, v *OverlayVfs, c Checkpoint) {
	if !rapid.Bool().Draw(t, "crash") {
		if err := v.Restore(c.ID, nil); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.WriteFile(v.restorePath(), []byte(strconv.Itoa(c.ID)), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := namesAt(v.up)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names[:rapid.IntRange(0, len(names)).Draw(t, "removed")] {
		if err := removeTree(v.up, n); err != nil {
			t.Fatal(err)
		}
	}
	v.reopen(t)
	if _, err := os.Lstat(v.restorePath()); !os.IsNotExist(err) {
		t.Fatalf("the restore is not finished: %v", err)
	}
}

func TestCheckpointsCountAndGo(t *testing.T) {
	v, _ := newOverlay(t, OverlayOptions{})
	must(t, v.WriteFile("new", []byte("one"), 0o644))
	first, err := v.Checkpoint("first")
	must(t, err)
	if first.ID != 1 || first.Changes != 1 || first.Bytes != 3 {
		t.Errorf("%+v", first)
	}
	must(t, v.WriteFile("new", []byte("three"), 0o644))
	_, err = v.Checkpoint("")
	must(t, err)
	must(t, v.DropCheckpoint(1))
	list, err := v.Checkpoints()
	must(t, err)
	if len(list) != 1 || list[0].ID != 2 || list[0].Bytes != 5 {
		t.Errorf("%+v", list)
	}
	for _, err := range []error{v.Restore(1, nil), v.Restore(99, nil), v.DropCheckpoint(1), v.DropCheckpoint(-1)} {
		if !errors.Is(err, ErrNoCheckpoint) {
			t.Errorf("%v", err)
		}
	}
	stop := errors.New("stop")
	must(t, v.WriteFile("new", []byte("kept"), 0o644))
	if err := v.Restore(2, func(Checkpoint) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
	if got, err := v.ReadFile("new", 10); err != nil || string(got) != "kept" {
		t.Errorf("a restore that was stopped did %q, %v", got, err)
	}
	for n := 3; n <= MaxCheckpoints+1; n++ {
		_, err = v.Checkpoint("")
		must(t, err)
	}
	if _, err := v.Checkpoint(""); !errors.Is(err, ErrCheckpoints) {
		t.Errorf("%v", err)
	}
}

// TestRestoreKeepsConflicts: what a child wrote is known by its age only, and a copy is younger.
func TestRestoreKeepsConflicts(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	child := filepath.Join(v.UpperDir(), "b")
	must(t, os.WriteFile(child, []byte("by a child"), 0o644))
	c, err := v.Checkpoint("")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(lower, "b"), []byte("by the user"), 0o644))
	must(t, v.Restore(c.ID, nil))
	if _, err := v.Commit(CommitOptions{}); !errors.Is(err, ErrConflict) {
		t.Errorf("commit over what the user wrote: %v", err)
	}
}

// TestCheckpointOfUnreadable: modes that forbid reading are kept, as an unprivileged user too.
func TestCheckpointOfUnreadable(t *testing.T) {
	v, _ := newOverlay(t, OverlayOptions{})
	must(t, v.WriteFile("shut", []byte("x"), 0o600))
	must(t, v.Chmod("shut", 0))
	c, err := v.Checkpoint("")
	must(t, err)
	must(t, v.Remove("shut"))
	must(t, v.Restore(c.ID, nil))
	st, err := statAt(v.up, "shut")
	if err != nil || st.mode.Perm() != 0 || st.size != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	if err := unix.Faccessat(v.stage, ".", unix.W_OK, 0); err != nil {
		t.Error(err)
	}
}
