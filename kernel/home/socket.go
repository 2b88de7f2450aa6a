package home

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// The kernel's socket is run/system.sock. The operating system allows only short socket paths, so a home with a long one
// has the socket in a short private directory, and run/system.sock is a symlink to it: clients need no more than the home.

// socketLink is the path that people look at.
func (h Home) socketLink() string { return h.join("run", "system.sock") }

// ListenPath returns where the daemon must listen and makes the directory for it. lookup is os.LookupEnv or a stand-in.
// Call it with the lock held.
func (h Home) ListenPath(lookup func(string) (string, bool)) (string, error) {
	return h.place(h.socketLink(), "system.sock", lookup)
}

// CapsuleSocket returns where people look for a socket of a capsule, run/capsules/<capsule>/<name>.sock, and where it must be,
// which is the same unless that is too long. It makes the directories. Both names must have been checked.
func (h Home) CapsuleSocket(capsule, name string, lookup func(string) (string, bool)) (link, path string, err error) {
	dir := h.join("run", "capsules", capsule)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", explain("make", dir, err)
	}
	link = filepath.Join(dir, name+".sock")
	sum := sha256.Sum256([]byte(capsule + "/" + name))
	path, err = h.place(link, hex.EncodeToString(sum[:8])+".sock", lookup)
	return link, path, err
}

// place is link itself, or, when that is too long for a socket, a file of that name in a short private directory which link
// then points to.
func (h Home) place(link, file string, lookup func(string) (string, bool)) (string, error) {
	if len(link) < maxSocketPath {
		return link, nil
	}
	sum := sha256.Sum256([]byte(h.root))
	name := hex.EncodeToString(sum[:8])
	var errs []error
	for _, base := range shortDirs(lookup) {
		path := filepath.Join(base, name, file)
		if len(path) >= maxSocketPath {
			continue
		}
		if err := errors.Join(claimDir(base), claimDir(filepath.Dir(path))); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := relink(path, link); err != nil {
			return "", explain("link", link, err)
		}
		return path, nil
	}
	return "", &Error{Path: link, Problem: fmt.Sprintf("the path has %d bytes, a socket's must have fewer than %d, and no shorter place would do (%v)",
		len(link), maxSocketPath, errors.Join(errs...)), Fix: "set ASTRID_HOME to a shorter path"}
}

// SocketPath returns where clients find the daemon. It wraps fs.ErrNotExist if a home with a long path has no daemon, and
// refuses to follow a link into a directory that others could have made.
func (h Home) SocketPath() (string, error) {
	link := h.socketLink()
	if len(link) < maxSocketPath {
		return link, nil
	}
	path, err := os.Readlink(link)
	if err != nil {
		return "", fmt.Errorf("find the daemon's socket: %w", err)
	}
	dir := filepath.Dir(path)
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("find the daemon's socket: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return "", &Error{Path: dir, Problem: "the directory of the daemon's socket is open to other users",
			Fix: "restart the daemon with `astrid stop` and `astrid start`", Err: fs.ErrPermission}
	}
	return path, checkOwner(dir, "directory of the daemon's socket", info)
}

// RemoveSocket removes the socket and the link to it, for a daemon that ends or has made sure that none lives.
func (h Home) RemoveSocket() error {
	link := h.socketLink()
	if path, err := os.Readlink(link); err == nil && len(link) >= maxSocketPath {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// shortDirs are the candidates for a short private directory, best first.
func shortDirs(lookup func(string) (string, bool)) []string {
	var dirs []string
	if run, ok := lookup("XDG_RUNTIME_DIR"); ok && filepath.IsAbs(run) {
		if info, err := os.Stat(run); err == nil && info.IsDir() {
			dirs = append(dirs, filepath.Join(run, "astrid"))
		}
	}
	return append(dirs, "/tmp/astrid-"+strconv.Itoa(os.Geteuid()))
}

// relink points link to path, replacing whatever link was there.
func relink(path, link string) error {
	if old, err := os.Readlink(link); err == nil && old == path {
		return nil
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(path, link)
}
