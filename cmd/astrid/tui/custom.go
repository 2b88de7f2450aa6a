package tui

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Custom is a slash command that somebody wrote as a file: it stands for a prompt.
type Custom struct {
	Name   string // without the slash
	What   string // its first line
	Origin string // where it comes from: "yours" or "this project"
	Text   string
}

// arguments in the text of a command: $ARGUMENTS is all of them, $1 to $9 one each.
var placeholder = regexp.MustCompile(`\$(ARGUMENTS|[1-9])`)

// expand makes the prompt. Arguments that the text has no place for come after it.
func (c Custom) expand(arg string) string {
	words := strings.Fields(arg)
	used := false
	out := placeholder.ReplaceAllStringFunc(c.Text, func(p string) string {
		used = true
		if p == "$ARGUMENTS" {
			return arg
		}
		if n := int(p[1] - '1'); n < len(words) {
			return words[n]
		}
		return ""
	})
	if !used && arg != "" {
		out = strings.TrimRight(out, "\n") + "\n\n" + arg
	}
	return strings.TrimSpace(out)
}

const (
	maxCustom     = 200      // commands of one directory
	maxCustomSize = 64 << 10 // bytes of one
)

var customName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,40}$`)

// loadCustom reads the commands of a directory: NAME.md each. One that cannot be read is an
// error, the others are there all the same.
func loadCustom(dir, origin string) (out []Custom, err error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("commands: %w", err)
	}
	defer root.Close()
	list, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("commands: %w", err)
	}
	var problems []error
	for _, e := range list {
		name, ok := strings.CutSuffix(e.Name(), ".md")
		if !ok || len(out) >= maxCustom {
			continue
		}
		fi, err := e.Info()
		switch {
		case err == nil && !customName.MatchString(name):
			err = errors.New("a command's name has small letters, digits, - and _")
		case err == nil && (!fi.Mode().IsRegular() || fi.Size() > maxCustomSize):
			err = fmt.Errorf("not a regular file of at most %d KiB", maxCustomSize>>10)
		}
		var text []byte
		if err == nil {
			text, err = root.ReadFile(e.Name())
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("command %s: %w", filepath.Join(dir, e.Name()), err))
			continue
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		out = append(out, Custom{Name: name, What: strings.TrimLeft(first, "# "), Origin: origin, Text: printable(string(text))})
	}
	return out, errors.Join(problems...)
}

// branch reads which git branch a directory is on. It runs no program: a repository from a
// stranger could tell git to run others.
func branch(dir string) string {
	for {
		b, err := readSmall(filepath.Join(dir, ".git", "HEAD"))
		if err == nil {
			return headName(b)
		}
		if link, lerr := readSmall(filepath.Join(dir, ".git")); lerr == nil { // a worktree
			if to, ok := strings.CutPrefix(strings.TrimSpace(link), "gitdir: "); ok {
				if !filepath.IsAbs(to) {
					to = filepath.Join(dir, to)
				}
				if b, err := readSmall(filepath.Join(to, "HEAD")); err == nil {
					return headName(b)
				}
			}
			return ""
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

func headName(head string) string {
	head = strings.TrimSpace(head)
	if name, ok := strings.CutPrefix(head, "ref: refs/heads/"); ok {
		return cut(oneLine(name), 40, "~")
	}
	return cut(oneLine(head), 8, "")
}

// readSmall reads a small regular file.
func readSmall(path string) (string, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !fi.Mode().IsRegular() || fi.Size() > 4096 {
		return "", fs.ErrInvalid
	}
	b, err := os.ReadFile(path)
	return string(b), err
}
