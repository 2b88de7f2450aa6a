package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// LayoutVersion is the layout this package knows. It stands in etc/layout-version, so that an older or newer program
// does not work on a tree it would misread.
const LayoutVersion = "1"

// Error says what is wrong with a path and what to do about it. It wraps the cause, if there is one.
type Error struct {
	Path    string
	Problem string
	Fix     string
	Err     error
}

func (e *Error) Error() string {
	msg := e.Path + ": " + e.Problem
	if e.Fix != "" {
		msg += ": " + e.Fix
	}
	return msg
}

func (e *Error) Unwrap() error { return e.Err }

// Ensure makes the home with all its directories, closes them to other users (0700), and checks the layout version.
// It may be called as often as you like. It refuses, with an *Error, a home that another user owns or could have changed,
// that cannot be written, or that has something else where a directory belongs.
func (h Home) Ensure() error {
	if err := os.MkdirAll(filepath.Dir(h.root), 0o700); err != nil {
		return explain("create", filepath.Dir(h.root), err)
	}
	if err := checkAncestors(h.root); err != nil {
		return err
	}
	for _, dir := range append([]string{h.root}, h.dirs()...) {
		if err := claimDir(dir); err != nil {
			return err
		}
	}
	return h.ensureLayout()
}

// Ensure makes the principal's home and closes all its directories to other users (0700).
func (p Principal) Ensure() error {
	if err := os.MkdirAll(filepath.Dir(p.root), 0o700); err != nil {
		return explain("create", filepath.Dir(p.root), err)
	}
	for _, dir := range append([]string{p.root}, p.dirs()...) {
		if err := claimDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func (h Home) ensureLayout() error {
	path := h.LayoutVersionFile()
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return WriteFileAtomic(path, []byte(LayoutVersion), 0o600)
	}
	if err != nil {
		return explain("read", path, err)
	}
	if v := strings.TrimSpace(string(raw)); v != LayoutVersion {
		return &Error{Path: path, Problem: fmt.Sprintf("the layout is version %.20q, this program knows %q", v, LayoutVersion),
			Fix: "update astrid, or set ASTRID_HOME to another directory"}
	}
	return nil
}

// checkAncestors refuses a home that another user could replace: in a directory that all may write and that does not
// protect its entries with the sticky bit, anyone can rename ours and put theirs there.
func checkAncestors(root string) error {
	dir, err := filepath.EvalSymlinks(filepath.Dir(root))
	if err != nil {
		return explain("look at", filepath.Dir(root), err)
	}
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return explain("look at", dir, err)
		}
		if info.Mode().Perm()&0o002 != 0 && info.Mode()&os.ModeSticky == 0 {
			return &Error{Path: dir, Problem: "every user can rename what is in this directory, the home " + root + " too",
				Fix: "chmod o-w it, or set ASTRID_HOME to a directory that is yours"}
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil
		}
		dir = up
	}
}

// claimDir makes a directory or makes sure that an existing one is ours alone.
func claimDir(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return explain("create", path, err)
		}
		info, err = os.Lstat(path)
	}
	if err != nil {
		return explain("look at", path, err)
	}
	what := "directory"
	if info.Mode()&os.ModeSymlink != 0 {
		if err := checkOwner(path, "symlink", info); err != nil {
			return err
		}
		what = "target of the symlink"
		if info, err = os.Stat(path); err != nil {
			return explain("follow the symlink", path, err)
		}
	}
	if !info.IsDir() {
		return &Error{Path: path, Problem: "a file is in the way, there should be a directory", Fix: "move it away", Err: syscall.ENOTDIR}
	}
	if err := checkOwner(path, what, info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 {
		return &Error{Path: path, Problem: fmt.Sprintf("every user can write to it (mode %04o)", info.Mode().Perm()),
			Fix: "make sure that nobody has put anything into it, then chmod 700 it"}
	}
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(path, 0o700); err != nil {
			return explain("chmod 700", path, err)
		}
	}
	if err := unix.Access(path, unix.R_OK|unix.W_OK|unix.X_OK); err != nil {
		return explain("write to", path, err)
	}
	return nil
}

func checkOwner(path, what string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() {
		return nil
	}
	return &Error{Path: path, Problem: fmt.Sprintf("the %s belongs to user %d, this program runs as user %d", what, st.Uid, os.Geteuid()),
		Fix: "run as its owner, or set ASTRID_HOME to a directory that is yours", Err: fs.ErrPermission}
}

// explain turns an error of the operating system into one that says what to do.
func explain(doing, path string, err error) error {
	e := &Error{Path: path, Problem: fmt.Sprintf("cannot %s it: %v", doing, plain(err)), Err: err}
	switch {
	case errors.Is(err, syscall.EROFS):
		e.Problem = "it is on a read-only file system"
		e.Fix = "remount it writable, or set ASTRID_HOME to a directory that is"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Fix = "free some space"
	case errors.Is(err, syscall.ENOTDIR):
		e.Problem = "a file is in the way, there should be a directory"
		e.Fix = "move it away, or set ASTRID_HOME to another directory"
	case errors.Is(err, fs.ErrPermission):
		e.Fix = "check the permissions of it and of the directories above, or set ASTRID_HOME to a directory that is yours"
	}
	return e
}

// plain takes the path out of an error that would repeat it.
func plain(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
