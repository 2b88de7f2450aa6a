package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

// text calls a tool whose result is a text; ok tells whether it succeeded.
func text(t *testing.T, h *sdktest.Host, tool string, args any) (s string, ok bool) {
	t.Helper()
	r := h.CallTool(tool, args)
	if r.IsError {
		return r.Content, false
	}
	if err := json.Unmarshal([]byte(r.Content), &s); err != nil {
		t.Fatalf("%s: result %s: %v", tool, r.Content, err)
	}
	return s, true
}

type obj = map[string]any

// Each tool: what it answers, and each of its errors.
func TestTools(t *testing.T) {
	tests := []struct {
		name, tool string
		args       obj
		want       string // the answer, or part of the error
		fails      bool
		file, then string // a file and what it holds afterwards; "-" for gone
	}{
		{name: "read", tool: "read_file", args: obj{"file_path": "a.txt"}, want: "one\ntwo\nthree"},
		{name: "read with scheme", tool: "read_file", args: obj{"file_path": "cwd://a.txt"}, want: "one\ntwo\nthree"},
		{name: "read home", tool: "read_file", args: obj{"file_path": "home://h.txt"}, want: "at home"},
		{name: "read CRLF", tool: "read_file", args: obj{"file_path": "dos.txt"}, want: "ä\nö\n\nü"},
		{name: "read range", tool: "read_file", args: obj{"file_path": "a.txt", "start_line": 2, "end_line": 2}, want: "two"},
		{name: "read from", tool: "read_file", args: obj{"file_path": "a.txt", "start_line": 2, "end_line": nil}, want: "two\nthree"},
		{name: "read from zero", tool: "read_file", args: obj{"file_path": "a.txt", "start_line": 0, "end_line": 1}, want: "one"},
		{name: "read beyond", tool: "read_file", args: obj{"file_path": "a.txt", "start_line": 3, "end_line": 99}, want: "three"},
		{name: "read past the end", tool: "read_file", args: obj{"file_path": "a.txt", "start_line": 4}, want: ""},
		{name: "read backwards", tool: "read_file", args: obj{"file_path": "a.txt", "start_line": 3, "end_line": 2}, want: ""},
		{name: "read empty", tool: "read_file", args: obj{"file_path": "empty"}, want: ""},
		{name: "read nothing", tool: "read_file", args: obj{"file_path": "none"}, fails: true, want: "no such file"},
		{name: "read a directory", tool: "read_file", args: obj{"file_path": "dir"}, fails: true, want: "is a directory"},
		{name: "read outside", tool: "read_file", args: obj{"file_path": "../x"}, fails: true, want: "escapes"},
		{name: "read without a path", tool: "read_file", args: obj{}, fails: true, want: `"file_path" is missing`},

		{name: "write", tool: "write_file", args: obj{"file_path": "new/ü.txt", "content": "x\r\n"}, want: "Successfully wrote to new/ü.txt", file: "new/ü.txt", then: "x\r\n"},
		{name: "overwrite", tool: "write_file", args: obj{"file_path": "a.txt", "content": ""}, want: "Successfully wrote to a.txt", file: "a.txt", then: ""},
		{name: "write a directory", tool: "write_file", args: obj{"file_path": "dir", "content": "x"}, fails: true, want: "is a directory"},
		{name: "write below a file", tool: "write_file", args: obj{"file_path": "a.txt/x", "content": "x"}, fails: true, want: "is a file"},
		{name: "write without content", tool: "write_file", args: obj{"file_path": "x"}, fails: true, want: `"content" is missing`},

		{name: "replace", tool: "replace_in_file", args: obj{"file_path": "a.txt", "old_string": "two\n", "new_string": "zwei $1\n"}, want: "Successfully replaced text in a.txt", file: "a.txt", then: "one\nzwei $1\nthree\n"},
		{name: "replace keeps line ends", tool: "replace_in_file", args: obj{"file_path": "dos.txt", "old_string": "ö", "new_string": ""}, want: "Successfully replaced text in dos.txt", file: "dos.txt", then: "ä\r\n\r\n\r\nü"},
		{name: "replace what is not there", tool: "replace_in_file", args: obj{"file_path": "a.txt", "old_string": "four", "new_string": "x"}, fails: true, want: "Exact string not found in a.txt", file: "a.txt", then: "one\ntwo\nthree\n"},
		{name: "replace what is there twice", tool: "replace_in_file", args: obj{"file_path": "a.txt", "old_string": "o", "new_string": "x"}, fails: true, want: "Found 2 occurrences of string in a.txt. Please be more specific.", file: "a.txt", then: "one\ntwo\nthree\n"},
		{name: "replace nothing", tool: "replace_in_file", args: obj{"file_path": "a.txt", "old_string": "", "new_string": "x"}, fails: true, want: "must not be empty"},
		{name: "replace in no file", tool: "replace_in_file", args: obj{"file_path": "none", "old_string": "a", "new_string": "x"}, fails: true, want: "no such file"},

		{name: "mkdir", tool: "create_directory", args: obj{"dir_path": "x/y/z"}, want: "Successfully created directory x/y/z"},
		{name: "mkdir twice", tool: "create_directory", args: obj{"dir_path": "dir"}, want: "Successfully created directory dir"},
		{name: "mkdir on a file", tool: "create_directory", args: obj{"dir_path": "a.txt"}, fails: true, want: "is a file"},

		{name: "delete", tool: "delete_file", args: obj{"file_path": "a.txt"}, want: "Successfully deleted a.txt", file: "a.txt", then: "-"},
		{name: "delete nothing", tool: "delete_file", args: obj{"file_path": "none"}, fails: true, want: "file does not exist: none"},
		{name: "delete a directory", tool: "delete_file", args: obj{"file_path": "dir"}, fails: true, want: "dir is a directory, not a file; delete_file only supports files", file: "dir/b.txt", then: "two of b"},

		{name: "move", tool: "move_file", args: obj{"source_path": "a.txt", "destination_path": "sub/b"}, want: "Successfully moved a.txt to sub/b", file: "sub/b", then: "one\ntwo\nthree\n"},
		{name: "move takes away", tool: "move_file", args: obj{"source_path": "a.txt", "destination_path": "b"}, want: "Successfully moved a.txt to b", file: "a.txt", then: "-"},
		{name: "move nothing", tool: "move_file", args: obj{"source_path": "none", "destination_path": "b"}, fails: true, want: "source path does not exist: none"},
		{name: "move a directory", tool: "move_file", args: obj{"source_path": "dir", "destination_path": "b"}, fails: true, want: "dir is a directory, not a file; move_file only supports files"},
		{name: "move onto a file", tool: "move_file", args: obj{"source_path": "a.txt", "destination_path": "dos.txt"}, fails: true, want: "destination already exists: dos.txt", file: "dos.txt", then: "ä\r\nö\r\n\r\nü"},
		{name: "move onto itself", tool: "move_file", args: obj{"source_path": "a.txt", "destination_path": "./a.txt"}, fails: true, want: "destination already exists", file: "a.txt", then: "one\ntwo\nthree\n"},
		{name: "move into a directory", tool: "move_file", args: obj{"source_path": "a.txt", "destination_path": "dir"}, fails: true, want: "destination already exists: dir"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			h := workspace(t)
			got, ok := text(t, h, c.tool, c.args)
			if ok == c.fails || !c.fails && got != c.want || c.fails && !strings.Contains(got, c.want) {
				t.Errorf("got %q (success %v), want %q", got, ok, c.want)
			}
			if c.file == "" {
				return
			}
			if now, there := h.ReadFile(c.file); there != (c.then != "-") || there && now != c.then {
				t.Errorf("%s holds %q (%v), want %q", c.file, now, there, c.then)
			}
		})
	}
}

