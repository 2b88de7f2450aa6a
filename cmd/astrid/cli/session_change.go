package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

func newSessionDelete(sys System) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete SESSION",
		Short: "Delete a conversation",
		Long: `Delete a conversation for good. Changes to files that are not committed stay, with
astrid diff --session, until they are committed or discarded.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withSession(cmd.Context(), sys, args[0], func(conn *client.Conn, s abi.SessionInfo) error {
				if !yes {
					if !sys.IsTerminal(sys.Stdin) {
						return fail(ExitUsage, "nobody can be asked without a terminal: repeat with --yes")
					}
					ok, err := sys.confirm(cmd.Context(), bufio.NewReader(sys.Stdin), fmt.Sprintf("Delete %s, %s, with %s?", shorten(s.SessionID), quoted(s.Title), count(s.Messages, "message")), false)
					if err != nil {
						return err
					}
					if !ok {
						return fail(ExitError, "nothing was deleted")
					}
				}
				if _, err := client.AskSessions[abi.SessionAnswer](cmd.Context(), conn, "delete", abi.SessionRequest{SessionID: s.SessionID}); err != nil {
					return err
				}
				fmt.Fprintf(sys.Stdout, "deleted %s\n", oneLine(s.SessionID))
				if o := changedFiles(cmd.Context(), conn, s.SessionID); o != nil && o.Changes > 0 {
					sys.notef("%s changed by it and not committed: astrid diff --session %s", count(o.Changes, "file"), s.SessionID)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func newSessionExport(sys System) *cobra.Command {
	var format, file string
	cmd := &cobra.Command{
		Use:   "export SESSION",
		Short: "Print a conversation as Markdown or JSON lines",
		Example: `  astrid session export 3f2a > talk.md
  astrid session export 3f2a --format jsonl -o talk.jsonl`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "markdown" && format != "jsonl" {
				return fail(ExitUsage, "--format: %q is none of markdown, jsonl", format)
			}
			return withSession(cmd.Context(), sys, args[0], func(conn *client.Conn, s abi.SessionInfo) error {
				if file == "" {
					return exportSession(cmd.Context(), conn, s.SessionID, format, sys.exported())
				}
				f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
				if err != nil {
					return err
				}
				return errors.Join(exportSession(cmd.Context(), conn, s.SessionID, format, f), f.Close())
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "markdown", "`FORMAT`: markdown or jsonl, a message per line")
	cmd.Flags().StringVarP(&file, "output", "o", "", "write a new `FILE`")
	return cmd
}

// exported is standard output for a document: into a pipe or file it goes as it is, on a
// terminal it must not steer it.
func (s System) exported() io.Writer {
	if s.IsTerminal(s.Stdout) {
		return printableWriter{s.Stdout}
	}
	return s.Stdout
}

type printableWriter struct{ w io.Writer }

func (p printableWriter) Write(b []byte) (int, error) {
	if _, err := io.WriteString(p.w, printable(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

func exportSession(ctx context.Context, conn *client.Conn, id, format string, w io.Writer) error {
	for from := 0; ; {
		page, err := client.AskSessions[abi.SessionExport](ctx, conn, "export", abi.SessionExportRequest{SessionID: id, Format: format, From: from})
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, page.Content); err != nil {
			return fmt.Errorf("output: %w", err)
		}
		if page.Next <= from {
			return nil
		}
		from = page.Next
	}
}

func newSessionSearch(sys System) *cobra.Command {
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "search TEXT",
		Short: "Find text in titles and messages",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(args[0]) == "" {
				return fail(ExitUsage, "the text to search for is empty")
			}
			if limit < 1 {
				return fail(ExitUsage, "--limit: %d is no number of hits", limit)
			}
			conn, err := sys.daemon(cmd.Context())
			if err != nil {
				return err
			}
			defer conn.Close()
			found, err := client.AskSessions[abi.SessionSearch](cmd.Context(), conn, "search", abi.SessionSearchRequest{Query: args[0], Limit: limit})
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(sys.Stdout, found.Hits)
			}
			if len(found.Hits) == 0 {
				sys.notef("no session has it")
				return nil
			}
			rows := [][]string{{"SESSION", "TITLE", "WHO", "TEXT"}}
			for _, h := range found.Hits {
				rows = append(rows, []string{shorten(h.Session.SessionID), clip(oneLine(h.Session.Title)), h.Role, clip(oneLine(h.Excerpt))})
			}
			if found.Truncated {
				sys.notef("there may be more: raise --limit")
			}
			return table(sys.Stdout, rows)
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "at most this `NUMBER` of hits")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newSessionFork(sys System) *cobra.Command {
	var at int
	var title string
	cmd := &cobra.Command{
		Use:     "fork SESSION",
		Short:   "Copy a conversation into a new one and print its id",
		Example: `  astrid chat --session "$(astrid session fork 3f2a --at 6)"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if at < 0 {
				return fail(ExitUsage, "--at: %d is no number of messages", at)
			}
			return withSession(cmd.Context(), sys, args[0], func(conn *client.Conn, s abi.SessionInfo) error {
				id, err := forkSession(cmd.Context(), conn, s.SessionID, at, title)
				if err != nil {
					return err
				}
				fmt.Fprintln(sys.Stdout, id)
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&at, "at", 0, "copy the first `NUMBER` of messages only")
	cmd.Flags().StringVar(&title, "title", "", "`TITLE` of the new one")
	return cmd
}

// forkSession copies messages into a new session and returns its id.
func forkSession(ctx context.Context, conn *client.Conn, id string, at int, title string) (string, error) {
	a, err := client.AskSessions[abi.SessionAnswer](ctx, conn, "fork", abi.SessionForkRequest{SessionID: id, At: at, Title: title})
	if err != nil {
		return "", err
	}
	if a.Session == nil {
		return "", errors.New("session fork: the answer names no session")
	}
	return a.Session.SessionID, nil
}
