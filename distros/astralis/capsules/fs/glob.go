package main

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/unicity-astrid/astrid-go/sdk"
	astridfs "github.com/unicity-astrid/astrid-go/sdk/fs"
)

// Limits of a glob.
const (
	maxPaths   = 500
	maxVisited = 20_000
)

type globArgs struct {
	Pattern string  `json:"pattern" desc:"Pattern of paths: * and ? stay within a directory, ** crosses directories, for example src/**/*.go"`
	DirPath *string `json:"dir_path" desc:"Directory to search; default the whole workspace"`
}

func globFiles(_ *sdk.Context, a globArgs) (string, error) {
	pattern := strings.Trim(a.Pattern, "/")
	if pattern == "" {
		return "", errors.New("pattern must not be empty")
	}
	if _, err := path.Match(strings.ReplaceAll(pattern, "**", "*"), ""); err != nil {
		return "", fmt.Errorf("pattern %q: %w", a.Pattern, err)
	}
	dir := "."
	if a.DirPath != nil && *a.DirPath != "" {
		dir = *a.DirPath
	}
	st, err := astridfs.Stat(dir)
	if err != nil {
		return "", err
	}
	if !st.IsDir() {
		return "", fmt.Errorf("%s is not a directory", dir)
	}
	g := &globber{pattern: strings.Split(pattern, "/")}
	g.dir(dir, nil)
	if len(g.found) == 0 && g.cut == "" {
		return "No files found.", nil
	}
	out := strings.Join(g.found, "\n")
	if g.cut != "" {
		out += "\n[stopped: " + g.cut + "; narrow the pattern]"
	}
	return out, nil
}

type globber struct {
	pattern []string
	found   []string
	visited int
	cut     string // which limit was reached
}

// dir looks below a directory; at are the names that lead there. Directories that no
// match can be in are not read, nor what cannot be read.
func (g *globber) dir(name string, at []string) {
	if len(at) > maxDepth {
		g.cut = fmt.Sprintf("directories deeper than %d", maxDepth)
		return
	}
	entries, err := astridfs.ReadDir(name)
	if err != nil {
		return
	}
	for _, e := range entries {
		switch {
		case len(g.found) >= maxPaths:
			g.cut = fmt.Sprintf("%d paths", maxPaths)
			return
		case g.visited >= maxVisited:
			g.cut = fmt.Sprintf("%d entries visited", maxVisited)
			return
		}
		g.visited++
		here := append(at[:len(at):len(at)], e.Name())
		p := e.Name()
		if name != "." {
			p = strings.TrimSuffix(name, "/") + "/" + e.Name()
		}
		fits := match(g.pattern, here)
		if !fits && !leads(g.pattern, here) {
			continue // whatever it is
		}
		if !e.IsDir() {
			if fits {
				g.found = append(g.found, p)
			}
			continue
		}
		if fits && g.pattern[len(g.pattern)-1] != "**" {
			g.found = append(g.found, p+"/")
		}
		if e.Name() != ".git" && leads(g.pattern, here) {
			g.dir(p, here)
		}
	}
}

// match tells whether a path fits a pattern, both by segments. The pattern was checked.
func match(pattern, at []string) bool {
	if len(pattern) == 0 {
		return len(at) == 0
	}
	if pattern[0] == "**" {
		if len(pattern) == 1 {
			return len(at) > 0 // what is below, not the directory itself
		}
		for i := 0; i <= len(at); i++ {
			if match(pattern[1:], at[i:]) {
				return true
			}
		}
		return false
	}
	if len(at) == 0 {
		return false
	}
	ok, _ := path.Match(pattern[0], at[0])
	return ok && match(pattern[1:], at[1:])
}

// leads tells whether something below a path can fit.
func leads(pattern, at []string) bool {
	for i, seg := range at {
		switch {
		case i >= len(pattern):
			return false
		case pattern[i] == "**":
			return true
		}
		if ok, _ := path.Match(pattern[i], seg); !ok {
			return false
		}
	}
	return len(at) < len(pattern)
}
