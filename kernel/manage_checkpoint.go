package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/vfs"
)

func checkpointInfo(c vfs.Checkpoint) abi.CheckpointInfo {
	return abi.CheckpointInfo{ID: c.ID, Label: c.Label, Created: c.Created, Changes: c.Changes, Bytes: c.Bytes}
}

// onOverlay decodes a query and runs do with the session's overlay, which must exist.
func (k *Kernel) onOverlay(ctx context.Context, principal, method string, raw json.RawMessage, do func(abi.CheckpointQuery, *vfs.OverlayVfs) error) error {
	var p abi.CheckpointQuery
	if err := params(method, raw, &p); err != nil {
		return err
	}
	if len(p.Label) > abi.MaxCheckpointLabel || !utf8.ValidString(p.Label) || strings.ContainsFunc(p.Label, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("%s: the label must be one line of at most %d bytes", method, abi.MaxCheckpointLabel)
	}
	found := false
	err := k.files.use(ctx, principal, p.Session, func(v *vfs.OverlayVfs) error {
		found = true
		return do(p, v)
	})
	if err == nil && !found && method != abi.MethodListCheckpoints {
		err = fmt.Errorf("session %q has changed nothing", p.Session)
	}
	return err
}

func (k *Kernel) listCheckpoints(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	out := []abi.CheckpointInfo{}
	err := k.onOverlay(ctx, principal, abi.MethodListCheckpoints, raw, func(_ abi.CheckpointQuery, v *vfs.OverlayVfs) error {
		list, err := v.Checkpoints()
		for _, c := range list {
			out = append(out, checkpointInfo(c))
		}
		return err
	})
	return out, err
}

func (k *Kernel) createCheckpoint(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	var out abi.CheckpointInfo
	err := k.onOverlay(ctx, principal, abi.MethodCreateCheckpoint, raw, func(p abi.CheckpointQuery, v *vfs.OverlayVfs) error {
		if err := k.quiet(ctx, principal, p.Session); err != nil {
			return err
		}
		c, err := v.Checkpoint(p.Label)
		out = checkpointInfo(c)
		return err
	})
	return out, err
}

// restoreCheckpoint brings a session's files back to what they were. What they are now is kept as
// a checkpoint of its own, and the audit log knows of it before it happens.
func (k *Kernel) restoreCheckpoint(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	var out abi.CheckpointRestored
	err := k.onOverlay(ctx, principal, abi.MethodRestoreCheckpoint, raw, func(p abi.CheckpointQuery, v *vfs.OverlayVfs) error {
		if err := k.quiet(ctx, principal, p.Session); err != nil {
			return err
		}
		now, err := v.Changes()
		if err != nil {
			return err
		}
		if len(now) > 0 {
			c, err := v.Checkpoint(fmt.Sprintf("before %d was restored", p.ID))
			if err != nil {
				return err
			}
			saved := checkpointInfo(c)
			out.Saved = &saved
		}
		rec := overlayRecord{Type: "overlay.restore", Session: p.Session, Workspace: v.Root(), Changes: listed(now)}
		var id audit.ID
		err = v.Restore(p.ID, func(c vfs.Checkpoint) error {
			e, err := k.record(ctx, principal, rec)
			out.Restored, out.AuditID, id = checkpointInfo(c), e.ID.String(), e.ID
			return err
		})
		switch {
		case err != nil && id != (audit.ID{}):
			return k.recordFailure(ctx, principal, rec, id, err)
		case err != nil && out.Saved != nil: // nothing happened, so there is nothing to go back from
			return errors.Join(err, v.DropCheckpoint(out.Saved.ID))
		}
		return err
	})
	return out, err
}

func (k *Kernel) deleteCheckpoint(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	var out abi.CheckpointInfo
	err := k.onOverlay(ctx, principal, abi.MethodDeleteCheckpoint, raw, func(p abi.CheckpointQuery, v *vfs.OverlayVfs) error {
		list, err := v.Checkpoints()
		if err != nil {
			return err
		}
		for _, c := range list {
			if c.ID == p.ID {
				out = checkpointInfo(c)
			}
		}
		return v.DropCheckpoint(p.ID)
	})
	return out, err
}
