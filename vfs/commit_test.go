package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestConflicts changes the workspace behind the overlay's back, and commits with each policy.
func TestConflicts(t *testing.T) {
	agent := func(name string) func(t *testing.T, v *OverlayVfs) {
		return func(t *testing.T, v *OverlayVfs) { must(t, v.WriteFile(name, []byte("agent\n"), 0o644)) }
	}
	user := func(name string) func(t *testing.T, lower string) {
		return func(t *testing.T, lower string) {
			must(t, os.WriteFile(filepath.Join(lower, name), []byte("user!\n"), 0o644))
		}
	}
	cases := []struct {
		name   string
		agent  func(t *testing.T, v *OverlayVfs)
		user   func(t *testing.T, lower string)
		reason string // "" for no conflict
		path   string // looked at after the commit
		ours   string // its content then; "-" for absent
		theirs string
	}{
		{"modified twice", agent("b"), user("b"), "changed", "b", "agent\n", "user!\n"},
		{"added twice", agent("n"), user("n"), "appeared", "n", "agent\n", "user!\n"},
		{"modified and deleted", agent("b"), func(t *testing.T, l string) { must(t, os.Remove(filepath.Join(l, "b"))) }, "deleted", "b", "agent\n", "-"},
		{"deleted and modified", func(t *testing.T, v *OverlayVfs) { must(t, v.Remove("b")) }, user("b"), "changed", "b", "-", "user!\n"},
		{"directory deleted and file modified in it", func(t *testing.T, v *OverlayVfs) { must(t, v.RemoveAll("a")) }, user("a/b/a"), "changed", "a/b/a", "-", "user!\n"},
		{"directory deleted and file added to it", func(t *testing.T, v *OverlayVfs) { must(t, v.RemoveAll("a")) }, user("a/b/new"), "changed", "a/b/new", "user!\n", "user!\n"},
		{"file became a link", agent("b"), func(t *testing.T, l string) {
			must(t, os.Remove(filepath.Join(l, "b")))
			must(t, os.Symlink("a/a", filepath.Join(l, "b")))
		}, "kind", "a/a", "one\ntwo\n", "one\ntwo\n"},
		{"mode changed", agent("b"), func(t *testing.T, l string) { must(t, os.Chmod(filepath.Join(l, "b"), 0o600)) }, "mode", "b", "agent\n", "bee\n"},
		{"touched only", func(t *testing.T, v *OverlayVfs) {
			f, err := v.OpenFile("b", os.O_WRONLY|os.O_APPEND, 0)
			must(t, err)
			f.Write([]byte("more\n"))
			must(t, f.Close())
		}, func(t *testing.T, l string) {
			must(t, os.Chtimes(filepath.Join(l, "b"), time.Time{}, time.Unix(1, 0)))
		}, "", "b", "bee\nmore\n", ""},
		{"touched before a replacement", agent("a/a"), func(t *testing.T, l string) {
			must(t, os.WriteFile(filepath.Join(l, "a/a"), []byte("one\ntwo\n"), 0o600))
		}, "", "a/a", "agent\n", ""},
		{"both did the same", agent("b"), func(t *testing.T, l string) {
			must(t, os.WriteFile(filepath.Join(l, "b"), []byte("agent\n"), 0o644))
		}, "", "b", "agent\n", ""},
		{"elsewhere", agent("b"), user("a/a"), "", "a/a", "user!\n", ""},
		{"size and time set back", agent("a/a"), func(t *testing.T, l string) {
			p := filepath.Join(l, "a/a")
			fi, err := os.Stat(p)
			must(t, err)
			must(t, os.WriteFile(p, []byte("ONE\nTWO\n"), 0o600))
			must(t, os.Chtimes(p, fi.ModTime(), fi.ModTime()))
		}, "changed", "a/a", "agent\n", "ONE\nTWO\n"},
	}
	for _, c := range cases {
		for policy, want := range map[Policy]string{Refuse: "", Ours: c.ours, Theirs: c.theirs} {
			t.Run(c.name+"/"+string('0'+rune(policy)), func(t *testing.T) {
				v, lower := newOverlay(t, OverlayOptions{})
				c.agent(t, v)
				c.user(t, lower)
				before := treeOf(t, lower)
				res, err := v.Commit(CommitOptions{OnConflict: policy})
				if c.reason != "" && policy == Refuse {
					var conflict *ConflictError
					if !errors.As(err, &conflict) || !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), c.reason) {
						t.Fatalf("commit: %v", err)
					}
					if d := diffTrees(before, treeOf(t, lower)); d != "" {
						t.Fatalf("a refused commit changed the workspace:\n%s", d)
					}
					return
				}
				must(t, err)
				if c.reason != "" && len(res.Conflicts) == 0 {
					t.Error("the conflict is not reported")
				}
				if c.reason == "" {
					want = c.ours
				}
				got, err := os.ReadFile(filepath.Join(lower, c.path))
				if errors.Is(err, fs.ErrNotExist) {
					got, err = []byte("-"), nil
				}
				if err != nil || string(got) != want {
					t.Errorf("%s: %q %v, want %q", c.path, got, err, want)
				}
			})
		}
	}
}

