package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/tui"
)

// chatOptions are the flags of astrid chat.
type chatOptions struct {
	session  string
	which    resumeOptions
	how      howOptions
	theme    string
	ascii    bool
	quiet    bool
	inline   bool
	snapshot snapshotOptions
}

func newChat(sys System) *cobra.Command {
	o := &chatOptions{}
	cmd := &cobra.Command{
		Use:   "chat",
		Short: "Talk to the agent on a screen of its own",
		Long: `Talk to the agent. Without --session a new session begins; its id is printed at the end.

/help lists keys and commands. A daemon is started if none runs. Commands of your own are
files NAME.md in etc/commands of the home, or in .astrid/commands of a project: /NAME sends
the text, with $ARGUMENTS, or $1 to $9, replaced by what follows the name.`,
		Example: `  astrid chat
  astrid chat --session refactoring
  astrid chat --theme contrast
  astrid chat --inline
  astrid chat --mode safe --model openai:gpt-5
  astrid chat --snapshot-tui --width 80 --height 24 -p "list the files"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(o.which.check(cmd), o.how.check(cmd)); err != nil {
				return err
			}
			if err := o.snapshot.check(cmd, "width", "height", "ansi", "plain", "script", "prompt", "yes"); err != nil {
				return err
			}
			return runChat(cmd.Context(), sys, o)
		},
	}
	o.which.flags(cmd)
	o.how.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.session, "session", "s", "", "continue the session with this `NAME`, id or beginning of an id, or start it under that name")
	f.StringVar(&o.theme, "theme", "auto", "`THEME`: "+strings.Join(tui.ThemeNames, ", "))
	f.BoolVar(&o.ascii, "ascii", false, "draw with ASCII characters only")
	f.BoolVar(&o.inline, "inline", false, "stay in the terminal's own scrollback instead of taking the whole screen")
	o.snapshot.chatFlags(cmd)
	f.BoolVar(&o.quiet, "quiet", false, "no bell and no desktop messages")
	return cmd
}

// runChat shows a session until the person leaves.
func runChat(ctx context.Context, sys System, o *chatOptions) error {
	if o.theme != "" && !slices.Contains(tui.ThemeNames, o.theme) {
		return fail(ExitUsage, "--theme: %q is none of %s", o.theme, strings.Join(tui.ThemeNames, ", "))
	}
	if o.snapshot.on {
		return runSnapshot(ctx, sys, o)
	}
	if !sys.IsTerminal(sys.Stdin) || !sys.IsTerminal(sys.Stdout) {
		return fail(ExitUsage, "chat needs a terminal: use astrid -p \"…\" in scripts and pipes")
	}
	if term, ok := sys.Getenv("TERM"); !ok || term == "" || term == "dumb" {
		return fail(ExitUsage, "chat needs a terminal that can move the cursor (TERM is %q): use astrid -p \"…\"", term)
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
	if err := sys.meetProject(ctx, true); err != nil {
		return err
	}
	if err := firstRun(ctx, sys, h); err != nil {
		return err
	}
	id, err := o.which.chooseOnce(ctx, sys, o.session, w.Root())
	if err != nil {
		return err
	}
	shown := o.session
	if id == shown {
		shown = "" // an id is no name
	}
	last, err := tui.Run(ctx, tui.Options{
		Home: h, Version: Version, Workspace: w.Root(), Directory: dir, Session: id, Name: shown, Mode: o.how.mode, Model: o.how.model,
		Input: sys.Stdin, Output: sys.Stdout, Getenv: sys.Getenv, Astrid: sys.inProcess,
		Theme: o.theme, ASCII: o.ascii, Quiet: o.quiet, Inline: o.inline,
		Notice: sys.newOffers(),
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
	for _, both := range []string{"session", "continue", "resume", "fork", "mode", "model"} {
		if cmd.Flags().Changed(both) {
			flags--
		}
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
