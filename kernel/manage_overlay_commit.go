package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// errDryRun stops a commit when it is known what it would do.
var errDryRun = errors.New("dry run")

var commitPolicies = map[string]vfs.Policy{
	"": vfs.Refuse, abi.ConflictRefuse: vfs.Refuse, abi.ConflictOurs: vfs.Ours, abi.ConflictTheirs: vfs.Theirs,
}

// commitOverlay takes a session's changes over into its workspace. Conflicts that stop it
// are an answer, not an error.
func (k *Kernel) commitOverlay(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	var p abi.OverlayCommit
	if err := params(abi.MethodCommitOverlay, raw, &p); err != nil {
		return nil, err
	}
	policy, ok := commitPolicies[p.OnConflict]
	if !ok {
		return nil, fmt.Errorf("CommitOverlay: on_conflict %q is none of refuse, ours, theirs", p.OnConflict)
	}
	out := emptyOutcome()
	if !p.DryRun {
		if err := k.quiet(ctx, principal, p.Session); err != nil {
			return nil, err
		}
	}
	err := k.files.use(ctx, principal, p.Session, func(v *vfs.OverlayVfs) error {
		if !p.DryRun {
			if err := k.files.checkWhole(principal, p.Session); err != nil {
				return err
			}
		}
		rec := overlayRecord{Type: "overlay.commit", Session: p.Session, Workspace: v.Root(), Paths: p.Paths, OnConflict: p.OnConflict}
		keep, err := k.kept(v.Root())
		if err != nil {
			return err
		}
		id, err := k.commit(ctx, principal, v, vfs.CommitOptions{Paths: p.Paths, OnConflict: policy, Preview: p.DryRun, Keep: keep}, rec, p.DryRun, &out)
		if err != nil {
			err = k.recordFailure(ctx, principal, rec, id, err)
			if id != (audit.ID{}) && k.files.checkWhole(principal, p.Session) == nil {
				err = fmt.Errorf("nothing was committed: %w", err)
			}
			return err
		}
		return remaining(v, &out)
	})
	return out, err
}

// quietTimeout is how long a commit or discard waits for programs in the foreground.
const quietTimeout = 10 * time.Second

// quiet waits until no program runs in a session's files, and fails when that may take long: one in the background runs.
func (k *Kernel) quiet(ctx context.Context, principal, session string) error {
	ctx, cancel := context.WithTimeout(ctx, quietTimeout)
	defer cancel()
	return k.processes.vacate(ctx, sessionKey{principal, session})
}

// checkWhole fails when an earlier commit of an open overlay could not be finished: its journal
// must not be replaced by another one's.
func (f *files) checkWhole(principal, session string) error {
	dir, err := f.overlayDir(sessionKey{principal, session})
	if err != nil {
		return err
	}
	if half, err := vfs.Interrupted(stateDir(dir)); err != nil || !half {
		return err
	}
	return errors.New("an earlier commit of the session is half done: `astrid stop`, and the next start of the daemon finishes it")
}

// commit fills in out. id is the record of the decision, if it came to that.
func (k *Kernel) commit(ctx context.Context, principal string, v *vfs.OverlayVfs, o vfs.CommitOptions, rec overlayRecord, dry bool, out *abi.OverlayOutcome) (id audit.ID, err error) {
	o.Before = func(r *vfs.CommitResult) error {
		report(r, out)
		if dry {
			return errDryRun
		}
		rec.Changes, rec.Conflicts = listed(r.Committed), r.Conflicts
		e, err := k.record(ctx, principal, rec)
		id = e.ID
		return err
	}
	res, err := v.Commit(o)
	var conflict *vfs.ConflictError
	switch {
	case errors.Is(err, errDryRun):
		return id, nil
	case errors.As(err, &conflict):
		out.Conflicts, out.ConflictCount = conflictPage(conflict.Conflicts), len(conflict.Conflicts)
		return id, nil
	case err != nil:
		return id, err
	}
	report(res, out)
	if id != (audit.ID{}) {
		out.Done, out.AuditID = true, id.String()
	}
	return id, nil
}

func report(r *vfs.CommitResult, out *abi.OverlayOutcome) {
	done := listed(r.Committed)
	out.Changes, out.Count = page(done), len(done)
	out.Conflicts, out.ConflictCount = conflictPage(r.Conflicts), len(r.Conflicts)
	out.Skipped, out.SkippedCount = page(r.Skipped), len(r.Skipped)
}

func emptyOutcome() abi.OverlayOutcome {
	return abi.OverlayOutcome{Changes: []abi.OverlayChange{}, Conflicts: []abi.OverlayChange{}, Skipped: []abi.OverlayChange{}}
}

func remaining(v *vfs.OverlayVfs, out *abi.OverlayOutcome) error {
	list, err := v.Changes()
	out.Remaining = len(listed(list))
	return err
}

// discardOverlay forgets a session's changes.
func (k *Kernel) discardOverlay(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	var p abi.OverlaySelector
	if err := params(abi.MethodDiscardOverlay, raw, &p); err != nil {
		return nil, err
	}
	out := emptyOutcome()
	if err := k.quiet(ctx, principal, p.Session); err != nil {
		return nil, err
	}
	err := k.files.use(ctx, principal, p.Session, func(v *vfs.OverlayVfs) error {
		list, err := v.Changes(p.Paths...)
		if err != nil {
			return err
		}
		list = listed(list)
		if len(list) == 0 {
			return remaining(v, &out)
		}
		rec := overlayRecord{Type: "overlay.discard", Session: p.Session, Workspace: v.Root(), Paths: p.Paths, Changes: list}
		e, err := k.record(ctx, principal, rec)
		if err != nil {
			return err
		}
		if err := v.Discard(p.Paths...); err != nil {
			return k.recordFailure(ctx, principal, rec, e.ID, err)
		}
		out.Done, out.AuditID = true, e.ID.String()
		out.Changes, out.Count = page(list), len(list)
		return remaining(v, &out)
	})
	return out, err
}
