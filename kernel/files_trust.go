package kernel

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/unicity-astrid/astrid-go/kernel/trust"
)

// ProjectTrusted implements host.Files. What the user agreed to are the workspace's files: a session that has changed them
// has an agent's text in their place, or in that of files that were not there.
func (f *files) ProjectTrusted(principal, session, workspace string) bool {
	v, ok := f.trusted.Load(workspace)
	if !ok {
		v = f.askTrust(workspace)
	}
	st := v.(trust.Status)
	if !st.Used() {
		return false
	}
	changed, err := f.rewritten(principal, session, workspace, st.Files)
	if err != nil || changed != "" {
		slog.Debug("A project's files for agents are not used: the session has changed them", "workspace", workspace, "session", session, "file", changed, "error", err)
		return false
	}
	return true
}

// askTrust looks again at a project's files for agents and at what the user said about them.
func (f *files) askTrust(workspace string) trust.Status {
	st, err := trust.Open(f.home).Status(workspace)
	if err != nil {
		slog.Warn("A project's files for agents are not used", "workspace", workspace, "error", err)
		st = trust.Status{State: trust.New}
	}
	f.trusted.Store(workspace, st)
	return st
}

// rewritten names a file for agents that a session's upper layer has, or has hidden; "" is none. It looks at the layer itself:
// most sessions have no overlay open when they are asked about.
func (f *files) rewritten(principal, session, workspace string, listed []trust.File) (string, error) {
	if session == "" {
		session = defaultSession
	}
	dir, err := f.overlayDir(sessionKey{principal, session})
	if err != nil {
		return "", err
	}
	upper, err := os.OpenRoot(filepath.Join(dir, "upper"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer upper.Close()
	found, err := trust.Added(upper)
	if err != nil || len(found) > 0 {
		return first(found), err
	}
	for _, file := range listed {
		if file.Hash == "" {
			continue // any content will do
		}
		// A link to another file of the workspace: that one counts.
		real, err := filepath.EvalSymlinks(filepath.Join(workspace, file.Path))
		if err != nil {
			return file.Path, err
		}
		rel, err := filepath.Rel(workspace, real)
		if err != nil || !filepath.IsLocal(rel) {
			return file.Path, err
		}
		if _, err := upper.Lstat(rel); !errors.Is(err, fs.ErrNotExist) {
			return file.Path, err
		}
	}
	return "", nil
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
