package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// location is a guest path resolved to a file tree.
type location struct {
	scheme string  // cwd, home or tmp
	fs     vfs.Vfs // the tree
	rel    string  // slash separated, symlinks resolved, "." is the root
	abs    string  // host path the gate decides about and the user is shown

	release func() // if set, gives the tree back
}

// exact is the tree for the effect: rel has no links in it, and must lead through none.
func (l location) exact() vfs.Vfs {
	if t, ok := l.fs.(interface{ Exact() vfs.Vfs }); ok {
		return t.Exact()
	}
	return l.fs
}

// locate resolves a guest path. With link, the last component is not followed, so that
// removing a link removes the link. With an error that matches vfs.ErrEscape comes the
// path that was asked for. Except with another error the location is to be released.
func (h *Host) locate(ctx context.Context, f *frame, raw []byte, link bool) (location, error) {
	if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		return location{}, abi.Errorf(abi.CodeInvalid, "path %q is not valid UTF-8 without NUL", raw)
	}
	name := string(raw)
	loc := location{scheme: "cwd"}
	var err error
	switch rest, home := strings.CutPrefix(name, "home://"); {
	case home:
		loc.scheme, name = "home", rest
		loc.fs, err = h.svc.Files.Home(ctx, f.call.Principal)
	default:
		name = strings.TrimPrefix(name, "cwd://")
		if loc.fs, loc.release, err = h.svc.Files.Workspace(ctx, f.call.Principal, f.call.Session); err != nil {
			break
		}
		// An absolute path that lies in the workspace means that file: models use such paths
		// because the user does. Any other leading slash is dropped, as the contract says.
		if rest, ok := strings.CutPrefix(name, loc.fs.Root()); ok && (rest == "" || rest[0] == '/') {
			name = rest
		} else if rest, ok := strings.CutPrefix(string(raw), "/tmp"); ok && (rest == "" || rest[0] == '/') {
			loc.release()
			loc.scheme, name, loc.release = "tmp", rest, nil
			loc.fs, err = h.svc.Files.Tmp(ctx, f.call.Principal)
		}
	}
	if err != nil {
		return location{}, err
	}
	root := loc.fs
	name = strings.TrimLeft(name, "/")
	if name == "" {
		name = "."
	}
	// What the guest asked for, for the record, should it lead out of the tree.
	loc.abs = filepath.Join(root.Root(), name)
	abs, err := resolve(root, name, link)
	if err != nil {
		if loc.release != nil && !errors.Is(err, vfs.ErrEscape) {
			loc.release()
		}
		return loc, err
	}
	rel, err := filepath.Rel(root.Root(), abs)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return loc, fmt.Errorf("%w: %s resolves to %s", vfs.ErrEscape, name, abs)
	}
	loc.abs, loc.rel = abs, filepath.ToSlash(rel)
	return loc, nil
}

// unchanged refuses when the path that was decided means another file by now: a human
// may have taken minutes to decide, and somebody else may have put a link there.
func (l location) unchanged(link bool) error {
	abs, err := resolve(l.fs, l.rel, link)
	if err != nil {
		return err
	}
	if abs != l.abs {
		return abi.Errorf(abi.CodeDenied, "%s was replaced by a link while the access was being decided: nothing was done", l.abs)
	}
	return nil
}

// resolve follows links, with link all but the last component.
func resolve(root vfs.Vfs, name string, link bool) (string, error) {
	if !link {
		return root.Resolve(name)
	}
	clean := filepath.ToSlash(filepath.Clean(name))
	dir, base := filepath.Split(clean)
	if base == "." || base == ".." {
		return root.Resolve(clean)
	}
	if dir == "" {
		dir = "."
	}
	abs, err := root.Resolve(strings.TrimSuffix(dir, "/"))
	if err != nil {
		return "", err
	}
	return filepath.Join(abs, base), nil
}

// fileAction describes an access to loc for the gate.
func fileAction(kind approval.Kind, loc location, size int64) approval.Action {
	return approval.Action{
		Kind:        kind,
		Resource:    approval.FileResource(kind, loc.abs),
		Path:        loc.abs,
		InWorkspace: loc.scheme == "cwd",
		Size:        size,
	}
}
