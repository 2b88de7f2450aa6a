package cli

import (
	"bufio"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
)

type discardOptions struct {
	sys     System
	session string
	yes     bool
	json    bool
}

func newDiscard(sys System) *cobra.Command {
	o := &discardOptions{sys: sys}
	cmd := &cobra.Command{
		Use:   "discard [PATH…]",
		Short: "Forget what a session changed",
		Long: `Forget what a session changed: all of it, or what lies at or below the paths, which are
relative to the current directory. The session sees your files there again; your files are
not touched. It cannot be undone, and is recorded in the audit log before it acts.

On a terminal it asks first. Elsewhere --yes is needed to discard everything.

While the session's agent works, what it writes after the discard is a new change.

Exit codes: 0 done or nothing to discard, 1 it failed or was not confirmed, 2 the command line
is wrong or --yes is missing, 3 the daemon could not be started.`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.session, "session", "", "`NAME` or id of the session (default: the last used one of this directory that has changes)")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (o *discardOptions) run(ctx context.Context, args []string) error {
	terminal := o.sys.IsTerminal(o.sys.Stdin)
	if len(args) == 0 && !o.yes && !terminal {
		return fail(ExitUsage, "to discard everything without a terminal to ask on, say --yes; or name paths")
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
	paths, err := v.paths(args)
	if err != nil {
		return err
	}
	list, err := v.changes(ctx, paths, args)
	if err != nil {
		return err
	}
	if len(list) > 0 && terminal && !o.yes {
		if err := o.ask(ctx, v, list); err != nil {
			return err
		}
	}
	res, err := callPatiently[abi.OverlayOutcome](ctx, v.conn, abi.MethodDiscardOverlay, abi.OverlaySelector{Session: v.Session, Paths: paths})
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.sys.Stdout, overlayReport{Session: v.Session, Workspace: v.Workspace, OverlayOutcome: res})
	}
	if err := v.listChanges(o.sys.Stdout, res.Changes, res.Count); err != nil {
		return err
	}
	switch {
	case res.Count == 0:
		o.sys.notef("nothing to discard")
	case res.Remaining > 0:
		o.sys.notef("discarded %s; %d stay with the session", count(res.Count, "change"), res.Remaining)
	default:
		o.sys.notef("discarded %s", count(res.Count, "change"))
	}
	return nil
}

// askedAbout is how many changes are listed before the question.
const askedAbout = 20

func (o *discardOptions) ask(ctx context.Context, v *overlayView, list []abi.OverlayChange) error {
	if err := v.listChanges(o.sys.Stderr, list[:min(len(list), askedAbout)], len(list)); err != nil {
		return err
	}
	ok, err := o.sys.confirm(ctx, bufio.NewReader(o.sys.Stdin), fmt.Sprintf("Discard %s of session %s?", count(len(list), "change"), quoted(v.Session)), false)
	if err == nil && !ok {
		err = fail(ExitError, "nothing was discarded")
	}
	return err
}
