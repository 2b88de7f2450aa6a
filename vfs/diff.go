package vfs

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const (
	// maxDiffSize is the largest file, in bytes, whose lines are compared.
	maxDiffSize = 4 << 20
	// diffContext is the number of unchanged lines around a change.
	diffContext = 3
)

// Diff is the changes at or below the paths, or all of them, as a unified diff in git's dialect, so that "git apply" takes it.
// Binary files and files above 4 MiB are named only.
func (v *OverlayVfs) Diff(paths ...string) (string, error) {
	sel, err := v.selection("diff", paths)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = v.changing("diff", ".", func(string) error {
		list, err := v.changes(sel)
		if err != nil {
			return err
		}
		for _, c := range list {
			if err := v.diffOne(&b, c); err != nil {
				return err
			}
		}
		return nil
	})
	return b.String(), err
}

// diffOne writes one path. Another kind of file in the same place is a deletion and an addition, as git has it.
func (v *OverlayVfs) diffOne(b *strings.Builder, c Change) error {
	if c.Op == Modified && c.Old.Type() != c.New.Type() {
		gone, came := c, c
		gone.New, gone.Op, came.Old, came.Op = 0, Deleted, 0, Added
		if err := v.diffOne(b, gone); err != nil {
			return err
		}
		return v.diffOne(b, came)
	}
	mode := c.Old | c.New
	if mode.IsDir() { // git knows no directories
		return nil
	}
	a, z := gitName("a/"+c.Path), gitName("b/"+c.Path)
	fmt.Fprintf(b, "diff --git %s %s\n", a, z)
	switch {
	case c.Op == Added:
		fmt.Fprintf(b, "new file mode %s\n", gitMode(c, false))
		a = "/dev/null"
	case c.Op == Deleted:
		fmt.Fprintf(b, "deleted file mode %s\n", gitMode(c, true))
		z = "/dev/null"
	case c.Old.Perm() != c.New.Perm():
		fmt.Fprintf(b, "old mode %s\nnew mode %s\n", gitMode(c, true), gitMode(c, false))
	}
	old, ok1, err := diffSide(v.low, c.Path, c.Op != Added)
	if err != nil {
		return err
	}
	now, ok2, err := diffSide(v.up, c.Path, c.Op != Deleted)
	if err != nil {
		return err
	}
	if !ok1 || !ok2 {
		fmt.Fprintf(b, "Binary files %s and %s differ\n", a, z)
		return nil
	}
	if !bytes.Equal(old, now) {
		fmt.Fprintf(b, "--- %s\n+++ %s\n%s", a, z, unified(old, now))
	}
	return nil
}

func gitMode(c Change, old bool) string {
	mode := c.New
	if old {
		mode = c.Old
	}
	switch {
	case mode&^mode.Perm() != 0 && !mode.IsRegular():
		return "120000"
	default:
		return fmt.Sprintf("100%03o", mode.Perm())
	}
}

// gitName quotes a name as git does when it would not stand on a line by itself.
func gitName(name string) string {
	if !utf8.ValidString(name) || strings.ContainsAny(name, "\"\\\t\n\r") {
		return fmt.Sprintf("%q", name)
	}
	return name
}

// diffSide reads one side's lines: a file's content or a link's target. ok is false for what is not text.
func diffSide(root int, p string, exists bool) (data []byte, ok bool, err error) {
	if !exists {
		return nil, true, nil
	}
	dir, err := descend(root, path.Dir(p))
	if err != nil {
		return nil, false, err
	}
	defer unix.Close(dir)
	st, err := statAt(dir, path.Base(p))
	switch {
	case err != nil:
		return nil, false, err
	case st.isLink():
		target, err := readlinkAt(dir, path.Base(p))
		return []byte(target), true, err
	case !st.isFile() || st.size > maxDiffSize:
		return nil, false, nil
	}
	f, _, err := openFileAt(dir, path.Base(p), unix.O_RDONLY)
	if err != nil {
		return nil, false, ignoreDenied(err)
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, maxDiffSize+1))
	if err != nil || len(data) > maxDiffSize || bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data) {
		return nil, false, err
	}
	return data, true, nil
}
