package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

func TestNextPiece(t *testing.T) {
	file := func(p string) abi.OverlayChange {
		return abi.OverlayChange{Path: p, OldKind: "file", NewKind: "file", NewSize: 10}
	}
	list := []abi.OverlayChange{
		file("a"), file("a-b"), file("a/x"), file("ab"),
		{Path: "d", NewKind: "directory"},
	}
	list[0].OldKind = "directory"
	if paths, rest := nextPiece(list); strings.Join(paths, " ") != "a a-b ab" || len(rest) != 0 {
		t.Errorf("a file in the place of a directory stands for what was in it: %v %v", paths, rest)
	}
	list = nil
	for i := range patchFiles + 1 {
		list = append(list, file(fmt.Sprint(i)))
	}
	if paths, rest := nextPiece(list); len(paths) != patchFiles || len(rest) != 1 {
		t.Errorf("%d paths, %d left", len(paths), len(rest))
	}
	list[0].NewSize = patchBytes
	if paths, _ := nextPiece(list); len(paths) != 1 {
		t.Errorf("a large file comes with %d others", len(paths)-1)
	}
}

// FuzzPatchName: whatever a file is called, its lines are counted for it.
func FuzzPatchName(f *testing.F) {
	for _, s := range []string{"a", "a b", "a b/x b/a", "two\nlines", `quo"te`, "tab\t", `back\slash`, "ä", "\x1b[2J"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || strings.ContainsRune(name, 0) {
			return
		}
		a, b := "a/"+name, "b/"+name
		if strings.ContainsAny(name, "\"\\\t\n\r") || strings.ToValidUTF8(name, "") != name {
			a, b = fmt.Sprintf("%q", a), fmt.Sprintf("%q", b) // as the diff has it
		}
		s := patchStats{}
		s.read("diff --git " + a + " " + b + "\n--- x\n+++ x\n@@ -1 +1,2 @@\n-x\n+--- y\n++++ z\n")
		if c := s[name]; len(s) != 1 || c == nil || c.ins != 2 || c.del != 1 || c.binary {
			t.Errorf("%q: %v", name, s)
		}
	})
}

// FuzzPatch: no text of a diff is lost, and none of it steers a terminal.
func FuzzPatch(f *testing.F) {
	f.Add("diff --git a/x b/x\n@@ -1 +1 @@\n-\x1b[2J\n+\u202e\n\\ No newline at end of file\n")
	f.Add("\n\n@@\n")
	f.Fuzz(func(t *testing.T, text string) {
		patchStats{}.read(text)
		p := painter{}
		if got := p.paint(text); strings.ContainsAny(got, "\x1b\r\x07\u202e") || strings.Count(got, "\n") < strings.Count(text, "\n") {
			t.Errorf("%q became %q", text, got)
		}
	})
}
