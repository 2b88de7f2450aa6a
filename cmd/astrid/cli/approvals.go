package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

func newApprovals(sys System) *cobra.Command {
	var asJSON bool
	list := func(cmd *cobra.Command, _ []string) error { return listApprovals(cmd.Context(), sys, asJSON) }
	cmd := &cobra.Command{
		Use:   "approvals",
		Short: "Show and answer what waits for an approval",
		Long: `Show and answer what waits for an approval.

An open request has a call waiting for the answer until its deadline. A queued one came
when nobody was there: once it is approved, exactly that action may run once, when the
agent tries it again within 24 hours. Ids may be shortened as long as one request fits.

Exit codes: 0 done, 1 there is no such request or the answer was not taken, 2 the command
line is wrong, 3 the daemon could not be started.`,
		Args: cobra.NoArgs,
		RunE: list,
	}
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List open and queued requests, the riskiest first", Args: cobra.NoArgs, RunE: list,
	}, &cobra.Command{
		Use: "show ID", Short: "Show one request with what each answer would grant", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, err := sys.daemon(cmd.Context())
			if err != nil {
				return err
			}
			defer conn.Close()
			r, err := findApproval(cmd.Context(), conn, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(sys.Stdout, r)
			}
			return printApproval(sys, r)
		},
	}, newApprove(sys, &asJSON), newDeny(sys, &asJSON))
	return cmd
}