// TestKernelStyleConflict: a change that nobody recorded is judged by the upper entry's birth.
func TestKernelStyleConflict(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	// What a kernel copy-up of "b" and a kernel deletion of "a/a" leave behind.
	must(t, os.WriteFile(filepath.Join(v.UpperDir(), "b"), []byte("child\n"), 0o644))
	must(t, os.Mkdir(filepath.Join(v.UpperDir(), "a"), 0o755))
	must(t, v.makeWhiteout(v.stage, "w"))
	must(t, os.Rename(filepath.Join(v.stagePath(), "w"), filepath.Join(v.UpperDir(), "a/a")))
	if list, err := v.Changes(); err != nil || len(list) != 2 {
		t.Fatalf("changes: %v %v", list, err)
	}
	time.Sleep(20 * time.Millisecond) // ctime has the granularity of the kernel's tick
	must(t, os.WriteFile(filepath.Join(lower, "a/a"), []byte("user\n"), 0o600))
	var conflict *ConflictError
	if _, err := v.Commit(CommitOptions{}); !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || conflict.Conflicts[0].Change.Path != "a/a" {
		t.Fatalf("commit: %v", err)
	}
	if res, err := v.Commit(CommitOptions{Paths: []string{"b"}}); err != nil || len(res.Committed) != 1 {
		t.Fatalf("commit of the other: %v %v", res, err)
	}
	if got, _ := os.ReadFile(filepath.Join(lower, "b")); string(got) != "child\n" {
		t.Errorf("committed %q", got)
	}
}

