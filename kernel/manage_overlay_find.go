package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// session is a session that has an overlay on disk.
type session struct {
	id string
	sessionRecord
}

func (f *files) hasOverlay(key sessionKey) (bool, error) {
	dir, err := f.overlayDir(key)
	if err != nil {
		return false, err
	}
	_, err = os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// sessions lists the sessions of a principal that have an overlay on disk.
func (f *files) sessions(ctx context.Context, principal string) ([]session, error) {
	p, err := f.home.Principal(principal)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(p.OverlaysDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, nil
	}
	there := make(map[string]bool, len(entries))
	for _, e := range entries {
		there[e.Name()] = true
	}
	var out []session
	prefix := sessionRecordKey(principal, "")
	err = f.store.Scan(ctx, prefix, func(key string, val []byte) error {
		s := session{id: strings.TrimPrefix(key, prefix)}
		dir, err := p.Overlay(s.id)
		if err != nil || !there[filepath.Base(dir)] {
			return err
		}
		if err := json.Unmarshal(val, &s.sessionRecord); err != nil {
			return fmt.Errorf("record of session %q: %w", s.id, err)
		}
		out = append(out, s)
		return nil
	})
	return out, err
}

// changed lists the sessions that have changes: all, or those that work in the directory or
// above it. The nearest workspace comes first, and of one workspace the last used session.
func (f *files) changed(ctx context.Context, principal, dir string) ([]abi.OverlayInfo, error) {
	all, err := f.sessions(ctx, principal)
	if err != nil {
		return nil, err
	}
	out := []abi.OverlayInfo{}
	for _, s := range all {
		if dir != "" && !within(dir, s.Workspace) {
			continue
		}
		if info := f.inspect(ctx, principal, s); info.Changes > 0 || info.Problem != "" {
			out = append(out, info)
		}
	}
	slices.SortStableFunc(out, func(a, b abi.OverlayInfo) int {
		if n := len(b.Workspace) - len(a.Workspace); n != 0 && dir != "" {
			return n // of directories above one, the longest is the nearest
		}
		return b.UsedAt.Compare(a.UsedAt)
	})
	return out, nil
}

// within tells whether dir is root or below it. Both are absolute and free of links.
func within(dir, root string) bool {
	rel, err := filepath.Rel(root, dir)
	return err == nil && filepath.IsLocal(rel)
}

// describe tells about one session, with or without changes; nothing when there is none.
func (f *files) describe(ctx context.Context, principal, id string) ([]abi.OverlayInfo, error) {
	old, rec, err := f.record(ctx, principal, id)
	if err != nil || old == nil {
		return []abi.OverlayInfo{}, err
	}
	return []abi.OverlayInfo{f.inspect(ctx, principal, session{id, rec})}, nil
}

func (f *files) inspect(ctx context.Context, principal string, s session) abi.OverlayInfo {
	info := abi.OverlayInfo{Session: s.id, Workspace: s.Workspace, CreatedAt: s.CreatedAt, UsedAt: s.UsedAt}
	err := f.use(ctx, principal, s.id, func(v *vfs.OverlayVfs) error {
		list, err := v.Changes()
		info.Changes = len(listed(list))
		return err
	})
	if err != nil {
		info.Problem = err.Error()
	}
	return info
}

// finishInterrupted opens each overlay whose commit a crash interrupted: opening finishes
// the commit. One that fails does not keep the daemon from starting; whoever uses the
// session is told.
func (f *files) finishInterrupted(ctx context.Context) {
	principals, err := os.ReadDir(f.home.PrincipalsDir())
	if err != nil {
		slog.Warn("Interrupted commits cannot be looked for", "error", err)
		return
	}
	for _, e := range principals {
		if !e.IsDir() {
			continue
		}
		if err := f.finishOf(ctx, e.Name()); err != nil {
			slog.Warn("An interrupted commit could not be finished", "principal", e.Name(), "error", err)
		}
	}
}

func (f *files) finishOf(ctx context.Context, principal string) error {
	p, err := f.home.Principal(principal)
	if err != nil {
		return nil // not a principal's directory
	}
	all, err := f.sessions(ctx, principal)
	errs := []error{err}
	for _, s := range all {
		dir, err := p.Overlay(s.id)
		if err != nil {
			return err
		}
		interrupted, err := vfs.Interrupted(stateDir(dir))
		if interrupted {
			slog.Info("Finishing an interrupted commit", "principal", principal, "session", s.id, "workspace", s.Workspace)
			err = f.use(ctx, principal, s.id, func(*vfs.OverlayVfs) error { return nil })
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
