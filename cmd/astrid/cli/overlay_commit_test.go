package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// disputed makes two files that both sides changed, and one that only the session did.
func disputed(d *desk) {
	d.put("a", "old\n")
	d.put("b", "old\n")
	d.edit("s", func(v *vfs.OverlayVfs) []error {
		return []error{v.WriteFile("a", []byte("agent\n"), 0o644), v.Remove("b"), v.WriteFile("c", []byte("agent\n"), 0o644)}
	})
	d.put("a", "user\n")
	d.put("b", "user\n")
}

func TestConflictHasThreeWaysOut(t *testing.T) {
	d := newDesk(t)
	disputed(d)
	if _, note := d.want(ExitOK, "diff"); !strings.Contains(note, "2 conflicts would stop a commit") || !strings.Contains(note, "  a: changed in the workspace") {
		t.Errorf("diff says %q", note)
	}
	for _, args := range []string{"commit", "commit --dry-run", "commit a", "commit --session s", "commit --json"} {
		out, note := d.want(ExitConflict, strings.Fields(args)...)
		for _, s := range []string{"nothing was committed", "--ours", "--theirs", "> x.patch"} {
			if !strings.Contains(note, s) {
				t.Errorf("%s: no word of %q in %s", args, s, note)
			}
		}
		if strings.Contains(args, "json") {
			var r overlayReport
			if err := json.Unmarshal([]byte(out), &r); err != nil || r.Done || r.ConflictCount != 2 || r.Conflicts[0].Path != "a" || r.Conflicts[0].Conflict == "" {
				t.Errorf("%v %s", err, out)
			}
		} else if out != "" {
			t.Errorf("%s: %q", args, out)
		}
		if strings.Contains(args, "session") != strings.Contains(note, "astrid commit --session s --ours") {
			t.Errorf("%s: the hint is %s", args, note)
		}
	}
	if d.get("c") != "-" {
		t.Error("a refused commit did something")
	}
	// What has no conflict can be committed by name.
	d.want(ExitOK, "commit", "c")
	// Third way out: the patch, to be merged by hand.
	if out, _ := d.want(ExitOK, "diff", "a"); !strings.Contains(out, "-user\n+agent\n") {
		t.Errorf("the patch is %s", out)
	}
	out, note := d.want(ExitOK, "commit", "--ours", "--dry-run", "a")
	if out != "modified  a\n" || !strings.Contains(note, "would commit 1 change") || d.get("a") != "user\n" {
		t.Errorf("%s%s", out, note)
	}
	if _, note := d.want(ExitOK, "commit", "--ours", "a"); !strings.Contains(note, "the session's version wins") || d.get("a") != "agent\n" {
		t.Errorf("%s: %q", note, d.get("a"))
	}
	if _, note := d.want(ExitOK, "commit", "--theirs"); !strings.Contains(note, "the workspace's version stays") || d.get("b") != "user\n" {
		t.Errorf("%s: %q", note, d.get("b"))
	}
	if out, _ := d.want(ExitOK, "diff"); out != "" {
		t.Errorf("left are %s", out)
	}
}

func TestDiscard(t *testing.T) {
	d := newDesk(t)
	disputed(d)
	if _, note := d.want(ExitUsage, "discard"); !strings.Contains(note, "--yes") {
		t.Errorf("without a terminal: %s", note)
	}
	if out, _ := d.want(ExitOK, "discard", "c"); out != "added     c\n" {
		t.Errorf("a part without a terminal: %q", out)
	}
	d.terminal = true
	for _, answer := range []string{"n\n", "\n", "", "what\n"} {
		d.stdin = answer
		if _, note := d.want(ExitError, "discard"); !strings.Contains(note, "Discard 2 changes of session ") || !strings.Contains(note, "deleted   b") {
			t.Errorf("%q: %s", answer, note)
		}
	}
	d.stdin = "y\n"
	if out, note := d.want(ExitOK, "discard"); out != "modified  a\ndeleted   b\n" || !strings.Contains(note, "discarded 2 changes") {
		t.Errorf("%q %s", out, note)
	}
	if d.get("a") != "user\n" || d.get("b") != "user\n" {
		t.Error("the user's files changed")
	}
	d.terminal = false
	out, _ := d.want(ExitOK, "discard", "--yes", "--json")
	var r overlayReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Done || r.Changes == nil {
		t.Errorf("%v %s", err, out)
	}
	if _, note := d.want(ExitOK, "discard", "--yes", "--session", "s"); !strings.Contains(note, "nothing to discard") {
		t.Errorf("nothing is left: %s", note)
	}
}

