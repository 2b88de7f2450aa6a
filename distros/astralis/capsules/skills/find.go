package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/sdk/env"
	astridfs "github.com/unicity-astrid/astrid-go/sdk/fs"
	"github.com/unicity-astrid/astrid-go/sdk/runtime"
)

type skill struct {
	ID          string `json:"id"` // name of its directory
	Name        string `json:"name"`
	Description string `json:"description"`
	Path        string `json:"path"`
}

const homeDir = "home://skills"

// places are the directories to look into, those of the project first.
func places(asked *string) ([]string, error) {
	if asked != nil && strings.TrimSpace(*asked) != "" {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(*asked), "://")
		dir := strings.TrimRight(strings.TrimSpace(*asked), "/")
		switch {
		case ok && scheme != "home" && scheme != "cwd":
			return nil, errors.New("Invalid dir_path: unknown scheme")
		case strings.Contains(dir, "..") || strings.ContainsRune(dir, 0):
			return nil, errors.New("Invalid dir_path: path traversal detected")
		case ok && strings.Trim(rest, "/") == "":
			return nil, errors.New("Invalid dir_path: path must not be empty")
		}
		return []string{dir}, nil
	}
	caller, err := runtime.Caller()
	if err != nil {
		return nil, err
	}
	var dirs []string
	for d := range strings.SplitSeq(env.Get("dirs"), ",") {
		if !caller.ProjectTrusted {
			break // what a stranger wrote is no instruction
		}
		if d = strings.Trim(strings.TrimSpace(d), "/"); d != "" {
			dirs = append(dirs, d)
		}
	}
	return append(dirs, homeDir), nil
}

func checkID(id string) error {
	if id == "" || strings.HasPrefix(id, ".") || strings.ContainsAny(id, "/\\\x00") {
		return errors.New("Invalid skill_id: path traversal detected")
	}
	// Ids stand in the system prompt: a directory's name must not write lines of its own there.
	if len(id) > maxID || !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("Invalid skill_id: more than %d bytes, or characters that cannot be shown", maxID)
	}
	return nil
}

// Bounds of what a project can have: it may be somebody else's.
const (
	maxID          = 128  // bytes
	maxDescription = 2000 // bytes
	maxLooked      = 1000 // names in one directory
)

// find lists skills. Of one id the first counts; one that is not valid hides those after it.
func find(asked *string) ([]skill, error) {
	dirs, err := places(asked)
	if err != nil {
		return nil, err
	}
	var out []skill
	var seen []string
	for _, dir := range dirs {
		names, err := astridfs.ReadNames(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil && asked != nil {
			return nil, err
		}
		for _, id := range names[:min(len(names), maxLooked)] {
			if checkID(id) != nil || slices.Contains(seen, id) {
				continue
			}
			text, ok, err := load(dir, id)
			if err != nil || !ok {
				continue // not a skill
			}
			seen = append(seen, id)
			if s, ok := parse(text); ok {
				s.ID, s.Path = id, dir+"/"+id+"/SKILL.md"
				out = append(out, s)
			}
		}
	}
	return out, nil
}

// load reads a skill; ok is false when there is none.
func load(dir, id string) (text string, ok bool, err error) {
	b, err := astridfs.ReadFile(dir + "/" + id + "/SKILL.md")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", false, nil
	case err != nil:
		// A file in the place of the directory is no skill either.
		if st, serr := astridfs.Stat(dir + "/" + id); serr == nil && !st.IsDir() {
			return "", false, nil
		}
		return "", false, err
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), true, nil
}

// parse reads the front matter: lines "key: value" between two lines that begin with ---.
func parse(text string) (s skill, ok bool) {
	rest, ok := cutLine(text, "---")
	if !ok {
		return s, false
	}
	for {
		line, more, found := strings.Cut(rest, "\n")
		if end, closed := strings.CutPrefix(line, "---"); closed && (end == "" || end == "\r") {
			return s, s.Name != "" && s.Description != ""
		}
		if !found {
			return s, false
		}
		if key, value, ok := strings.Cut(line, ":"); ok {
			switch strings.TrimSpace(key) {
			case "name":
				s.Name = clip(oneLine(value), maxID)
			case "description":
				s.Description = clip(oneLine(value), maxDescription)
			}
		}
		rest = more
	}
}

// oneLine is a text without what would end its line, or hide something on it.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s))
}

// cutLine drops a first line that must be exactly want.
func cutLine(text, want string) (rest string, ok bool) {
	line, rest, found := strings.Cut(text, "\n")
	return rest, found && strings.TrimSuffix(line, "\r") == want
}
