package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
)

// checkpointOptions are the flags that all checkpoint commands have.
type checkpointOptions struct {
	sys     System
	session string
	json    bool
}

func newCheckpoint(sys System) *cobra.Command {
	o := &checkpointOptions{sys: sys}
	list := func(cmd *cobra.Command, _ []string) error { return o.list(cmd.Context()) }
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Keep a session's changes as they are, and go back to them",
		Long: `Keep a session's changes as they are at a moment, and go back to them. Your own files are not
touched: a checkpoint is about what the session changed and did not commit. Restoring one
keeps what was there before as another.

Exit codes: 0 done, 1 it failed, 2 the command line is wrong, 3 the daemon could not be started.`,
		Example: `  astrid checkpoint create 'tests pass'
  astrid checkpoint restore 1`,
		Args: cobra.NoArgs,
		RunE: list,
	}
	f := cmd.PersistentFlags()
	f.StringVar(&o.session, "session", "", "the session of this `NAME` or id instead of the last used one of this directory")
	f.BoolVar(&o.json, "json", false, "print JSON")
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List checkpoints, the oldest first", Args: cobra.NoArgs, RunE: list},
		&cobra.Command{Use: "create [LABEL]", Short: "Keep the changes as they are", Args: cobra.MaximumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.create(cmd.Context(), strings.Join(args, ""))
			}},
		&cobra.Command{Use: "restore ID", Short: "Go back to a checkpoint", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.on(cmd.Context(), args[0], o.restore)
			}},
		&cobra.Command{Use: "delete ID", Short: "Delete a checkpoint", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return o.on(cmd.Context(), args[0], o.delete)
			}},
	)
	return cmd
}

// on runs a command about one checkpoint of the session.
func (o *checkpointOptions) on(ctx context.Context, arg string, do func(context.Context, *overlayView, int) error) error {
	id, err := strconv.Atoi(arg)
	if err != nil || id < 1 {
		return fail(ExitUsage, "%s is no number of a checkpoint: see astrid checkpoint list", quoted(arg))
	}
	v, err := openOverlay(ctx, o.sys, o.session)
	if err != nil {
		return err
	}
	if v == nil {
		return fail(ExitError, "name the session with --session")
	}
	defer v.Close()
	return do(ctx, v, id)
}

func (o *checkpointOptions) list(ctx context.Context) error {
	v, err := openOverlay(ctx, o.sys, o.session)
	if err != nil {
		return err
	}
	list := []abi.CheckpointInfo{}
	if v != nil {
		defer v.Close()
		if list, err = callPatiently[[]abi.CheckpointInfo](ctx, v.conn, abi.MethodListCheckpoints, abi.CheckpointQuery{Session: v.Session}); err != nil {
			return err
		}
	}
	if o.json {
		return writeJSON(o.sys.Stdout, list)
	}
	if len(list) == 0 {
		o.sys.notef("there are no checkpoints")
		return nil
	}
	now := time.Now()
	rows := [][]string{{"ID", "AGE", "CHANGES", "BYTES", "LABEL"}}
	for _, c := range list {
		rows = append(rows, []string{strconv.Itoa(c.ID), ago(c.Created, now), strconv.Itoa(c.Changes), strconv.FormatInt(c.Bytes, 10), clip(oneLine(c.Label))})
	}
	return table(o.sys.Stdout, rows)
}

func (o *checkpointOptions) create(ctx context.Context, label string) error {
	if len(label) > abi.MaxCheckpointLabel {
		return fail(ExitUsage, "the label is longer than %d bytes", abi.MaxCheckpointLabel)
	}
	v, err := openOverlay(ctx, o.sys, o.session)
	if err != nil {
		return err
	}
	if v == nil {
		return fail(ExitError, "there is nothing to keep")
	}
	defer v.Close()
	c, err := callPatiently[abi.CheckpointInfo](ctx, v.conn, abi.MethodCreateCheckpoint, abi.CheckpointQuery{Session: v.Session, Label: label})
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.sys.Stdout, c)
	}
	_, err = fmt.Fprintf(o.sys.Stdout, "%d\n", c.ID)
	return err
}

func (o *checkpointOptions) restore(ctx context.Context, v *overlayView, id int) error {
	r, err := callPatiently[abi.CheckpointRestored](ctx, v.conn, abi.MethodRestoreCheckpoint, abi.CheckpointQuery{Session: v.Session, ID: id})
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.sys.Stdout, r)
	}
	fmt.Fprintf(o.sys.Stdout, "restored %d: %s\n", id, count(r.Restored.Changes, "change"))
	if r.Saved != nil {
		o.sys.notef("what was there before is checkpoint %d", r.Saved.ID)
	}
	return nil
}

func (o *checkpointOptions) delete(ctx context.Context, v *overlayView, id int) error {
	c, err := callPatiently[abi.CheckpointInfo](ctx, v.conn, abi.MethodDeleteCheckpoint, abi.CheckpointQuery{Session: v.Session, ID: id})
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.sys.Stdout, c)
	}
	_, err = fmt.Fprintf(o.sys.Stdout, "deleted %d\n", id)
	return err
}
