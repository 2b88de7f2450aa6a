package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
)

type commitOptions struct {
	sys     System
	session string
	ours    bool
	theirs  bool
	dryRun  bool
	json    bool
}

func newCommit(sys System) *cobra.Command {
	o := &commitOptions{sys: sys}
	cmd := &cobra.Command{
		Use:   "commit [PATH…]",
		Short: "Take over what a session changed into your files",
		Long: `Take over what a session changed into your files: all of it, or what lies at or below
the paths, which are relative to the current directory.

Nothing else in the workspace is touched. Each file is replaced at once and keeps its mode
and time. A commit that a crash interrupts is finished when the daemon starts again. It is
recorded in the audit log before it acts.

A file that you changed too since the session first did is a conflict: nothing is committed
and the exit code is 7. --ours takes the session's version, --theirs keeps yours and forgets
the session's, and astrid diff > x.patch exports the changes to be merged by hand.

While the session's agent works, a commit takes the files as they are at one moment. What
the agent writes afterwards is a new change.

Exit codes: 0 done or nothing to commit, 1 it failed, 2 the command line is wrong, 3 the
daemon could not be started, 7 conflicts.`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.session, "session", "", "`NAME` or id of the session (default: the last used one of this directory that has changes)")
	f.BoolVar(&o.ours, "ours", false, "at a conflict take the session's version")
	f.BoolVar(&o.theirs, "theirs", false, "at a conflict keep the workspace's version, and forget the session's")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "show what would be committed")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// overlayReport is the JSON of a commit or discard.
type overlayReport struct {
	Session   string `json:"session"`
	Workspace string `json:"workspace"`
	DryRun    bool   `json:"dry_run"`
	abi.OverlayOutcome
}

// nothing is the report when no session has changes.
var nothing = overlayReport{OverlayOutcome: abi.OverlayOutcome{
	Changes: []abi.OverlayChange{}, Conflicts: []abi.OverlayChange{}, Skipped: []abi.OverlayChange{},
}}

func (o *commitOptions) run(ctx context.Context, args []string) error {
	req := abi.OverlayCommit{OnConflict: abi.ConflictRefuse, DryRun: o.dryRun}
	switch {
	case o.ours && o.theirs:
		return fail(ExitUsage, "--ours and --theirs exclude each other")
	case o.ours:
		req.OnConflict = abi.ConflictOurs
	case o.theirs:
		req.OnConflict = abi.ConflictTheirs
	}
	v, err := openOverlay(ctx, o.sys, o.session)
	if err != nil {
		return err
	}
	if v == nil {
		if o.json {
			return writeJSON(o.sys.Stdout, nothing)
		}
		return nil
	}
	defer v.Close()
	if req.Paths, err = v.paths(args); err != nil {
		return err
	}
	if len(args) > 0 {
		if _, err := v.changes(ctx, req.Paths, args); err != nil {
			return err
		}
	}
	req.Session = v.Session
	res, err := callPatiently[abi.OverlayOutcome](ctx, v.conn, abi.MethodCommitOverlay, req)
	if err != nil {
		return err
	}
	if o.json {
		if err := writeJSON(o.sys.Stdout, overlayReport{v.Session, v.Workspace, o.dryRun, res}); err != nil {
			return err
		}
	} else if err := v.listChanges(o.sys.Stdout, res.Changes, res.Count); err != nil {
		return err
	}
	if res.ConflictCount > 0 && req.OnConflict == abi.ConflictRefuse {
		return o.conflicts(v, res)
	}
	o.summary(v, res)
	return nil
}

// conflicts explains why nothing was committed, and the ways out.
func (o *commitOptions) conflicts(v *overlayView, res abi.OverlayOutcome) error {
	o.sys.notef("%s, nothing was committed:", count(res.ConflictCount, "conflict"))
	v.listConflicts(res.Conflicts, res.ConflictCount)
	s := v.sessionFlag()
	return fail(ExitConflict, `the workspace changed since the session did; choose one, for all or for some paths:
  astrid commit%s --ours [PATH…]     takes the session's version
  astrid commit%s --theirs [PATH…]   keeps the workspace's version and forgets the session's
  astrid diff%s [PATH…] > x.patch    exports the changes, to be merged by hand`, s, s, s)
}

func (o *commitOptions) summary(v *overlayView, res abi.OverlayOutcome) {
	if res.ConflictCount > 0 {
		which := "the session's version wins"
		if o.theirs {
			which = "the workspace's version stays"
		}
		o.sys.notef("%s, %s:", count(res.ConflictCount, "conflict"), which)
		v.listConflicts(res.Conflicts, res.ConflictCount)
	}
	if res.SkippedCount > 0 {
		o.sys.notef("%s cannot be committed:", count(res.SkippedCount, "change"))
		for _, c := range res.Skipped {
			o.sys.notef("  %s", v.shown(c))
		}
	}
	switch where := quoted(v.Workspace); {
	case res.Count == 0 && res.ConflictCount == 0:
		o.sys.notef("nothing to commit")
	case o.dryRun:
		o.sys.notef("would commit %s to %s", count(res.Count, "change"), where)
	case res.Remaining > 0:
		o.sys.notef("committed %s to %s; %d stay with the session", count(res.Count, "change"), where, res.Remaining)
	default:
		o.sys.notef("committed %s to %s", count(res.Count, "change"), where)
	}
}
