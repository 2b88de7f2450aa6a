package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

func newCaps(sys System) *cobra.Command {
	var asJSON, all bool
	list := func(cmd *cobra.Command, _ []string) error { return listCaps(cmd.Context(), sys, all, asJSON) }
	cmd := &cobra.Command{
		Use:   "caps",
		Short: "Show and revoke what capsules may do without asking",
		Long: `Show and revoke what capsules may do without asking: signed capability tokens and
standing allowances, each with the audit entry that created it ("astrid why" explains it).
A revoked one counts no more as soon as the command is done.

Exit codes: 0 done, 1 there is no such grant or it could not be revoked, 2 the command line
is wrong, 3 the daemon could not be started.`,
		Args: cobra.NoArgs,
		RunE: list,
	}
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVarP(&all, "all", "a", false, "list what ended too")
	ls := &cobra.Command{Use: "list", Short: "List tokens and allowances", Args: cobra.NoArgs, RunE: list}
	ls.Flags().BoolVarP(&all, "all", "a", false, "list what ended too")
	cmd.AddCommand(ls, &cobra.Command{
		Use: "show ID", Short: "Show one token or allowance", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, err := sys.daemon(cmd.Context())
			if err != nil {
				return err
			}
			defer conn.Close()
			g, err := findGrant(cmd.Context(), conn, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(sys.Stdout, g)
			}
			return printGrant(sys, g)
		},
	}, newRevoke(sys, &asJSON))
	return cmd
}

func newRevoke(sys System, asJSON *bool) *cobra.Command {
	var sel abi.GrantSelector
	cmd := &cobra.Command{
		Use: "revoke ID | --capsule NAME", Short: "End a grant, or all grants of a capsule", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (sel.Capsule != "") {
				return fail(ExitUsage, "name one id, or a capsule with --capsule; see %s --help", cmd.CommandPath())
			}
			conn, err := sys.daemon(cmd.Context())
			if err != nil {
				return err
			}
			defer conn.Close()
			if len(args) == 1 {
				g, err := findGrant(cmd.Context(), conn, args[0])
				if err != nil {
					return err
				}
				sel.ID = g.ID
			}
			ended, err := call[[]abi.GrantInfo](cmd.Context(), conn, abi.MethodRevokeGrants, sel)
			if err != nil {
				return err
			}
			if *asJSON {
				return writeJSON(sys.Stdout, ended)
			}
			if len(ended) == 0 {
				sys.notef("it had ended before")
			}
			for _, g := range ended {
				fmt.Fprintf(sys.Stdout, "revoked %s %s of %s: %s\n", g.Kind, approval.Display(g.ID), owner(g), approval.Display(g.Pattern))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&sel.Capsule, "capsule", "", "end all grants of the capsule `NAME`")
	cmd.Flags().StringVar(&sel.Reason, "reason", "", "keep this `TEXT` in the audit log")
	return cmd
}

func findGrant(ctx context.Context, conn *client.Conn, typed string) (abi.GrantInfo, error) {
	list, err := call[[]abi.GrantInfo](ctx, conn, abi.MethodListGrants, nil)
	if err != nil {
		return abi.GrantInfo{}, err
	}
	return byPrefix(list, func(g abi.GrantInfo) string { return g.ID }, typed, "grant", "astrid caps --all")
}

func listCaps(ctx context.Context, sys System, all, asJSON bool) error {
	list, err := callOnce[[]abi.GrantInfo](ctx, sys, abi.MethodListGrants, nil)
	if err != nil {
		return err
	}
	if !all {
		list = slices.DeleteFunc(list, func(g abi.GrantInfo) bool { return g.Status != "active" })
	}
	slices.SortStableFunc(list, func(a, b abi.GrantInfo) int {
		if d := strings.Compare(a.Capsule, b.Capsule); d != 0 {
			return d
		}
		return a.CreatedAt.Compare(b.CreatedAt)
	})
	if asJSON {
		return writeJSON(sys.Stdout, list)
	}
	if len(list) == 0 {
		sys.notef("no capsule may do anything without asking, apart from what the mode allows")
		return nil
	}
	now := time.Now()
	rows := [][]string{{"ID", "KIND", "SCOPE", "STATUS", "AGE", "CAPSULE", "PATTERN", "CREATED BY"}}
	for _, g := range list {
		rows = append(rows, []string{shorten(g.ID), g.Kind, g.Scope, g.Status, ago(g.CreatedAt, now), owner(g),
			clip(approval.Display(g.Pattern)), approval.Display(g.AuditID)})
	}
	return table(sys.Stdout, rows)
}

func owner(g abi.GrantInfo) string {
	if g.Capsule == "" {
		return "(every capsule)"
	}
	return approval.Display(g.Capsule)
}

func printGrant(sys System, g abi.GrantInfo) error {
	uses := ""
	if g.MaxUses > 0 {
		uses = fmt.Sprintf("%d of %d", g.Used, g.MaxUses)
	}
	ends := stamp(g.ExpiresAt)
	if ends == "" && g.Status == "active" {
		ends = "when it is revoked"
		if g.Scope == string(approval.ScopeSession) {
			ends = "with the session"
		}
	}
	if err := details(sys.Stdout, [][2]string{
		{"id", approval.Display(g.ID)},
		{"kind", g.Kind},
		{"scope", g.Scope},
		{"capsule", owner(g)},
		{"session", approval.Display(g.Session)},
		{"workspace", approval.Display(g.Workspace)},
		{"pattern", approval.Display(g.Pattern)},
		{"permits", strings.Join(g.Permissions, ", ")},
		{"status", g.Status},
		{"", approval.Display(g.Problem)},
		{"created", stamp(g.CreatedAt)},
		{"ends", ends},
		{"revoked", stamp(g.RevokedAt)},
		{"used", uses},
		{"created by", approval.Display(g.AuditID)},
	}); err != nil {
		return err
	}
	if g.AuditID != "" {
		sys.notef("astrid why %s tells who agreed to it", approval.Display(g.AuditID))
	}
	return nil
}
