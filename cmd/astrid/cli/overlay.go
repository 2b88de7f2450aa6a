package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// overlayView is the session whose changes a command is about, over a connection of its own.
type overlayView struct {
	sys  System
	conn *client.Conn
	abi.OverlayInfo
	typed string // what --session said, for hints
	dir   string // the current directory, free of links
}

// openOverlay finds the session that --session names, or else the last used one of the
// current directory that has changes. It is nil when there is none.
func openOverlay(ctx context.Context, sys System, session string) (*overlayView, error) {
	dir, err := sys.directory()
	if err != nil {
		return nil, err
	}
	conn, err := sys.daemon(ctx)
	if err != nil {
		return nil, err
	}
	v := &overlayView{sys: sys, conn: conn, typed: session, dir: dir}
	if session == "" {
		err = v.latest(ctx)
	} else {
		err = v.named(ctx)
	}
	if err == nil && v.Problem != "" {
		err = fail(ExitError, "session %s: %s", quoted(v.Session), printable(v.Problem))
	}
	if err != nil || v.Session == "" {
		_ = conn.Close() // nothing is asked of it any more
		return nil, err
	}
	return v, nil
}

func (v *overlayView) Close() error { return v.conn.Close() }

// latest chooses the session by the current directory.
func (v *overlayView) latest(ctx context.Context) error {
	list, err := callPatiently[[]abi.OverlayInfo](ctx, v.conn, abi.MethodListOverlays, abi.OverlayQuery{Directory: v.dir})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		v.sys.notef("no session of this directory has changes; `astrid diff --sessions` lists those of others")
		return nil
	}
	v.OverlayInfo = list[0]
	if len(list) > 1 {
		used := ""
		if a := ago(v.UsedAt, time.Now()); a != "" {
			used = ", used " + a + " ago"
		}
		v.sys.notef("%d sessions of this directory have changes; this is about %s%s. `astrid diff --sessions` lists them, --session chooses one", len(list), quoted(v.Session), used)
	}
	return nil
}

// named finds a session by its name, its id or the beginning of its id.
func (v *overlayView) named(ctx context.Context) error {
	id, err := sessionID(v.typed)
	if err != nil {
		return err
	}
	for _, s := range []string{id, v.typed} {
		list, err := callPatiently[[]abi.OverlayInfo](ctx, v.conn, abi.MethodListOverlays, abi.OverlayQuery{Session: s})
		if err != nil {
			return err
		}
		if len(list) > 0 {
			v.OverlayInfo = list[0]
			return nil
		}
	}
	all, err := callPatiently[[]abi.OverlayInfo](ctx, v.conn, abi.MethodListOverlays, abi.OverlayQuery{})
	if err != nil {
		return err
	}
	v.OverlayInfo, err = byPrefix(all, func(i abi.OverlayInfo) string { return i.Session }, v.typed, "session", "astrid diff --sessions")
	return err
}

// patience bounds one call about an overlay. A commit writes each file to disk, so one of
// many takes its time.
const patience = time.Hour

// callPatiently is call for what may take long.
func callPatiently[T any](ctx context.Context, conn *client.Conn, method string, params any) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the daemon did not answer %s within %s; it goes on: see astrid diff", method, patience))
	defer cancel()
	return call[T](ctx, conn, method, params)
}

// paths turns paths of the command line, which are relative to the current directory, into
// paths of the session's workspace.
func (v *overlayView) paths(args []string) ([]string, error) {
	var out []string
	for _, arg := range args {
		if arg == "" {
			return nil, fail(ExitUsage, "a path is empty")
		}
		abs := arg
		if !filepath.IsAbs(arg) {
			abs = filepath.Join(v.dir, arg)
		}
		rel, err := filepath.Rel(v.Workspace, abs)
		if err != nil || !filepath.IsLocal(rel) {
			// It may be spelled with a link on the way.
			if real, rerr := filepath.EvalSymlinks(filepath.Dir(abs)); rerr == nil {
				rel, err = filepath.Rel(v.Workspace, filepath.Join(real, filepath.Base(abs)))
			}
		}
		if err != nil || !filepath.IsLocal(rel) {
			return nil, fail(ExitUsage, "%s is not in %s, where session %s works", quoted(arg), quoted(v.Workspace), quoted(v.Session))
		}
		out = append(out, filepath.ToSlash(rel))
	}
	return out, nil
}

// typedPath is a changed path as it would be typed here.
func (v *overlayView) typedPath(p string) string {
	abs := filepath.Join(v.Workspace, filepath.FromSlash(p))
	if rel, err := filepath.Rel(v.Workspace, v.dir); err != nil || !filepath.IsLocal(rel) {
		return abs
	}
	rel, err := filepath.Rel(v.dir, abs)
	if err != nil {
		return abs
	}
	return rel
}

// shown is a change's path as it is printed: on one line, a directory with a slash.
func (v *overlayView) shown(c abi.OverlayChange) string {
	p := v.typedPath(c.Path)
	if isDirectory(c) {
		p += "/"
	}
	return quoted(p)
}

// sessionFlag repeats --session in a hint.
func (v *overlayView) sessionFlag() string {
	if v.typed == "" {
		return ""
	}
	return " --session " + quoted(v.typed)
}

// isDirectory tells whether the path is, or was, a directory and nothing else.
func isDirectory(c abi.OverlayChange) bool {
	return (c.OldKind == "directory" || c.OldKind == "") && (c.NewKind == "directory" || c.NewKind == "")
}

// changes lists the changes at or below the paths. Each path must have some.
func (v *overlayView) changes(ctx context.Context, paths, typed []string) ([]abi.OverlayChange, error) {
	list := []abi.OverlayChange{}
	sel := abi.OverlaySelector{Session: v.Session, Paths: paths}
	for more := true; more; {
		page, err := callPatiently[abi.OverlayChanges](ctx, v.conn, abi.MethodOverlayChanges, sel)
		if err != nil {
			return nil, err
		}
		list = append(list, page.Changes...)
		if more = page.More; more {
			sel.After = list[len(list)-1].Path
		}
	}
	for i, p := range paths {
		if !anyBelow(list, p) {
			return nil, fail(ExitError, "session %s changed nothing at %s", quoted(v.Session), quoted(typed[i]))
		}
	}
	return list, nil
}

func anyBelow(list []abi.OverlayChange, p string) bool {
	for _, c := range list {
		if p == "." || c.Path == p || strings.HasPrefix(c.Path, p+"/") {
			return true
		}
	}
	return false
}
