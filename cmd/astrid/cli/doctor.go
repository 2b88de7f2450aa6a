package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/doctor"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

func newDoctor(sys System) *cobra.Command {
	var asJSON, offline bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check the installation and say what to do about what is wrong",
		Long: `Check programs, home, keys, disk, configuration, capsules, daemon, providers and terminal.
No daemon is started and no key leaves the machine: a provider's host is only connected to.

Exit codes: 0 nothing is broken, though there may be warnings; 1 something is.`,
		Example: `  astrid doctor
  astrid doctor --offline --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := home.Resolve(sys.Getenv)
			if err != nil {
				return err
			}
			w, err := sys.here()
			if err != nil {
				return err
			}
			results := doctor.Run(cmd.Context(), doctor.Options{
				Home: h, Version: Version, Workspace: w.Root(), Offline: offline, Getenv: sys.Getenv, TerminalSize: sys.terminalSize,
				Outdated: outdated, OutdatedFix: outdatedFix,
			})
			if asJSON {
				err = writeJSON(sys.Stdout, results)
			} else {
				err = printDoctor(sys, results)
			}
			if err == nil && doctor.Worst(results) == doctor.Fail {
				err = &exitError{code: ExitError}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&offline, "offline", false, "do not try the hosts of providers")
	return cmd
}

// terminalSize is the size of the terminal at standard output.
func (s System) terminalSize() (width, height int, err error) {
	f, ok := s.Stdout.(*os.File)
	if !ok {
		return 0, 0, os.ErrInvalid
	}
	return term.GetSize(int(f.Fd()))
}

func printDoctor(sys System, results []doctor.Result) error {
	width := 0
	for _, r := range results {
		width = max(width, len(r.Check))
	}
	for _, r := range results {
		text := strings.ReplaceAll(printable(r.Detail), "\n", "; ")
		if _, err := fmt.Fprintf(sys.Stdout, "%-4s  %-*s  %s\n", r.Status, width, printable(r.Check), text); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
		if r.Fix == "" {
			continue
		}
		if _, err := fmt.Fprintf(sys.Stdout, "%*s%s\n", width+8, "", "→ "+printable(r.Fix)); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	return nil
}
