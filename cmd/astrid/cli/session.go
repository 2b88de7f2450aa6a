package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// sessionID turns what the user calls a session into its id: an id stays what it is, a
// name always gives the same id, and nothing gives a new one.
func sessionID(name string) (string, error) {
	if name == "" {
		return uuid.NewString(), nil
	}
	if len(name) > abi.MaxSessionID {
		return "", fail(ExitUsage, "--session: the name is longer than %d bytes", abi.MaxSessionID)
	}
	if id, err := uuid.Parse(name); err == nil {
		return id.String(), nil
	}
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)).String(), nil
}

func newSession(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "session",
		Aliases: []string{"sessions"},
		Short:   "List, read, rename, fork and delete conversations",
		Long: `List, read, rename, fork and delete conversations. A session is named by its id or the
beginning of it, by the name that --session gave it, or by its title.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSessionList(sys), newSessionShow(sys), newSessionRename(sys), newSessionDelete(sys),
		newSessionExport(sys), newSessionSearch(sys), newSessionFork(sys))
	return cmd
}

func newSessionList(sys System) *cobra.Command {
	var here, asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List conversations, the last used first",
		Example: "  astrid session list --here",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return fail(ExitUsage, "--limit: %d is no number of sessions", limit)
			}
			conn, err := sys.daemon(cmd.Context())
			if err != nil {
				return err
			}
			defer conn.Close()
			q := abi.SessionListRequest{}
			if here {
				w, err := sys.here()
				if err != nil {
					return err
				}
				q.Workspace = w.Root()
			}
			list, more, err := sessions(cmd.Context(), conn, q, limit)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(sys.Stdout, list)
			}
			if err := printSessions(sys, list); err != nil {
				return err
			}
			if more {
				sys.notef("there are more: --limit 0 lists all")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&here, "here", false, "only those that work in this project")
	cmd.Flags().IntVarP(&limit, "limit", "n", 50, "at most this `NUMBER`; 0 is all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// sessions lists up to limit sessions, all of them for 0. more: there are others.
func sessions(ctx context.Context, conn *client.Conn, q abi.SessionListRequest, limit int) (list []abi.SessionInfo, more bool, err error) {
	list = []abi.SessionInfo{}
	for {
		q.Limit = 500
		if limit > 0 {
			q.Limit = min(q.Limit, limit-len(list))
		}
		page, err := client.AskSessions[abi.SessionList](ctx, conn, "list", q)
		if err != nil {
			return nil, false, err
		}
		list = append(list, page.Sessions...)
		if page.Next == "" || limit > 0 && len(list) >= limit {
			return list, page.Next != "", nil
		}
		q.Cursor = page.Next
	}
}

func printSessions(sys System, list []abi.SessionInfo) error {
	if len(list) == 0 {
		sys.notef("there are no sessions; astrid -p or astrid chat begins one")
		return nil
	}
	now := time.Now()
	rows := [][]string{{"SESSION", "USED", "PROMPTS", "TITLE", "WORKSPACE"}}
	for _, s := range list {
		rows = append(rows, []string{shorten(s.SessionID), ago(s.UpdatedAt, now), strconv.Itoa(s.Prompts), clip(oneLine(s.Title)), clip(oneLine(s.Workspace))})
	}
	return table(sys.Stdout, rows)
}

// findSession finds the session that somebody means.
func findSession(ctx context.Context, conn *client.Conn, typed string) (abi.SessionInfo, error) {
	id, err := sessionID(typed)
	if err != nil {
		return abi.SessionInfo{}, err
	}
	all, _, err := sessions(ctx, conn, abi.SessionListRequest{Empty: true}, 0)
	if err != nil {
		return abi.SessionInfo{}, err
	}
	var titled []abi.SessionInfo
	for _, s := range all {
		switch {
		case s.SessionID == id, s.SessionID == typed:
			return s, nil
		case strings.EqualFold(s.Title, typed):
			titled = append(titled, s)
		}
	}
	if len(titled) == 1 {
		return titled[0], nil
	}
	if len(titled) > 1 {
		return abi.SessionInfo{}, fail(ExitError, "%d sessions are called %s: use the id, see astrid session list", len(titled), approval.Display(typed))
	}
	return byPrefix(all, func(s abi.SessionInfo) string { return s.SessionID }, typed, "session", "astrid session list")
}

// withSession runs a command about one session over a connection of its own.
func withSession(ctx context.Context, sys System, typed string, do func(*client.Conn, abi.SessionInfo) error) error {
	if typed == "" {
		return fail(ExitUsage, "the session's name is empty: see astrid session list")
	}
	conn, err := sys.daemon(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	s, err := findSession(ctx, conn, typed)
	if err != nil {
		return err
	}
	return do(conn, s)
}

func newSessionShow(sys System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show SESSION",
		Short: "Show what is known about a conversation",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withSession(cmd.Context(), sys, args[0], func(conn *client.Conn, s abi.SessionInfo) error {
				if asJSON {
					return writeJSON(sys.Stdout, s)
				}
				changed := ""
				if o := changedFiles(cmd.Context(), conn, s.SessionID); o != nil && o.Changes > 0 {
					changed = count(o.Changes, "file") + ": astrid diff --session " + shorten(s.SessionID)
				}
				return details(sys.Stdout, [][2]string{
					{"session", oneLine(s.SessionID)}, {"title", oneLine(s.Title)}, {"workspace", oneLine(s.Workspace)},
					{"begun", stamp(s.CreatedAt)}, {"last used", stamp(s.UpdatedAt)},
					{"prompts", strconv.Itoa(s.Prompts)}, {"messages", strconv.Itoa(s.Messages)},
					{"forked from", oneLine(s.ParentSessionID)}, {"not committed", changed},
					{"go on with", "astrid chat --session " + oneLine(s.SessionID)},
				})
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newSessionRename(sys System) *cobra.Command {
	return &cobra.Command{
		Use:     "rename SESSION TITLE",
		Short:   "Give a conversation a title; an empty one is the first prompt again",
		Example: "  astrid session rename 3f2a 'the tax return'",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withSession(cmd.Context(), sys, args[0], func(conn *client.Conn, s abi.SessionInfo) error {
				a, err := client.AskSessions[abi.SessionAnswer](cmd.Context(), conn, "update", abi.SessionUpdate{SessionID: s.SessionID, Title: args[1]})
				if err != nil {
					return err
				}
				if a.Session != nil {
					s = *a.Session
				}
				fmt.Fprintf(sys.Stdout, "%s  %s\n", shorten(s.SessionID), oneLine(s.Title))
				return nil
			})
		},
	}
}
