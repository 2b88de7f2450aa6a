package host

import (
	"context"
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
}

// locate resolves a guest path. With link, the last component is not followed, so that
// removing a link removes the link.
func (h *Host) locate(ctx context.Context, f *frame, raw []byte, link bool) (location, error) {
	if !utf8.Valid(raw) {
		return location{}, abi.Errorf(abi.CodeInvalid, "path %q is not valid UTF-8", raw)
	}
	name := string(raw)
	var (
		loc  location
		root vfs.Vfs
		err  error
	)
	switch {
	case strings.HasPrefix(name, "home://"):
		loc.scheme, name = "home", name[len("home://"):]
		root, err = h.svc.Files.Home(ctx, f.call.Principal)
	case name == "/tmp" || strings.HasPrefix(name, "/tmp/"):
		loc.scheme, name = "tmp", name[len("/tmp"):]
		root, err = h.svc.Files.Tmp(ctx, f.call.Principal)
	default:
		loc.scheme, name = "cwd", strings.TrimPrefix(name, "cwd://")
		root, err = h.svc.Files.Workspace(ctx, f.call.Principal, f.call.Session)
	}
	if err != nil {
		return location{}, err
	}
	loc.fs = root
	// An absolute path that lies in the workspace means that file: models use such paths
	// because the user does. Any other leading slash is dropped, as the contract says.
	if loc.scheme == "cwd" && (name == root.Root() || strings.HasPrefix(name, root.Root()+"/")) {
		name = strings.TrimPrefix(name, root.Root())
	}
	name = strings.TrimLeft(name, "/")
	if name == "" {
		name = "."
	}
	if link {
		loc.abs, err = resolveParent(root, name)
	} else {
		loc.abs, err = root.Resolve(name)
	}
	if err != nil {
		return location{}, err
	}
	rel, err := filepath.Rel(root.Root(), loc.abs)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return location{}, abi.Errorf(abi.CodeDenied, "path escapes root boundary: %s resolves to %s", name, loc.abs)
	}
	loc.rel = filepath.ToSlash(rel)
	return loc, nil
}

func resolveParent(root vfs.Vfs, name string) (string, error) {
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
func fileAction(kind approval.Kind, verb string, loc location, size int64) approval.Action {
	return approval.Action{
		Kind:        kind,
		Resource:    "fs:" + verb + "://" + loc.abs,
		Path:        loc.abs,
		InWorkspace: loc.scheme == "cwd",
		Size:        size,
		Risk:        "medium",
	}
}
