package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/sdk"
	astridfs "github.com/unicity-astrid/astrid-go/sdk/fs"
)

// Limits of a search.
const (
	maxMatches = 100
	maxFiles   = 1000
	maxDepth   = 20
	maxLine    = 500 // bytes of a matching line that are shown
)

type grepArgs struct {
	Pattern string  `json:"pattern" desc:"Literal text to look for"`
	DirPath *string `json:"dir_path" desc:"Directory or file to search; default the whole workspace"`
}

type search struct {
	pattern []byte
	matches []string
	files   int
	cut     string // which limit was reached
}

func grepSearch(_ *sdk.Context, a grepArgs) (string, error) {
	if a.Pattern == "" {
		return "", errors.New("pattern must not be empty")
	}
	dir := "."
	if a.DirPath != nil && *a.DirPath != "" {
		dir = *a.DirPath
	}
	st, err := astridfs.Stat(dir)
	if err != nil {
		return "", err
	}
	s := &search{pattern: []byte(a.Pattern)}
	if st.IsDir() {
		s.dir(dir, 0)
	} else {
		s.file(dir)
	}
	if len(s.matches) == 0 && s.cut == "" {
		return "No matches found.", nil
	}
	out := strings.Join(s.matches, "\n")
	if s.cut != "" {
		out += "\n[stopped: " + s.cut + "; narrow the search]"
	}
	return out, nil
}

// dir searches below a directory. What cannot be read is passed over: a search is not the
// place to learn about permissions.
func (s *search) dir(path string, depth int) {
	if depth > maxDepth {
		s.cut = fmt.Sprintf("directories deeper than %d", maxDepth)
		return
	}
	entries, err := astridfs.ReadDir(path)
	if err != nil {
		return
	}
	for _, e := range entries {
		if s.full() {
			return
		}
		p := e.Name()
		if path != "." {
			p = strings.TrimSuffix(path, "/") + "/" + e.Name()
		}
		switch {
		case !e.IsDir():
			s.file(p)
		case e.Name() != ".git":
			s.dir(p, depth+1)
		}
	}
}

func (s *search) full() bool {
	switch {
	case len(s.matches) >= maxMatches:
		s.cut = fmt.Sprintf("%d matches", maxMatches)
	case s.files >= maxFiles:
		s.cut = fmt.Sprintf("%d files", maxFiles)
	default:
		return false
	}
	return true
}

func (s *search) file(path string) {
	s.files++
	b, err := astridfs.ReadFile(path)
	if err != nil || !bytes.Contains(b, s.pattern) || !utf8.Valid(b) {
		return
	}
	for i, line := range bytes.Split(b, []byte{'\n'}) {
		if !bytes.Contains(line, s.pattern) {
			continue
		}
		if len(s.matches) >= maxMatches {
			s.cut = fmt.Sprintf("%d matches", maxMatches)
			return
		}
		text := strings.TrimSuffix(string(line), "\r")
		if len(text) > maxLine {
			text = strings.ToValidUTF8(text[:maxLine], "") + "…"
		}
		s.matches = append(s.matches, fmt.Sprintf("%s:%d:%s", path, i+1, text))
	}
}