func TestTwoSessionsOfAWorkspace(t *testing.T) {
	d := newDesk(t)
	if out, note := d.want(ExitOK, "diff", "--sessions"); out != "" || !strings.Contains(note, "no session has changes") {
		t.Errorf("%q %q", out, note)
	}
	for _, s := range []string{"first", "second"} {
		d.edit(s, func(v *vfs.OverlayVfs) []error { return []error{v.WriteFile("f", []byte(s+"\n"), 0o644)} })
	}
	d.use("idle") // used last, but it changed nothing
	id, err := sessionID("first")
	if err != nil {
		t.Fatal(err)
	}
	out, note := d.want(ExitOK, "diff")
	if !strings.Contains(out, "+second\n") || !strings.Contains(note, "2 sessions of this directory have changes") {
		t.Errorf("%s%s", out, note)
	}
	for _, s := range []string{"first", id, id[:8]} {
		if out, note := d.want(ExitOK, "diff", "--session", s); !strings.Contains(out, "+first\n") || note != "" {
			t.Errorf("--session %s: %s%s", s, out, note)
		}
	}
	list, _ := d.want(ExitOK, "diff", "--sessions")
	if lines := strings.Split(list, "\n"); len(lines) != 4 || !strings.HasPrefix(lines[2], id) || !strings.Contains(lines[2], d.ws) {
		t.Errorf("sessions:\n%s", list)
	}
	var infos []abi.OverlayInfo
	out, _ = d.want(ExitOK, "diff", "--sessions", "--json")
	if err := json.Unmarshal([]byte(out), &infos); err != nil || len(infos) != 2 || infos[1].Session != id || infos[1].Changes != 1 || infos[1].UsedAt.IsZero() {
		t.Errorf("%v %s", err, out)
	}
	if _, note := d.want(ExitError, "diff", "--session", "nobody"); !strings.Contains(note, "no session begins with nobody") {
		t.Errorf("%s", note)
	}
	if _, note := d.want(ExitOK, "diff", "--session", "idle"); !strings.Contains(note, "has no changes") {
		t.Errorf("%s", note)
	}
	d.use("first") // now it is the last used one
	d.want(ExitOK, "commit")
	if d.get("f") != "first\n" {
		t.Errorf("committed %q", d.get("f"))
	}
	// The file that the other session adds has appeared meanwhile.
	d.want(ExitConflict, "commit")
	d.want(ExitOK, "commit", "--ours")
	if d.get("f") != "second\n" {
		t.Errorf("committed %q", d.get("f"))
	}
	d.cwd = t.TempDir()
	if out, note := d.want(ExitOK, "commit"); out != "" || !strings.Contains(note, "no session of this directory") {
		t.Errorf("elsewhere: %q %q", out, note)
	}
}

// TestManyAndLarge: more changes than an answer holds, and a diff larger than a frame.
func TestManyAndLarge(t *testing.T) {
	d := newDesk(t)
	const files = abi.MaxOverlayPage + 10
	big := func(letter string) string { return strings.Repeat(strings.Repeat(letter, 1<<10-1)+"\n", 4<<10) }
	d.put("big", big("o"))
	d.edit("s", func(v *vfs.OverlayVfs) (errs []error) {
		for i := range files {
			errs = append(errs, v.WriteFile(fmt.Sprintf("d%d/%d", i%10, i), []byte("x\n"), 0o644))
		}
		return append(errs, v.WriteFile("big", []byte(big("n")), 0o644), v.WriteFile("huge", make([]byte, 5<<20), 0o644))
	})
	out, _ := d.want(ExitOK, "diff", "--name-only")
	if n := strings.Count(out, "\n"); n != files+2 {
		t.Errorf("%d names, want %d", n, files+2)
	}
	out, _ = d.want(ExitOK, "diff", "--stat")
	for _, s := range []string{" 8192 +", "| Bin 0 -> 5242880 bytes (new)\n", fmt.Sprintf(" %d files changed, %d insertions(+), 4096 deletions(-)\n", files+2, files+4096)} {
		if !strings.Contains(out, s) {
			t.Errorf("--stat does not have %q: %.300s", s, out)
		}
	}
	out, note := d.want(ExitOK, "discard", "--yes")
	if !strings.Contains(out, "and 12 more\n") || !strings.Contains(note, fmt.Sprintf("discarded %d changes", files+2)) {
		t.Errorf("%.200s %s", out, note)
	}
}

func TestOverlayUsage(t *testing.T) {
	d := newDesk(t)
	for _, args := range []string{
		"diff --stat --json", "diff --stat --name-only", "diff --sessions --stat", "diff --sessions x", "diff --sessions --session s",
		"diff -z", "commit --ours --theirs", "commit --force", "diff --session " + strings.Repeat("s", 200),
	} {
		d.want(ExitUsage, strings.Fields(args)...)
	}
	for _, args := range []string{"diff --json", "commit --json", "discard --yes --json"} {
		out, _ := d.want(ExitOK, strings.Fields(args)...)
		var v struct{ Changes []any }
		if err := json.Unmarshal([]byte(out), &v); err != nil || v.Changes == nil {
			t.Errorf("%s without a session: %s", args, out)
		}
	}
	d.use("s")
	d.want(ExitUsage, "diff", "--session", "s", "")
}
