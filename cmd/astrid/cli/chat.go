package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/tui"
)

func newChat(sys System) *cobra.Command {
	var session string
	cmd := &cobra.Command{
		Use:   "chat",
		Short: "Talk to the agent on a screen of its own",
		Long: `Talk to the agent. Without --session a new session begins; its id is printed at the end.

/help lists keys and commands. A daemon is started if none runs.`,
		Example: `  astrid chat
  astrid chat --session refactoring`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runChat(cmd.Context(), sys, session) },
	}
	cmd.Flags().StringVarP(&session, "session", "s", "", "continue the session with this `NAME` or id, or start it")
	return cmd
}

// runChat shows a session until the person leaves.
func runChat(ctx context.Context, sys System, name string) error {
	if !sys.IsTerminal(sys.Stdin) || !sys.IsTerminal(sys.Stdout) {
		return fail(ExitUsage, "chat needs a terminal: use astrid -p \"…\" in scripts and pipes")
	}
	if term, ok := sys.Getenv("TERM"); !ok || term == "" || term == "dumb" {
		return fail(ExitUsage, "chat needs a terminal that can move the cursor (TERM is %q): use astrid -p \"…\"", term)
	}
	id, err := sessionID(name)
	if err != nil {
		return err
	}
	workspace, err := sys.Getwd()
	if err != nil {
		return fmt.Errorf("current directory: %w", err)
	}
	h, err := sys.openHome()
	if err != nil {
		return err
	}
	if err := firstRun(ctx, sys, h); err != nil {
		return err
	}
	shown := name
	if id == name {
		shown = "" // an id is no name
	}
	last, err := tui.Run(ctx, tui.Options{
		Home: h, Version: Version, Workspace: workspace, Session: id, Name: shown,
		Input: sys.Stdin, Output: sys.Stdout, Getenv: sys.Getenv, Astrid: sys.inProcess,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(sys.Stdout, "Session %s\nContinue with: astrid chat --session %s\n", last, last)
	return nil
}

// startsChat tells whether the bare command means chat: on a terminal, and without flags
// that only make sense for a single prompt.
func startsChat(cmd *cobra.Command, sys System) bool {
	flags := cmd.Flags().NFlag()
	if cmd.Flags().Changed("session") {
		flags--
	}
	return flags == 0 && sys.IsTerminal(sys.Stdin) && sys.IsTerminal(sys.Stdout)
}

// inProcess runs another command of this program, with nobody at its input.
func (s System) inProcess(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	var out, errs strings.Builder
	in := s
	in.Stdin, in.Stdout, in.Stderr = strings.NewReader(""), &out, &errs
	in.IsTerminal = func(any) bool { return false }
	code = run(ctx, args, in)
	return out.String(), errs.String(), code
}
