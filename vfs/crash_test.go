package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	killEnv   = "VFS_TEST_KILL"   // directory with lower and upper, which the child commits
	roundsEnv = "VFS_KILL_ROUNDS" // rounds of TestKillDuringCommit; 20 by default
)

// children are what this test program does instead of testing when the environment variable is set.
var children = map[string]func(arg string) int{killEnv: killChild}

func TestMain(m *testing.M) {
	for env, run := range children {
		if arg := os.Getenv(env); arg != "" {
			os.Exit(run(arg))
		}
	}
	os.Exit(m.Run())
}

func killChild(dir string) int {
	v, err := NewOverlay(filepath.Join(dir, "lower"), filepath.Join(dir, "upper"), OverlayOptions{})
	if err == nil {
		fmt.Println("go") // the parent's clock starts
		_, err = v.Commit(CommitOptions{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestKillDuringCommit kills a committing process at random moments. Each file is the old or the new one; the next open
// finishes or undoes the whole commit.
func TestKillDuringCommit(t *testing.T) {
	rounds := 20
	if n, err := strconv.Atoi(os.Getenv(roundsEnv)); err == nil {
		rounds = n
	}
	full := map[int]time.Duration{} // how long an undisturbed commit of so many files takes, at best
	outcomes := map[string]int{}
	for round := range rounds + 2 {
		files := []int{20, 2 * syncEach}[round%2] // synced one by one, or all together
		dir, err := os.MkdirTemp(t.TempDir(), "")
		must(t, err)
		lower, upper := filepath.Join(dir, "lower"), filepath.Join(dir, "upper")
		oldPic, newPic := prepareKill(t, lower, upper, files)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		if _, err := out.Read(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if round < 2 {
			must(t, cmd.Wait())
			full[files] = time.Since(start)
			continue
		}
		// The kill itself is what is timed here, not synchronised: any moment is right.
		timer := time.AfterFunc(time.Duration(rand.Int64N(int64(full[files])*11/10)), func() { cmd.Process.Kill() })
		if cmd.Wait() == nil {
			full[files] = min(full[files], time.Since(start))
		}
		timer.Stop()
		outcomes[checkKilled(t, lower, upper, oldPic, newPic)]++
		os.RemoveAll(dir)
	}
	t.Logf("commits take %v; after the kill: %v", full, outcomes)
}

// prepareKill makes a workspace and an overlay with many changes of all kinds, and returns the pictures before and after.
func prepareKill(t *testing.T, lower, upper string, files int) (before, after map[string]string) {
	for i := range files + 10 {
		d := filepath.Join(lower, fmt.Sprintf("d%d", i%5))
		must(t, os.MkdirAll(d, 0o755))
		f := filepath.Join(d, fmt.Sprintf("f%d", i))
		must(t, os.WriteFile(f, []byte(strings.Repeat("old ", 500)), 0o644))
		if i%3 == 0 { // is replaced by a copy, where the filesystem has attributes
			_ = unix.Setxattr(f, "user.colour", []byte("green"), 0)
		}
	}
	before = treeOf(t, lower)
	v, err := NewOverlay(lower, upper, OverlayOptions{})
	must(t, err)
	defer v.Close()
	for i := range files {
		must(t, v.WriteFile(fmt.Sprintf("d%d/f%d", i%5, i), []byte(strings.Repeat("new!", 500)), 0o644))
	}
	must(t, v.RemoveAll("d4"))
	must(t, v.WriteFile("d4", []byte("a file now"), 0o644))
	must(t, v.Rename("d3", "moved"))
	must(t, v.WriteFile("fresh/deep/file", nil, 0o600))
	must(t, v.Remove("d0/f25"))
	must(t, v.Chmod("d1", 0o700))
	must(t, v.Symlink("d0", "link"))
	return before, tree(t, v)
}

func checkKilled(t *testing.T, lower, upper string, before, after map[string]string) string {
	t.Helper()
	for p, now := range treeOf(t, lower) {
		if strings.HasPrefix(path.Base(p), tempPrefix) || strings.HasPrefix(now, "d") {
			continue // a directory's mode comes last
		}
		if now != before[p] && now != after[p] {
			t.Errorf("%s is neither old nor new: %.40q", p, now)
		}
	}
	_, err := os.Stat(upper + ".state/journal.json")
	interrupted := err == nil
	v, err := NewOverlay(lower, upper, OverlayOptions{})
	must(t, err)
	defer v.Close()
	if _, err := os.Stat(v.journalPath()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the journal is still there: %v", err)
	}
	now := treeOf(t, lower)
	undone, done := diffTrees(before, now), diffTrees(after, now)
	if undone != "" && done != "" {
		t.Fatalf("after recovery the workspace is half committed:\n%s", done)
	}
	if d := diffTrees(after, tree(t, v)); d != "" {
		t.Fatalf("after recovery the view changed:\n%s", d)
	}
	if _, err := v.Commit(CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	if d := diffTrees(after, treeOf(t, lower)); d != "" {
		t.Fatalf("the commit after recovery:\n%s", d)
	}
	switch {
	case done == "" && interrupted:
		return "finished by recovery"
	case done == "":
		return "finished before"
	case interrupted:
		return "undone by recovery"
	}
	return "not started"
}

// TestRecoverySparesLaterEdits: what somebody changed between the crash and the recovery is left alone.
func TestRecoverySparesLaterEdits(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	must(t, v.WriteFile("b", []byte("agent"), 0o644))
	must(t, v.WriteFile("a/a", []byte("agent"), 0o644))
	must(t, v.Remove("d/a/b"))
	list, err := v.Changes()
	must(t, err)
	j, err := v.plan(list)
	must(t, err)
	j.Phase = applying
	for i := range j.Steps {
		if j.Steps[i].Kind == stepPlace {
			must(t, v.prepare(&j.Steps[i], false))
		}
	}
	must(t, v.writeJournal(j))
	must(t, os.WriteFile(filepath.Join(lower, "b"), []byte("the user's own edit"), 0o644))
	must(t, os.WriteFile(filepath.Join(lower, "d/a/b"), []byte("edited too"), 0o644))
	v.reopen(t)
	for name, want := range map[string]string{"b": "the user's own edit", "a/a": "agent", "d/a/b": "edited too"} {
		if got, _ := os.ReadFile(filepath.Join(lower, name)); string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	left, err := v.Changes()
	must(t, err)
	if len(left) != 2 {
		t.Errorf("left in the overlay: %v", left)
	}
	var conflict *ConflictError
	if _, err := v.Commit(CommitOptions{}); !errors.As(err, &conflict) || len(conflict.Conflicts) != 2 {
		t.Errorf("the next commit: %v", err)
	}
	if matches, _ := filepath.Glob(filepath.Join(lower, tempPrefix+"*")); len(matches) > 0 {
		t.Errorf("left in the workspace: %v", matches)
	}
}
