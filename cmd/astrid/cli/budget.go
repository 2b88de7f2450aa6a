package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

func newBudget(sys System) *cobra.Command {
	var asJSON bool
	var session string
	show := func(cmd *cobra.Command, _ []string) error { return showBudget(cmd.Context(), sys, session, asJSON) }
	cmd := &cobra.Command{
		Use:   "budget",
		Short: "Show what may be spent and what was",
		Long: `Show the limits, where each is set, and what sessions and workspaces have used. Reserved is
what actions that still run may cost. Limits are set in the configuration: [budget].

Exit codes: 0 done, 2 the command line is wrong, 3 the daemon could not be started.`,
		Args: cobra.NoArgs,
		RunE: show,
	}
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.PersistentFlags().StringVar(&session, "session", "", "show only the session with this `NAME` or id")
	cmd.AddCommand(&cobra.Command{Use: "show", Short: "Show limits and totals", Args: cobra.NoArgs, RunE: show})
	return cmd
}

func showBudget(ctx context.Context, sys System, session string, asJSON bool) error {
	b, err := callOnce[abi.BudgetInfo](ctx, sys, abi.MethodGetBudget, nil)
	if err != nil {
		return err
	}
	if session != "" {
		id, err := sessionID(session)
		if err != nil {
			return err
		}
		b.Totals = slices.DeleteFunc(b.Totals, func(t abi.BudgetTotal) bool {
			return t.Scope != "session" || t.Name != session && t.Name != id
		})
	}
	if asJSON {
		return writeJSON(sys.Stdout, b)
	}
	rows := [][]string{{"LIMIT", "MAX", "SET IN"}}
	for _, l := range b.Limits {
		rows = append(rows, []string{l.Name, limit(l.MaxUSD), approval.Display(l.Source)})
	}
	for _, t := range b.Tariff {
		rows = append(rows, []string{"at least, for " + approval.Display(t.Host), money(t.USD), approval.Display(t.Source)})
	}
	if err := table(sys.Stdout, rows); err != nil {
		return err
	}
	if len(b.Totals) == 0 {
		fmt.Fprintln(sys.Stdout, "\nnothing was spent")
		return nil
	}
	rows = [][]string{{"", "SPENT", "RESERVED", "LEFT", "NAME"}}
	for _, t := range b.Totals {
		left := "unlimited"
		if t.MaxUSD > 0 {
			left = money(max(t.MaxUSD-t.SpentUSD-t.ReservedUSD, 0))
		}
		rows = append(rows, []string{t.Scope, money(t.SpentUSD), money(t.ReservedUSD), left, clip(approval.Display(t.Name))})
	}
	fmt.Fprintln(sys.Stdout)
	return table(sys.Stdout, rows)
}