func newApprove(sys System, asJSON *bool) *cobra.Command {
	var session, workspace, always bool
	var pattern string
	cmd := &cobra.Command{
		Use:   "approve ID",
		Short: "Approve a request: once, or for longer",
		Long: `Approve a request, once unless a flag says for how long. "astrid approvals show ID" tells
exactly what each of them grants.

With --pattern, a pattern over resources that you write is granted for the session, or
with --workspace for the workspace. It must cover what was asked for; * stops at /, ** does
not: 'net:https://api.example.com:443/v1/**'.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(exclusive(cmd, "session", "workspace", "always"), exclusive(cmd, "pattern", "always")); err != nil {
				return err
			}
			a := abi.ApprovalReply{Decision: string(approval.ApproveOnce)}
			switch {
			case cmd.Flags().Changed("pattern"):
				if pattern == "" {
					return fail(ExitUsage, "--pattern: the pattern is empty")
				}
				a.Decision, a.Pattern, a.Scope = string(approval.ApprovePattern), pattern, string(approval.ScopeSession)
				if workspace {
					a.Scope = string(approval.ScopeWorkspace)
				}
			case session:
				a.Decision = string(approval.ApproveSession)
			case workspace:
				a.Decision = string(approval.ApproveWorkspace)
			case always:
				a.Decision = string(approval.ApproveAlways)
			}
			return answer(cmd.Context(), sys, args[0], a, *asJSON)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&session, "session", false, "and whatever the answer covers until the session ends")
	f.BoolVar(&workspace, "workspace", false, "and whatever the answer covers in this workspace, also after a restart")
	f.BoolVar(&always, "always", false, "and whatever the answer covers, until it is revoked with astrid caps")
	f.StringVar(&pattern, "pattern", "", "grant this `PATTERN` over resources instead")
	return cmd
}

func newDeny(sys System, asJSON *bool) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "deny ID", Short: "Deny a request", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return answer(cmd.Context(), sys, args[0], abi.ApprovalReply{Decision: abi.DecisionDeny, Reason: reason}, *asJSON)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "tell the agent why: `TEXT`")
	return cmd
}

func findApproval(ctx context.Context, conn *client.Conn, typed string) (abi.ApprovalInfo, error) {
	list, err := call[[]abi.ApprovalInfo](ctx, conn, abi.MethodListApprovals, nil)
	if err != nil {
		return abi.ApprovalInfo{}, err
	}
	r, err := byPrefix(list, func(r abi.ApprovalInfo) string { return r.ID }, typed, "waiting request", "astrid approvals")
	if err != nil {
		return r, err
	}
	// A long list has some of its texts shortened.
	whole, err := call[[]abi.ApprovalInfo](ctx, conn, abi.MethodListApprovals, abi.ApprovalQuery{RequestID: r.ID})
	if err == nil && len(whole) == 1 {
		r = whole[0]
	}
	return r, err
}

func listApprovals(ctx context.Context, sys System, asJSON bool) error {
	list, err := callOnce[[]abi.ApprovalInfo](ctx, sys, abi.MethodListApprovals, nil)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(sys.Stdout, list)
	}
	if len(list) == 0 {
		sys.notef("nothing waits for an approval")
		return nil
	}
	now := time.Now()
	rows := [][]string{{"ID", "STATE", "AGE", "RISK", "CAPSULE", "ACTION", "RESOURCE", "COST"}}
	for _, r := range list {
		rows = append(rows, []string{shorten(r.ID), state(r, now), ago(r.CreatedAt, now), oneLine(r.Risk), approval.Display(r.Capsule),
			clip(oneLine(r.Action)), clip(oneLine(r.Resource)), usd(r.CostUSD)})
	}
	return table(sys.Stdout, rows)
}

// state tells whether a call still waits, and how long.
func state(r abi.ApprovalInfo, now time.Time) string {
	if r.Queued {
		return "queued"
	}
	return "open, " + ago(now, r.Deadline) + " left"
}

func printApproval(sys System, r abi.ApprovalInfo) error {
	now := time.Now()
	size := ""
	if r.Size > 0 {
		size = fmt.Sprintf("%d bytes", r.Size)
	}
	rows := [][2]string{
		{"id", approval.Display(r.ID)},
		{"state", state(r, now)},
		{"asked", stamp(r.CreatedAt) + " (" + ago(r.CreatedAt, now) + " ago)"},
		{"deadline", stamp(r.Deadline)},
		{"capsule", approval.Display(r.Capsule)},
		{"session", approval.Display(r.Session)},
		{"workspace", approval.Display(r.Workspace)},
		{"wants to", oneLine(r.Action)},
		{"resource", oneLine(r.Resource)},
		{"method", oneLine(r.Method)},
		{"size", size},
		{"cost", usd(r.CostUSD)},
		{"risk", oneLine(r.Risk)},
		{"asked because", oneLine(r.Reason)},
		{"rule", approval.Display(r.Rule)},
		{"set in", approval.Display(r.Source)},
		{"the capsule says", oneLine(r.Detail)},
	}
	if err := details(sys.Stdout, rows); err != nil {
		return err
	}
	fmt.Fprintln(sys.Stdout, "\nanswers:")
	var choices [][]string
	for _, c := range r.Choices {
		grants := oneLine(c.Grants)
		if c.Decision == abi.DecisionDeny {
			grants = "nothing"
		}
		choices = append(choices, []string{"  " + orDash(decisionWords[c.Decision]), grants})
	}
	return table(sys.Stdout, choices)
}

// answer sends an answer and tells what it did.
func answer(ctx context.Context, sys System, typed string, a abi.ApprovalReply, asJSON bool) error {
	conn, err := sys.daemon(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	r, err := findApproval(ctx, conn, typed)
	if err != nil {
		return err
	}
	a.RequestID = r.ID
	if r, err = call[abi.ApprovalInfo](ctx, conn, abi.MethodAnswerApproval, a); err != nil {
		return err
	}
	granted := a.Pattern
	for _, c := range r.Choices {
		if c.Decision == a.Decision {
			granted = c.Grants
		}
	}
	if asJSON {
		return writeJSON(sys.Stdout, struct {
			Decision string           `json:"decision"`
			Granted  string           `json:"granted"`
			Request  abi.ApprovalInfo `json:"request"`
		}{a.Decision, granted, r})
	}
	if a.Decision == abi.DecisionDeny {
		fmt.Fprintf(sys.Stdout, "denied: %s wanted to %s\n", approval.Display(r.Capsule), oneLine(r.Action))
		return nil
	}
	fmt.Fprintf(sys.Stdout, "approved: %s may %s\n  grants %s: %s\n", approval.Display(r.Capsule), oneLine(r.Action), howLong(a), oneLine(granted))
	if r.Queued {
		fmt.Fprintln(sys.Stdout, "  it was queued: it runs when the agent tries it again")
		if r.Session != "" {
			fmt.Fprintf(sys.Stdout, "  go on with: astrid --session %s -p \"try again\"\n", approval.Display(r.Session))
		}
	}
	return nil
}

func howLong(a abi.ApprovalReply) string {
	switch approval.Choice(a.Decision) {
	case approval.ApproveSession:
		return "for this session"
	case approval.ApproveWorkspace:
		return "in this workspace"
	case approval.ApproveAlways:
		return "until it is revoked"
	case approval.ApprovePattern:
		if a.Scope == string(approval.ScopeWorkspace) {
			return "in this workspace"
		}
		return "for this session"
	}
	return "once"
}
