package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// overlayMethods are the management methods about what sessions changed. They act for the
// principal of the connection that the request came on.
var overlayMethods = map[string]func(*Kernel, context.Context, string, json.RawMessage) (any, error){
	abi.MethodListOverlays:   (*Kernel).listOverlays,
	abi.MethodOverlayChanges: (*Kernel).overlayChanges,
	abi.MethodOverlayDiff:    (*Kernel).overlayDiff,
	abi.MethodCommitOverlay:  (*Kernel).commitOverlay,
	abi.MethodDiscardOverlay: (*Kernel).discardOverlay,

	abi.MethodListCheckpoints:   (*Kernel).listCheckpoints,
	abi.MethodCreateCheckpoint:  (*Kernel).createCheckpoint,
	abi.MethodRestoreCheckpoint: (*Kernel).restoreCheckpoint,
	abi.MethodDeleteCheckpoint:  (*Kernel).deleteCheckpoint,
}

// errNoSession says that a client named a session that was never used.
var errNoSession = errors.New("there is no such session")

// listOverlays lists sessions that have changes.
func (k *Kernel) listOverlays(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	var p abi.OverlayQuery
	if err := params(abi.MethodListOverlays, raw, &p); err != nil {
		return nil, err
	}
	if p.Session != "" {
		return k.files.describe(ctx, principal, p.Session)
	}
	if p.Directory != "" {
		if !filepath.IsAbs(p.Directory) {
			return nil, fmt.Errorf("directory %q must be an absolute path", p.Directory)
		}
		real, err := filepath.EvalSymlinks(p.Directory)
		if err != nil {
			return nil, err
		}
		p.Directory = real
	}
	return k.files.changed(ctx, principal, p.Directory)
}

// overlayChanges lists a page of a session's changes.
func (k *Kernel) overlayChanges(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	var p abi.OverlaySelector
	if err := params(abi.MethodOverlayChanges, raw, &p); err != nil {
		return nil, err
	}
	out := abi.OverlayChanges{Changes: []abi.OverlayChange{}}
	err := k.files.use(ctx, principal, p.Session, func(v *vfs.OverlayVfs) error {
		list, err := v.Changes(p.Paths...)
		if err != nil {
			return err
		}
		list = listed(list)
		conflicts, err := conflicts(v, p.Paths)
		if err != nil {
			return err
		}
		out.Total = len(list)
		for _, c := range list {
			if p.After != "" && c.Path <= p.After {
				continue
			}
			if out.More = len(out.Changes) == abi.MaxOverlayPage; out.More {
				break
			}
			change := changeInfo(c)
			change.Conflict = conflicts[c.Path]
			out.Changes = append(out.Changes, change)
		}
		return nil
	})
	return out, err
}

// conflicts says what a commit would find.
func conflicts(v *vfs.OverlayVfs, paths []string) (map[string]string, error) {
	found := map[string]string{}
	_, err := v.Commit(vfs.CommitOptions{Paths: paths, OnConflict: vfs.Ours, Preview: true, Before: func(r *vfs.CommitResult) error {
		for _, c := range r.Conflicts {
			found[c.Change.Path] = c.Reason
		}
		return errDryRun
	}})
	if err != nil && !errors.Is(err, errDryRun) {
		return nil, err
	}
	return found, nil
}

// use runs f with the overlay of a session. A session without one has a view without
// changes, and f is not called.
func (f *files) use(ctx context.Context, principal, session string, do func(*vfs.OverlayVfs) error) (err error) {
	key := sessionKey{principal, session}
	old, _, err := f.record(ctx, principal, session)
	if err != nil {
		return err
	}
	if old == nil {
		return fmt.Errorf("%w: %q", errNoSession, session)
	}
	if there, err := f.hasOverlay(key); err != nil || !there {
		return err
	}
	o, err := f.acquire(ctx, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.release(key, o)) }()
	return do(o.fs)
}
