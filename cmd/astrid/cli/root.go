package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// Version of the command line and the daemon.
const Version = "0.5.0"

// System is the world around a command, so that tests can run commands in-process.
type System struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) (string, bool)
	Getwd  func() (string, error)
	// IsTerminal tells whether Stdin, Stdout or Stderr is a terminal.
	IsTerminal func(stream any) bool
}

// OS is the world of a real process.
func OS() System {
	return System{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.LookupEnv, Getwd: os.Getwd,
		IsTerminal: func(s any) bool {
			f, ok := s.(*os.File)
			return ok && term.IsTerminal(int(f.Fd()))
		},
	}
}

// Main runs one command line and returns its exit code.
func Main(args []string, sys System) int {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // by nohup: it is to outlive its terminal
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	return run(ctx, args, sys)
}

// run runs one command line until ctx ends.
func run(ctx context.Context, args []string, sys System) int {
	cmd := newRoot(sys)
	cmd.SetArgs(args)
	cmd.SetIn(sys.Stdin)
	cmd.SetOut(sys.Stdout)
	cmd.SetErr(sys.Stderr)
	err := cmd.ExecuteContext(ctx)
	var e *exitError
	if err != nil && !(errors.As(err, &e) && e.err == nil) {
		text := printable(strings.TrimRight(err.Error(), "\n")) // it may quote what a stranger wrote
		if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
			text = "interrupted"
		}
		fmt.Fprintf(sys.Stderr, "astrid: %s\n", text)
	}
	if err != nil && ctx.Err() != nil {
		return ExitInterrupted
	}
	return codeOf(err)
}

// Tree is the command line with all its commands and flags, for whoever describes or tests it.
func Tree(sys System) *cobra.Command { return newRoot(sys) }

func newRoot(sys System) *cobra.Command {
	o := &headlessOptions{sys: sys}
	root := &cobra.Command{
		Use:   "astrid [-p PROMPT]",
		Short: "Run AI agents in sandboxed capsules behind one security gate",
		Long: `Astrid runs AI agents the way an operating system runs processes: every capsule is
sandboxed, and each of its calls is decided and recorded by one gate.

With -p, or with a prompt on standard input, astrid answers one prompt and exits.
Standard output carries the answer and nothing else.

Exit codes: 0 done, 1 it failed, 2 the command line is wrong, 3 the daemon could not be started,
4 the turn failed, 5 something waits for approval, 8 something was denied, 53 nothing was heard
from the daemon for 120 s, 130 interrupted.

A PATTERN is a resource as a question shows it, quotes included, in which * stands for any text
without a slash and ** for any text. What a shell is given is one argument: a pattern that ends
in ** also covers whatever follows behind a semicolon there.`,
		Example: `  astrid -p "fix the failing test" --allow 'exec:///usr/bin/go test **'
  astrid -p "build it" --allow "exec:///usr/bin/bash -c 'make all'"
  astrid -p "what is new there?" --allow 'net:https://go.dev:443/**' --output-format json`,
		Version:       Version,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.promptSet = cmd.Flags().Changed("prompt")
			if err := errors.Join(o.which.check(cmd), o.how.check(cmd)); err != nil {
				return err
			}
			if err := o.snapshot.check(cmd, "tui-width", "tui-height"); err != nil {
				return err
			}
			if o.snapshot.on {
				if o.snapshot.prompt, o.snapshot.yes = o.prompt, o.yes; strings.TrimSpace(o.prompt) == "" {
					return fail(ExitUsage, "--snapshot-tui needs a prompt: -p TEXT, or astrid chat --snapshot-tui --script FILE")
				}
				return runSnapshot(cmd.Context(), sys, &chatOptions{session: o.session, which: o.which, how: o.how, snapshot: o.snapshot})
			}
			if startsChat(cmd, sys) {
				return runChat(cmd.Context(), sys, &chatOptions{session: o.session, which: o.which, how: o.how})
			}
			return runHeadless(cmd.Context(), o)
		},
	}
	root.SetVersionTemplate("astrid {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	f := root.Flags()
	f.StringVarP(&o.prompt, "prompt", "p", "", "answer `TEXT` and exit; standard input, if it is not a terminal, is put before it")
	f.StringVar(&o.session, "session", "", "continue the session with this `NAME` or id, or start it")
	o.which.flags(root)
	o.how.flags(root)
	o.snapshot.flags(root, "tui-width", "tui-height")
	f.IntVar(&o.limits.MaxTurns, "max-turns", 0, "end the turn after this `NUMBER` of rounds of tool calls")
	f.Float64Var(&o.limits.MaxCostUSD, "max-cost", 0, "end the turn when it has cost this many `USD`, by what the provider reports")
	f.BoolVar(&o.printSession, "print-session", false, "print the session's id as the last line on standard error")
	f.BoolVarP(&o.yes, "yes", "y", false, "approve whatever the agent asks for, once each")
	f.StringVar(&o.maxRisk, "max-risk", "", "approve, once each, what is rated at most this `RISK`: low, medium, high or critical")
	f.StringArrayVar(&o.allow, "allow", nil, "approve, once each, what this `PATTERN` over resources covers; may be repeated")
	f.StringArrayVar(&o.deny, "deny", nil, "refuse what this `PATTERN` over resources covers, whatever else allows it; may be repeated")
	f.DurationVar(&o.timeout, "timeout", 0, "cancel the turn after this `TIME`, for example 90s or 10m")
	f.StringVar(&o.input, "input-format", "text", "`FORMAT` of standard input: text or stream-json")
	f.StringVar(&o.format, "output-format", "text", "`FORMAT` of the answer: text, json or stream-json")
	root.AddCommand(newSession(sys), newDiff(sys), newCommit(sys), newDiscard(sys), newCheckpoint(sys),
		newInit(sys), newStart(sys), newStatus(sys), newStop(sys), newChat(sys), newCapsule(sys), newBuild(sys), newGC(sys), newDistro(sys), newPath(sys), newConfig(sys), newModels(sys), newDoctor(sys), newLogs(sys), newService(sys), newMan(sys),
		newApprovals(sys), newCaps(sys), newBudget(sys), newAudit(sys), newMode(sys), newWhy(sys))
	root.AddCommand(newSecret(sys), newPs(sys), newTop(sys), newTrust(sys))
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" && c.RunE == nil { // else cobra takes any argument for a question about it
			c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
	root.SetHelpCommand(newHelp())
	usageErrors(root)
	complete(root, sys)
	return root
}

// openHome finds and makes the home directory.
func (s System) openHome() (home.Home, error) {
	h, err := home.Resolve(s.Getenv)
	if err != nil {
		return home.Home{}, err
	}
	return h, h.Ensure()
}

// notef tells the person something. It may quote what a stranger wrote: a server, a repository, a compiler.
func (s System) notef(format string, args ...any) {
	fmt.Fprintf(s.Stderr, "astrid: %s\n", printable(fmt.Sprintf(format, args...)))
}
