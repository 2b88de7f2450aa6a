package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/distros"
)

// TestTurnDiffCommit is the whole way of a file that an agent writes, with the offline
// provider: it is told about, shown, and reaches the workspace when the user says so.
func TestTurnDiffCommit(t *testing.T) {
	d := newDesk(t)
	d.shutdown()
	Stock(t, d.home)
	d.want(ExitOK, "init", "--yes", "--distro", distros.Minimal, "--provider", "offline")
	d.boot()
	d.put("sub/keep.txt", "mine\n")

	if _, note := d.want(ExitOK, "-p", "read sub/keep.txt"); strings.Contains(note, "changed") {
		t.Errorf("a turn that wrote nothing says %q", note)
	}
	_, note := d.want(ExitOK, "-p", "write hello to docs/new.txt", "--session", "work", "--print-session")
	id, err := sessionID("work")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(note, "astrid: 1 file changed in the session's copy: astrid diff, astrid commit\n"+id+"\n") {
		t.Errorf("the turn says %q", note)
	}
	if d.get("docs/new.txt") != "-" {
		t.Fatal("the workspace was changed without a commit")
	}
	for _, format := range []string{"json", "stream-json"} {
		out, note := d.want(ExitOK, "-p", "write more to sub/"+format+".txt", "--session", "work", "--output-format", format)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if format == "json" {
			lines = []string{out}
		}
		var r jsonResult
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil || r.ChangedFiles == nil || *r.ChangedFiles != map[string]int{"json": 2, "stream-json": 3}[format] {
			t.Errorf("%s: %v %s", format, err, out)
		}
		if strings.Contains(note, "changed in the session's copy") {
			t.Errorf("%s: standard error has %q", format, note)
		}
	}
	// The agent goes on in its own copy after a part was taken over.
	if out, _ := d.want(ExitOK, "diff"); !strings.Contains(out, "+++ b/docs/new.txt\n@@ -0,0 +1 @@\n+hello\n") {
		t.Errorf("the diff is %s", out)
	}
	d.want(ExitOK, "commit", "docs")
	if got := d.get("docs/new.txt"); got != "hello\n" && got != "hello" {
		t.Errorf("committed %q", got)
	}
	d.want(ExitOK, "discard", "sub")
	out, _ := d.want(ExitOK, "-p", "read docs/new.txt", "--session", "work")
	if !strings.Contains(out, "hello") {
		t.Errorf("the session reads %q", out)
	}
	// From elsewhere the hint names the session.
	d.cwd = t.TempDir()
	if _, note := d.want(ExitOK, "-p", "write x to y.txt", "--session", "work"); !strings.Contains(note, "astrid commit --session "+id) {
		t.Errorf("from elsewhere the turn says %q", note)
	}
	d.want(ExitOK, "commit", "--session", "work")
	if d.get("y.txt") == "-" {
		t.Error("the commit from elsewhere did not reach the workspace")
	}
	if out, _ := d.want(ExitOK, "audit", "query", "--json"); strings.Count(out, `"overlay.commit"`) != 2 || strings.Count(out, `"overlay.discard"`) != 1 {
		t.Errorf("the audit log has %d commits and %d discards", strings.Count(out, `"overlay.commit"`), strings.Count(out, `"overlay.discard"`))
	}
	d.want(ExitOK, "audit", "verify")
}