// TestCommitDetails: modes, times and links arrive, and what the overlay did not touch keeps its inode and times.
func TestCommitDetails(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	must(t, os.Chmod(filepath.Join(lower, "d"), 0o2750|fs.ModeSetgid))
	must(t, os.Link(filepath.Join(lower, "b"), filepath.Join(lower, "hard")))
	attr := unix.Setxattr(filepath.Join(lower, "b"), "user.colour", []byte("blue"), 0)
	untouched, err := os.Stat(filepath.Join(lower, "a/b/a"))
	must(t, err)
	must(t, v.WriteFile("b", []byte("new"), 0o644))
	must(t, v.WriteFile("run.sh", []byte("#!/bin/sh\n"), 0o755))
	must(t, v.Chmod("d", 0o700))
	must(t, v.MkdirAll("ro", 0o755))
	must(t, v.WriteFile("ro/f", nil, 0o444))
	must(t, v.Chmod("ro", 0o555))
	must(t, v.Symlink("a/a", "s"))
	then := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	must(t, os.Chtimes(filepath.Join(v.UpperDir(), "run.sh"), then, then))
	if _, err := v.Commit(CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(lower, "ro"), 0o755) // so that the test's directory can be removed
	for name, mode := range map[string]fs.FileMode{"run.sh": 0o755, "d": fs.ModeDir | fs.ModeSetgid | 0o700, "ro": fs.ModeDir | 0o555, "ro/f": 0o444, "b": 0o644} {
		if fi, err := os.Lstat(filepath.Join(lower, name)); err != nil || fi.Mode() != mode {
			t.Errorf("%s: %v %v, want %v", name, fi.Mode(), err, mode)
		}
	}
	if fi, _ := os.Stat(filepath.Join(lower, "run.sh")); !fi.ModTime().Equal(then) {
		t.Errorf("time %v, want %v", fi.ModTime(), then)
	}
	if attr == nil {
		value := make([]byte, 10)
		if n, err := unix.Getxattr(filepath.Join(lower, "b"), "user.colour", value); err != nil || string(value[:n]) != "blue" {
			t.Errorf("attribute: %v %q", err, value)
		}
	}
	if got, _ := os.ReadFile(filepath.Join(lower, "hard")); string(got) != "bee\n" {
		t.Errorf("the other hard link has %q", got)
	}
	if now, _ := os.Stat(filepath.Join(lower, "a/b/a")); !os.SameFile(now, untouched) || !now.ModTime().Equal(untouched.ModTime()) {
		t.Error("an untouched file was replaced")
	}
	if names, _ := os.ReadDir(v.UpperDir()); len(names) != 0 {
		t.Errorf("left in the upper layer: %v", names)
	}
	if len(v.base.recs) != 0 {
		t.Errorf("records left: %v", v.base.recs)
	}
}

// TestCommitWithOpenFile: what is written after the commit through an open handle is a new change, not lost.
func TestCommitWithOpenFile(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	f, err := v.OpenFile("b", os.O_WRONLY|os.O_TRUNC, 0)
	must(t, err)
	f.Write([]byte("first"))
	_, err = v.Commit(CommitOptions{})
	must(t, err)
	f.Write([]byte(" second"))
	must(t, f.Close())
	if got, _ := os.ReadFile(filepath.Join(lower, "b")); string(got) != "first" {
		t.Errorf("committed %q", got)
	}
	if got, _ := v.ReadFile("b", 0); string(got) != "first second" {
		t.Errorf("the view has %q", got)
	}
	_, err = v.Commit(CommitOptions{})
	must(t, err)
	if got, _ := os.ReadFile(filepath.Join(lower, "b")); string(got) != "first second" {
		t.Errorf("the second commit: %q", got)
	}
}

// TestCommitNeverFollows: a directory that became a link to the outside is not written through, even with ours.
func TestCommitNeverFollows(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	out := t.TempDir()
	must(t, os.WriteFile(filepath.Join(out, "a"), []byte("outside"), 0o644))
	must(t, v.WriteFile("a/a", []byte("agent"), 0o644))
	must(t, v.WriteFile("a/b/new", []byte("agent"), 0o644))
	must(t, os.RemoveAll(filepath.Join(lower, "a")))
	must(t, os.Symlink(out, filepath.Join(lower, "a")))
	if _, err := v.Commit(CommitOptions{}); !errors.Is(err, ErrConflict) {
		t.Errorf("commit: %v", err)
	}
	_, err := v.Commit(CommitOptions{OnConflict: Ours})
	must(t, err)
	if names, _ := os.ReadDir(out); len(names) != 1 {
		t.Errorf("the outside has %v", names)
	}
	if got, _ := os.ReadFile(filepath.Join(out, "a")); string(got) != "outside" {
		t.Errorf("the outside file has %q", got)
	}
	if fi, err := os.Lstat(filepath.Join(lower, "a")); err != nil || !fi.IsDir() {
		t.Errorf("ours: %v %v", fi.Mode(), err)
	}
}

