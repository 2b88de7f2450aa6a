package kernel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/kernel/sandbox"
	"github.com/unicity-astrid/astrid-go/vfs"
)

func ignoreFile(workspace string) string { return filepath.Join(workspace, approval.IgnoreFile) }

// readIgnore reads a workspace's ignore file, nil when there is none. It comes with a cloned repository and may be anything; with an
// error comes an Ignore that keeps agents from everything. It is the file of the workspace, whatever a session made of it.
func readIgnore(workspace string) (*approval.Ignore, error) {
	name := ignoreFile(workspace)
	text, err := readPlain(name, approval.MaxIgnoreBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return approval.BrokenIgnore(name, err), err
	}
	g, err := approval.ParseIgnore(text, name, runtime.GOOS == "darwin" || runtime.GOOS == "windows")
	if err != nil {
		return approval.BrokenIgnore(name, err), err
	}
	return g, nil
}

// readPlain reads a small file that is a file: no link, and nothing that could block.
func readPlain(name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a link: put the file itself there", name)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch fi, err := f.Stat(); {
	case err != nil:
		return nil, err
	case !fi.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", name)
	case fi.Size() > limit:
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read", name, fi.Size(), limit)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// maxConcealed bounds what is covered in the view of a program: each entry is a mount.
const maxConcealed = 500

// concealed lists what the policy keeps from the programs of a session, as its files are now.
func concealed(p *approval.Policy, tree vfs.Vfs) ([]sandbox.Covered, error) {
	root := tree.Root()
	if !p.ConcealsSome(root) {
		return nil, nil
	}
	w := concealWalk{policy: p, tree: tree, root: root}
	if _, err := w.dir("."); err != nil {
		return nil, err
	}
	if fi, err := tree.Lstat(approval.IgnoreFile); err == nil && fi.Mode().IsRegular() {
		w.list = append(w.list, sandbox.Covered{Path: ignoreFile(root), Readable: true})
	}
	return w.list, nil
}

type concealWalk struct {
	policy *approval.Policy
	tree   vfs.Vfs
	root   string
	list   []sandbox.Covered
}

// dir looks through a directory and tells whether it has anything that may be seen.
func (w *concealWalk) dir(rel string) (visible bool, err error) {
	entries, err := w.tree.ReadDir(rel)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return true, nil // programs cannot look into it either, or it went away just now
	}
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		sub := filepath.Join(rel, e.Name())
		file := filepath.Join(w.root, sub)
		c, hidden := w.policy.Conceals(w.root, file)
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			visible = true // what it leads to is looked at where it is
		case hidden && (c.Whole || !e.IsDir()):
			w.list = append(w.list, sandbox.Covered{Path: file, Dir: e.IsDir()})
		case e.IsDir():
			n := len(w.list)
			some, err := w.dir(sub)
			if err != nil {
				return false, err
			}
			if hidden && !some { // one cover for all that is in it
				w.list = append(w.list[:n], sandbox.Covered{Path: file, Dir: true})
				continue
			}
			visible = true
		default:
			visible = true
		}
		if len(w.list) > maxConcealed {
			return false, fmt.Errorf("programs cannot run here: %s, denied_paths and allowed_paths keep more than %d files and directories from them; "+
				"name whole directories instead, as in `secrets/`", ignoreFile(w.root), maxConcealed)
		}
	}
	return visible, nil
}

// kept tells which changes a commit leaves out: a program can write where its view had nothing to cover yet.
func (k *Kernel) kept(workspace string) (func(vfs.Change) bool, error) {
	if err := k.refreshWorkspace(workspace, false); err != nil {
		return nil, err
	}
	p := k.gate.PolicyFor(workspace)
	if !p.ConcealsSome(workspace) {
		return nil, nil
	}
	return func(c vfs.Change) bool {
		for rel := c.Path; rel != "."; rel = path.Dir(rel) {
			by, hidden := p.Conceals(workspace, filepath.Join(workspace, rel))
			if hidden && (by.Whole || rel == c.Path && !c.New.IsDir()) {
				return true
			}
		}
		return p.IsIgnoreFile(workspace, filepath.Join(workspace, c.Path))
	}, nil
}
