package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/sdk"
	astridfs "github.com/unicity-astrid/astrid-go/sdk/fs"
)

type replaceArgs struct {
	FilePath   string `json:"file_path" desc:"Path of the file"`
	OldString  string `json:"old_string" desc:"Text to replace, exactly as it is in the file; must occur exactly once unless replace_all is set"`
	NewString  string `json:"new_string" desc:"Text to put in its place"`
	ReplaceAll *bool  `json:"replace_all" desc:"Replace every occurrence"`
}

func replaceInFile(_ *sdk.Context, a replaceArgs) (string, error) {
	switch a.OldString {
	case "":
		return "", errors.New("old_string must not be empty")
	case a.NewString:
		return "", errors.New("old_string and new_string are the same: nothing to do")
	}
	b, err := astridfs.ReadFile(a.FilePath)
	if err != nil {
		return "", err
	}
	text, was, now := string(b), a.OldString, a.NewString
	n := strings.Count(text, was)
	if n == 0 && strings.Contains(text, "\r\n") {
		// Lines are shown without their CR, so that is how they are asked for.
		was, now = crlf(was), crlf(now)
		n = strings.Count(text, was)
	}
	all := a.ReplaceAll != nil && *a.ReplaceAll
	switch {
	case n == 0:
		return "", fmt.Errorf("Exact string not found in %s%s", a.FilePath, almost(text, a.OldString))
	case n > 1 && !all:
		return "", fmt.Errorf("Found %d occurrences of string in %s. Please be more specific.", n, a.FilePath)
	}
	if err := astridfs.WriteFile(a.FilePath, []byte(strings.ReplaceAll(text, was, now))); err != nil {
		return "", err
	}
	if n > 1 {
		return fmt.Sprintf("Successfully replaced text in %s, %d times", a.FilePath, n), nil
	}
	return "Successfully replaced text in " + a.FilePath, nil
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// almost says where the text would be found if space did not count.
func almost(text, want string) string {
	wanted := strings.Fields(want)
	if len(wanted) == 0 {
		return ""
	}
	var words []string
	var lines []int
	for i, line := range strings.Split(text, "\n") {
		for _, w := range strings.Fields(line) {
			words, lines = append(words, w), append(lines, i+1)
		}
	}
next:
	for i := 0; i+len(wanted) <= len(words); i++ {
		for j, w := range wanted {
			if words[i+j] != w {
				continue next
			}
		}
		return fmt.Sprintf(": it is there at line %d with other spaces or line ends; copy it exactly", lines[i])
	}
	return ""
}
