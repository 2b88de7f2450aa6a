package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/tui"
)

// snapshotOptions are the flags that print the screen instead of showing it.
type snapshotOptions struct {
	on            bool
	width, height int
	ansi, plain   bool
	script        string
	prompt        string
	yes           bool
}

// flags adds --snapshot-tui and the size under the names that the bare command has for it.
func (o *snapshotOptions) flags(cmd *cobra.Command, width, height string) {
	f := cmd.Flags()
	f.BoolVar(&o.on, "snapshot-tui", false, "print frames of the chat screen instead of showing it; needs no terminal")
	f.IntVar(&o.width, width, 120, "with --snapshot-tui: `COLUMNS` of the screen")
	f.IntVar(&o.height, height, 40, "with --snapshot-tui: `ROWS` of the screen")
}

// chatFlags adds those of astrid chat.
func (o *snapshotOptions) chatFlags(cmd *cobra.Command) {
	o.flags(cmd, "width", "height")
	f := cmd.Flags()
	f.BoolVar(&o.ansi, "ansi", false, "with --snapshot-tui: frames with colours")
	f.BoolVar(&o.plain, "plain", false, "with --snapshot-tui: frames of text only (default)")
	f.StringVar(&o.script, "script", "", "with --snapshot-tui: the `FILE` that says what is typed and waited for, - is standard input")
	f.StringVarP(&o.prompt, "prompt", "p", "", "with --snapshot-tui: send `TEXT` and wait for the response")
	f.BoolVarP(&o.yes, "yes", "y", false, "with --snapshot-tui: approve what the gate asks, once each; else it is denied")
}

// check refuses what says nothing without --snapshot-tui.
func (o *snapshotOptions) check(cmd *cobra.Command, only ...string) error {
	for _, name := range only {
		if !o.on && cmd.Flags().Changed(name) {
			return fail(ExitUsage, "--%s goes with --snapshot-tui; see %s --help", name, cmd.CommandPath())
		}
	}
	if err := exclusive(cmd, "ansi", "plain"); err != nil {
		return err
	}
	if o.on && (o.width < 1 || o.width > 1000 || o.height < 1 || o.height > 1000) {
		return fail(ExitUsage, "the screen must have 1 to 1000 columns and rows, not %dx%d", o.width, o.height)
	}
	if o.script != "" && o.prompt != "" {
		return fail(ExitUsage, "--script and --prompt cannot go together")
	}
	return nil
}

// lines is the script: the file's, or what sends a prompt and waits.
func (o *snapshotOptions) lines(sys System) ([]string, error) {
	switch {
	case o.prompt != "":
		return []string{"type " + strings.Join(strings.Fields(o.prompt), " "), "key enter", "wait response_complete"}, nil
	case o.script == "":
		return nil, nil
	}
	var b []byte
	var err error
	if o.script == "-" {
		b, err = io.ReadAll(io.LimitReader(sys.Stdin, 1<<20))
	} else {
		b, err = os.ReadFile(o.script)
	}
	if err != nil {
		return nil, fmt.Errorf("--script: %w", err)
	}
	return strings.Split(string(b), "\n"), nil
}

// runSnapshot prints the screen.
func runSnapshot(ctx context.Context, sys System, c *chatOptions) error {
	o := &c.snapshot
	script, err := o.lines(sys)
	if err != nil {
		return err
	}
	w, err := sys.project()
	if err != nil {
		return err
	}
	dir, err := sys.directory()
	if err != nil {
		return err
	}
	h, err := sys.openHome()
	if err != nil {
		return err
	}
	if err := firstRun(ctx, sys, h); err != nil {
		return err
	}
	id, err := c.which.chooseOnce(ctx, sys, c.session, w.Root())
	if err != nil {
		return err
	}
	err = tui.Snapshot(ctx, tui.Options{
		Home: h, Version: Version, Workspace: w.Root(), Directory: dir, Session: id, Name: c.session, Mode: c.how.mode, Model: c.how.model, Output: sys.Stdout,
		Astrid: sys.inProcess, Theme: c.theme, ASCII: c.ascii,
	}, tui.SnapshotOptions{Width: o.width, Height: o.height, Styled: o.ansi, Approve: o.yes, Script: script})
	switch {
	case errors.Is(err, tui.ErrSnapshotScript):
		return fail(ExitUsage, "--script: %w", err)
	case errors.Is(err, tui.ErrSnapshotTimeout):
		return fail(ExitSilence, "%w", err)
	}
	return err
}
