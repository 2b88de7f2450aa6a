package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

// said is a result's text without its quotes.
func said(t *testing.T, r abi.ToolCallResult) string {
	t.Helper()
	var s string
	if r.IsError || json.Unmarshal([]byte(r.Content), &s) != nil {
		return r.Content
	}
	return s
}

func TestGlob(t *testing.T) {
	h := sdktest.New(t)
	for _, name := range []string{"main.go", "README.md", "src/a.go", "src/deep/b.go", "src/deep/c.txt", "src/deep/er/d.go", ".git/config.go", ".hidden/e.go"} {
		h.WriteFile(name, "x")
	}
	for _, c := range []struct{ pattern, dir, want string }{
		{"*.go", "", "main.go"},
		{"**/*.go", "", ".hidden/e.go main.go src/a.go src/deep/b.go src/deep/er/d.go"},
		{"src/**", "", "src/a.go src/deep/b.go src/deep/c.txt src/deep/er/d.go"},
		{"src/*/?.go", "", "src/deep/b.go"},
		{"src/*", "", "src/a.go src/deep/"},
		{"**/er/*", "", "src/deep/er/d.go"},
		{"/README.md", "", "README.md"},
		{"*.go", "src", "src/a.go"},
		{"**/*.go", "src/deep/", "src/deep/b.go src/deep/er/d.go"},
		{"[m]ain.go", "", "main.go"},
		{"*.rs", "", "No files found."},
	} {
		args := map[string]any{"pattern": c.pattern}
		if c.dir != "" {
			args["dir_path"] = c.dir
		}
		if r := h.CallTool("glob_files", args); r.IsError || said(t, r) != strings.ReplaceAll(c.want, " ", "\n") && said(t, r) != c.want {
			t.Errorf("%q in %q: %+v", c.pattern, c.dir, r)
		}
	}
	for _, args := range []map[string]any{{"pattern": ""}, {"pattern": "["}, {"pattern": "*", "dir_path": "main.go"}, {"pattern": "*", "dir_path": "nowhere"}} {
		if r := h.CallTool("glob_files", args); !r.IsError {
			t.Errorf("%v: %+v", args, r)
		}
	}
	for i := range maxPaths + 5 {
		h.WriteFile(fmt.Sprintf("many/f%04d", i), "")
	}
	if got := said(t, h.CallTool("glob_files", map[string]any{"pattern": "many/*"})); !strings.HasSuffix(got, "[stopped: 500 paths; narrow the pattern]") || strings.Count(got, "\n") != maxPaths {
		t.Errorf("%d lines", strings.Count(got, "\n"))
	}
}

func TestEditRules(t *testing.T) {
	h := sdktest.New(t)
	h.WriteFile("dos.txt", "one\r\ntwo\r\nthree\r\n")
	if r := h.CallTool("replace_in_file", map[string]any{"file_path": "dos.txt", "old_string": "one\ntwo", "new_string": "1\n2"}); r.IsError {
		t.Errorf("%+v", r)
	}
	if got, _ := h.ReadFile("dos.txt"); got != "1\r\n2\r\nthree\r\n" {
		t.Errorf("%q", got)
	}
	h.WriteFile("a.txt", "x y\n\n  if  a {\n\tb\n}\nx y\n")
	for _, c := range []struct {
		old, new string
		all      bool
		want     string
	}{
		{"x y", "z", false, "Found 2 occurrences"},
		{"if a {\n b", "z", false, "it is there at line 3 with other spaces"},
		{"nowhere", "z", false, "Exact string not found in a.txt"},
		{"x y", "x y", false, "the same"},
		{"x y", "z", true, "2 times"},
	} {
		r := h.CallTool("replace_in_file", map[string]any{"file_path": "a.txt", "old_string": c.old, "new_string": c.new, "replace_all": c.all})
		if !strings.Contains(r.Content, c.want) {
			t.Errorf("%q: %+v", c.old, r)
		}
	}
	if got, _ := h.ReadFile("a.txt"); got != "z\n\n  if  a {\n\tb\n}\nz\n" {
		t.Errorf("%q", got)
	}
}

func TestListingIsBounded(t *testing.T) {
	h := sdktest.New(t)
	for i := range maxEntries + 3 {
		h.WriteFile(fmt.Sprintf("d/f%04d", i), "")
	}
	if r := h.CallTool("list_directory", map[string]any{"dir_path": "d"}); !strings.Contains(r.Content, "[3 more: use glob_files") {
		t.Errorf("%.100s", r.Content[len(r.Content)-100:])
	}
}

func TestGrepInclude(t *testing.T) {
	h := sdktest.New(t)
	h.WriteFile("a.go", "needle\n")
	h.WriteFile("a.md", "needle\n")
	if got := said(t, h.CallTool("grep_search", map[string]any{"pattern": "needle", "include": "*.go"})); got != "a.go:1:needle" {
		t.Errorf("%q", got)
	}
	if r := h.CallTool("grep_search", map[string]any{"pattern": "needle", "include": "["}); !r.IsError {
		t.Errorf("%+v", r)
	}
}