// TestFailedCommitRollsBack: a commit that cannot be prepared leaves nothing behind.
func TestFailedCommitRollsBack(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	must(t, v.WriteFile("b", []byte("agent"), 0o644))
	must(t, v.WriteFile("n", []byte("agent"), 0o644))
	list, err := v.Changes()
	must(t, err)
	j, err := v.plan(list)
	must(t, err)
	before := treeOf(t, lower)
	// The second file's temporary name is taken.
	must(t, os.WriteFile(filepath.Join(lower, string(j.Steps[1].Temp)), nil, 0o644))
	if err := v.run(j); !errors.Is(err, unix.EEXIST) {
		t.Fatalf("run: %v", err)
	}
	if d := diffTrees(before, treeOf(t, lower)); d != "" {
		t.Errorf("left behind:\n%s", d)
	}
	if _, err := v.Commit(CommitOptions{}); err != nil {
		t.Errorf("the next commit: %v", err)
	}
}

func TestDiscardPart(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	before := treeOf(t, lower)
	must(t, v.RemoveAll("a"))
	must(t, v.WriteFile("b", []byte("agent"), 0o644))
	must(t, v.Discard("a/b/c")) // brings back its parents, and nothing beside it
	got := tree(t, v)
	for _, p := range []string{"a/b/c", "a/b/c/d"} {
		if got[p] != before[p] {
			t.Errorf("%s: %q", p, got[p])
		}
	}
	for _, p := range []string{"a/a", "a/b/a", "a/c"} {
		if _, ok := got[p]; ok {
			t.Errorf("%s is back too", p)
		}
	}
	if data, _ := v.ReadFile("b", 0); string(data) != "agent" {
		t.Error("another change was discarded")
	}
}

// TestBefore: it sees what is going to happen while nothing has, and can stop it.
func TestBefore(t *testing.T) {
	stop := errors.New("stop")
	for _, policy := range []Policy{Refuse, Ours, Theirs} {
		v, lower := newOverlay(t, OverlayOptions{})
		must(t, v.WriteFile("b", []byte("agent"), 0o644))
		must(t, v.WriteFile("n", []byte("agent"), 0o644))
		must(t, os.WriteFile(filepath.Join(lower, "b"), []byte("user"), 0o644))
		before := treeOf(t, lower)
		var seen *CommitResult
		o := CommitOptions{OnConflict: policy, Before: func(r *CommitResult) error { seen = r; return stop }}
		_, err := v.Commit(o)
		if policy == Refuse {
			if !errors.Is(err, ErrConflict) || seen != nil {
				t.Errorf("refuse: %v %v", err, seen)
			}
			o.Paths, seen = []string{"n"}, nil
			_, err = v.Commit(o)
		}
		want := map[Policy]int{Refuse: 1, Ours: 2, Theirs: 1}[policy]
		if !errors.Is(err, stop) || seen == nil || len(seen.Committed) != want {
			t.Errorf("policy %d: %v %+v, want %d changes", policy, err, seen, want)
		}
		if d := diffTrees(before, treeOf(t, lower)); d != "" {
			t.Errorf("policy %d changed the workspace:\n%s", policy, d)
		}
		if data, _ := v.ReadFile("b", 0); string(data) != "agent" {
			t.Errorf("policy %d changed the overlay: %q", policy, data)
		}
		seen = nil
		if _, err := v.Commit(CommitOptions{Paths: []string{"d"}, Before: o.Before}); err != nil || seen != nil {
			t.Errorf("nothing to commit: %v %v", err, seen)
		}
	}
}

// TestCommitOfManyFiles: beyond a number the files of a commit are synced together.
func TestCommitOfManyFiles(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	for i := range syncEach + 1 {
		must(t, v.WriteFile(fmt.Sprintf("many/%d", i), []byte("new"), 0o640))
	}
	want := tree(t, v)
	_, err := v.Commit(CommitOptions{})
	must(t, err)
	if d := diffTrees(want, treeOf(t, lower)); d != "" {
		t.Errorf("committed:\n%s", d)
	}
	if list, err := v.Changes(); err != nil || len(list) > 0 {
		t.Errorf("left: %v, %v", list, err)
	}
}
