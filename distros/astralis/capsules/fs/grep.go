package main

import (
	"bytes"
	"errors"
	"fmt"
	"path"
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
	Include *string `json:"include" desc:"Only files whose name fits this pattern, for example *.go"`
}

type search struct {
	pattern []byte
	include string // of names; empty is all
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
	if a.Include != nil && *a.Include != "" {
		s.include = *a.Include
		if _, err := path.Match(s.include, ""); err != nil {
			return "", fmt.Errorf("include %q: %w", s.include, err)
		}
	}
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
func (s *search) dir(at string, depth int) {
	if depth > maxDepth {
		s.cut = fmt.Sprintf("directories deeper than %d", maxDepth)
		return
	}
	entries, err := astridfs.ReadDir(at)
	if err != nil {
		return
	}
	for _, e := range entries {
		if s.full() {
			return
		}
		p := e.Name()
		if at != "." {
			p = strings.TrimSuffix(at, "/") + "/" + e.Name()
		}
		switch {
		case !e.IsDir():
			if ok, _ := path.Match(s.include, e.Name()); ok || s.include == "" {
				s.file(p)
			}
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

func (s *search) file(name string) {
	s.files++
	b, err := astridfs.ReadFile(name)
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
		s.matches = append(s.matches, fmt.Sprintf("%s:%d:%s", name, i+1, text))
	}
}
