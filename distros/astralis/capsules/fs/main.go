// Capsule fs gives the model the files of the workspace, and the person's home to read.
// Paths are relative to the workspace; home:// names the home.
//
// What it changes lands in the session's overlay: the person's files stay as they are
// until the changes are committed.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/unicity-astrid/astrid-go/sdk"
	astridfs "github.com/unicity-astrid/astrid-go/sdk/fs"
)

var (
	_ = sdk.Describe("Files of the workspace. Paths are relative to its root; home:// names the user's Astrid home (read only).")
	_ = sdk.Tool("read_file", "Read a text file, or lines of it.", readFile)
	_ = sdk.Tool("write_file", "Create a file or replace its whole content. Missing directories are created.", writeFile, sdk.Mutable())
	_ = sdk.Tool("replace_in_file", "Replace a text that occurs exactly once in a file, or all occurrences.", replaceInFile, sdk.Mutable())
	_ = sdk.Tool("list_directory", "List the names in a directory; directories end with a slash.", listDirectory)
	_ = sdk.Tool("grep_search", "Search files for a literal text, directories recursively. Answers path:line:content.", grepSearch)
	_ = sdk.Tool("glob_files", "Find files by a pattern of their paths.", globFiles)
	_ = sdk.Tool("create_directory", "Create a directory and its parents.", createDirectory, sdk.Mutable())
	_ = sdk.Tool("delete_file", "Delete a file.", deleteFile, sdk.Mutable())
	_ = sdk.Tool("move_file", "Move or rename a file.", moveFile, sdk.Mutable())
)

func main() {}

// maxResult bounds a tool's answer in bytes: a model must not be flooded.
const maxResult = 256 << 10

type readArgs struct {
	FilePath  string `json:"file_path" desc:"Path of the file"`
	StartLine *int   `json:"start_line" desc:"First line to read, from 1"`
	EndLine   *int   `json:"end_line" desc:"Last line to read, inclusive"`
}

func readFile(_ *sdk.Context, a readArgs) (string, error) {
	b, err := astridfs.ReadFile(a.FilePath)
	if err != nil {
		return "", err
	}
	lines := splitLines(string(b))
	start, end := 1, len(lines)
	if a.StartLine != nil {
		start = max(*a.StartLine, 1)
	}
	if a.EndLine != nil {
		end = min(*a.EndLine, len(lines))
	}
	if start > end {
		return "", nil
	}
	text := strings.Join(lines[start-1:end], "\n")
	if len(text) <= maxResult {
		return text, nil
	}
	cut := strings.LastIndexByte(text[:maxResult], '\n') + 1
	next := start + strings.Count(text[:cut], "\n")
	if cut == 0 { // one line alone is longer; its rest cannot be asked for
		cut, next = maxResult, start+1
	}
	return fmt.Sprintf("%s[cut at %d bytes: %d lines in all; go on with start_line %d]", strings.ToValidUTF8(text[:cut], ""), cut, len(lines), next), nil
}

// splitLines drops line ends of either kind, and the empty line after a final one.
func splitLines(s string) []string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.TrimSuffix(s, "\n")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

type writeArgs struct {
	FilePath string `json:"file_path" desc:"Path of the file"`
	Content  string `json:"content" desc:"The whole new content"`
}

func writeFile(_ *sdk.Context, a writeArgs) (string, error) {
	if err := astridfs.WriteFile(a.FilePath, []byte(a.Content)); err != nil {
		return "", err
	}
	return "Successfully wrote to " + a.FilePath, nil
}

// maxEntries bounds a listing.
const maxEntries = 1000

type dirArgs struct {
	DirPath string `json:"dir_path" desc:"Path of the directory"`
}

func listDirectory(_ *sdk.Context, a dirArgs) ([]string, error) {
	entries, err := astridfs.ReadDir(a.DirPath)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, min(len(entries), maxEntries+1))
	for i, e := range entries {
		if i == maxEntries {
			names = append(names, fmt.Sprintf("[%d more: use glob_files with a pattern]", len(entries)-i))
			break
		}
		name := e.Name()
		if e.IsDir() {
			name += "/"
		}
		names = append(names, name)
	}
	return names, nil
}

func createDirectory(_ *sdk.Context, a dirArgs) (string, error) {
	if err := astridfs.MkdirAll(a.DirPath); err != nil {
		return "", err
	}
	return "Successfully created directory " + a.DirPath, nil
}

type fileArgs struct {
	FilePath string `json:"file_path" desc:"Path of the file"`
}

func deleteFile(_ *sdk.Context, a fileArgs) (string, error) {
	st, err := astridfs.Stat(a.FilePath)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("file does not exist: %s", a.FilePath)
	}
	if err != nil {
		return "", err
	}
	if st.IsDir() {
		return "", fmt.Errorf("%s is a directory, not a file; delete_file only supports files", a.FilePath)
	}
	if err := astridfs.Remove(a.FilePath); err != nil {
		return "", err
	}
	return "Successfully deleted " + a.FilePath, nil
}