func workspace(t *testing.T) *sdktest.Host {
	h := sdktest.New(t)
	h.WriteFile("a.txt", "one\ntwo\nthree\n")
	h.WriteFile("dos.txt", "ä\r\nö\r\n\r\nü")
	h.WriteFile("dir/b.txt", "two of b")
	h.WriteFile("dir/deep/c.txt", "nothing\nthe two of c\r\n")
	h.WriteFile(".git/config", "two of git")
	h.WriteFile("binary", "two\xff")
	h.WriteFile("empty", "")
	h.WriteFile("home://h.txt", "at home")
	return h
}

func TestList(t *testing.T) {
	h := workspace(t)
	for dir, want := range map[string]string{
		".": `[".git/","a.txt","binary","dir/","dos.txt","empty"]`, "dir": `["b.txt","deep/"]`, "dir/": `["b.txt","deep/"]`, "home://": `["h.txt"]`,
	} {
		if r := h.CallTool("list_directory", obj{"dir_path": dir}); r.IsError || r.Content != want {
			t.Errorf("%s: %+v", dir, r)
		}
	}
	h.Mkdir("void")
	if r := h.CallTool("list_directory", obj{"dir_path": "void"}); r.Content != "[]" {
		t.Errorf("%+v", r)
	}
	for dir, want := range map[string]string{"none": "no such file", "a.txt": "not a directory"} {
		if r := h.CallTool("list_directory", obj{"dir_path": dir}); !r.IsError || !strings.Contains(r.Content, want) {
			t.Errorf("%s: %+v", dir, r)
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	h := sdktest.New(t)
	var whole strings.Builder
	for i := range 40000 {
		fmt.Fprintf(&whole, "line %d ü\n", i+1)
	}
	h.WriteFile("big", whole.String())
	// Following the hints reads all of it.
	var read strings.Builder
	for start, calls := 1, 0; ; calls++ {
		got, ok := text(t, h, "read_file", obj{"file_path": "big", "start_line": start})
		if !ok || len(got) > maxResult+200 || calls > 10 {
			t.Fatalf("call %d: %d bytes, %.80s", calls, len(got), got)
		}
		body, hint, cut := strings.Cut(got, "[cut at")
		read.WriteString(body)
		if !cut {
			break
		}
		at := strings.LastIndex(hint, " ")
		if _, err := fmt.Sscanf(hint[at:], "%d", &start); err != nil {
			t.Fatalf("hint %q: %v", hint, err)
		}
	}
	if read.String()+"\n" != whole.String() {
		t.Errorf("%d of %d bytes", read.Len(), whole.Len())
	}
	h.WriteFile("wide", strings.Repeat("ü", maxResult)+"\nend\n")
	got, ok := text(t, h, "read_file", obj{"file_path": "wide"})
	if !ok || !strings.Contains(got, "start_line 2]") || strings.Contains(got, "\ufffd") {
		t.Errorf("a wide line: %s", got[len(got)-100:])
	}
}

// When the source cannot be removed there are not two files.
func TestMoveIsUndone(t *testing.T) {
	h := workspace(t)
	stubborn := map[string]bool{"a.txt": true}
	removed := ""
	h.Handle(abi.FsUnlink, func(p []string) ([]byte, error) {
		if stubborn[p[0]] {
			return nil, abi.Errorf(abi.CodeDenied, "denied by rule 7")
		}
		removed = p[0]
		return nil, nil
	})
	got, ok := text(t, h, "move_file", obj{"source_path": "a.txt", "destination_path": "b"})
	if ok || removed != "b" || !strings.Contains(got, "denied by rule 7") || !strings.Contains(got, "destination write was rolled back") {
		t.Errorf("%q, removed %q", got, removed)
	}
	stubborn["b"] = true
	if got, ok := text(t, h, "move_file", obj{"source_path": "a.txt", "destination_path": "c"}); ok || !strings.Contains(got, "rolled back") {
		t.Errorf("%q", got)
	}
	stubborn["d"] = true
	if got, ok := text(t, h, "move_file", obj{"source_path": "a.txt", "destination_path": "d"}); ok || !strings.Contains(got, "nor the copy at d") {
		t.Errorf("%q", got)
	}
}

func TestMoveOfALargeFile(t *testing.T) {
	h := sdktest.New(t)
	h.WriteFile("big", strings.Repeat("x", abi.MaxValue+1))
	got, ok := text(t, h, "move_file", obj{"source_path": "big", "destination_path": "b"})
	want := fmt.Sprintf("source file is too large to move (%d bytes, limit is %d bytes)", abi.MaxValue+1, abi.MaxValue)
	if ok || got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A refusal of the gate reaches the model in its own words.
func TestDenials(t *testing.T) {
	for f, call := range map[abi.Function]string{
		abi.ReadFile: "read_file", abi.WriteFile: "write_file", abi.FsReaddir: "list_directory", abi.FsMkdir: "create_directory", abi.FsStat: "delete_file", abi.FsUnlink: "delete_file",
	} {
		h := workspace(t)
		h.Fail(f, abi.CodeDenied, "denied by policy at astrid.toml:3")
		got, ok := text(t, h, call, obj{"file_path": "a.txt", "content": "x", "dir_path": "dir"})
		if ok || !strings.Contains(got, "astrid.toml:3") {
			t.Errorf("%s: %q", call, got)
		}
	}
}

// Tools that change something say so.
func TestDescription(t *testing.T) {
	h := sdktest.New(t)
	mutable := map[string]bool{"write_file": true, "replace_in_file": true, "create_directory": true, "delete_file": true, "move_file": true}
	for _, d := range h.Tools().Tools {
		var schema struct {
			Mutable    bool
			Properties map[string]any
		}
		if err := json.Unmarshal(d.InputSchema, &schema); err != nil || schema.Mutable != mutable[d.Name] || d.Description == "" || len(schema.Properties) == 0 {
			t.Errorf("%s: %+v %v", d.Name, schema, err)
		}
	}
	if n := len(h.Tools().Tools); n != 9 {
		t.Errorf("%d tools", n)
	}
}
