package main

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func TestGrep(t *testing.T) {
	h := workspace(t)
	h.WriteFile("home://notes/n.txt", "two at home")
	for _, c := range []struct {
		args obj
		want string
	}{
		{obj{"pattern": "two"}, "a.txt:2:two\ndir/b.txt:1:two of b\ndir/deep/c.txt:2:the two of c"}, // neither .git nor binary files
		{obj{"pattern": "two", "dir_path": nil}, "a.txt:2:two\ndir/b.txt:1:two of b\ndir/deep/c.txt:2:the two of c"},
		{obj{"pattern": "two", "dir_path": ""}, "a.txt:2:two\ndir/b.txt:1:two of b\ndir/deep/c.txt:2:the two of c"},
		{obj{"pattern": "two", "dir_path": "dir"}, "dir/b.txt:1:two of b\ndir/deep/c.txt:2:the two of c"},
		{obj{"pattern": "two", "dir_path": "dir/"}, "dir/b.txt:1:two of b\ndir/deep/c.txt:2:the two of c"},
		{obj{"pattern": "two", "dir_path": "a.txt"}, "a.txt:2:two"},
		{obj{"pattern": "two", "dir_path": "home://"}, "home://notes/n.txt:1:two at home"},
		{obj{"pattern": "t.o"}, "No matches found."}, // literal
		{obj{"pattern": "TWO"}, "No matches found."},
		{obj{"pattern": "ö"}, "dos.txt:2:ö"},
		{obj{"pattern": "two\nthree"}, "No matches found."},
	} {
		if got, ok := text(t, h, "grep_search", c.args); !ok || got != c.want {
			t.Errorf("%v: %q, want %q", c.args, got, c.want)
		}
	}
	for want, args := range map[string]obj{
		"pattern must not be empty": {"pattern": ""}, `"pattern" is missing`: {}, "no such file": {"pattern": "x", "dir_path": "none"}, "escapes": {"pattern": "x", "dir_path": "../.."},
	} {
		if got, ok := text(t, h, "grep_search", args); ok || !strings.Contains(got, want) {
			t.Errorf("%v: %q", args, got)
		}
	}
}

// A search that stopped early says at which limit.
func TestGrepLimits(t *testing.T) {
	t.Run("matches", func(t *testing.T) {
		h := sdktest.New(t)
		h.WriteFile("a", strings.Repeat("hit\n", maxMatches))
		if got, _ := text(t, h, "grep_search", obj{"pattern": "hit"}); strings.Count(got, "hit") != maxMatches || strings.Contains(got, "stopped") {
			t.Errorf("exactly as many: %.200s", got)
		}
		h.WriteFile("b", "hit\n")
		if got, _ := text(t, h, "grep_search", obj{"pattern": "hit"}); strings.Count(got, ":hit") != maxMatches || !strings.HasSuffix(got, "[stopped: 100 matches; narrow the search]") {
			t.Errorf("one more: %.200s", got)
		}
	})
	t.Run("files", func(t *testing.T) {
		h := sdktest.New(t)
		for i := range maxFiles + 1 {
			h.WriteFile(fmt.Sprintf("f%04d", i), "x")
		}
		h.WriteFile("z", "hit")
		if got, _ := text(t, h, "grep_search", obj{"pattern": "hit"}); !strings.Contains(got, "1000 files") {
			t.Errorf("%q", got)
		}
	})
	t.Run("depth", func(t *testing.T) {
		h := sdktest.New(t)
		h.WriteFile(strings.Repeat("d/", maxDepth)+"in", "hit")
		h.WriteFile(strings.Repeat("d/", maxDepth+1)+"too deep", "hit")
		got, _ := text(t, h, "grep_search", obj{"pattern": "hit"})
		if !strings.Contains(got, "/in:1:hit") || strings.Contains(got, "too deep") || !strings.Contains(got, "stopped: directories deeper than 20") {
			t.Errorf("%q", got)
		}
	})
	t.Run("line", func(t *testing.T) {
		h := sdktest.New(t)
		h.WriteFile("a", "x"+strings.Repeat("ü", maxLine)+"hit\n")
		got, _ := text(t, h, "grep_search", obj{"pattern": "hit"})
		if len(got) > maxLine+20 || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("%d bytes", len(got))
		}
	})
}

// What cannot be read is passed over, and the rest is searched.
func TestGrepPassesOver(t *testing.T) {
	h := workspace(t)
	h.Handle(abi.ReadFile, func(p []string) ([]byte, error) {
		if p[0] == "a.txt" {
			return nil, abi.Errorf(abi.CodeDenied, "no")
		}
		return []byte("two"), nil
	})
	got, ok := text(t, h, "grep_search", obj{"pattern": "two", "dir_path": "dir"})
	if !ok || got != "dir/b.txt:1:two\ndir/deep/c.txt:1:two" {
		t.Errorf("%q", got)
	}
	if got, _ := text(t, h, "grep_search", obj{"pattern": "two"}); strings.Contains(got, "a.txt") || !strings.Contains(got, "dir/b.txt") {
		t.Errorf("%q", got)
	}
}
