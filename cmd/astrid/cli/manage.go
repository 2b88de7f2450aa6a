package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// daemon connects to the daemon and starts one, which leaves again, if there is none: what
// waits in the queue can be seen and answered at any time.
func (s System) daemon(ctx context.Context) (*client.Conn, error) {
	h, err := s.openHome()
	if err != nil {
		return nil, err
	}
	w, err := s.here()
	if err != nil {
		return nil, err
	}
	conn, _, err := client.Ensure(ctx, client.StartOptions{
		Home: h, Version: Version, Workspace: w.Root(), Ephemeral: true, Notice: func(text string) { s.notef("%s", text) },
	})
	return conn, err
}

// running connects to the daemon, or returns nil if there is none.
func (s System) running(ctx context.Context) (*client.Conn, error) {
	h, err := s.openHome()
	if err != nil {
		return nil, err
	}
	conn, err := client.Dial(ctx, h, Version)
	if errors.Is(err, client.ErrNoDaemon) {
		return nil, nil
	}
	return conn, err
}

// call makes a management call and decodes its answer.
func call[T any](ctx context.Context, conn *client.Conn, method string, params any) (T, error) {
	var v T
	raw, err := conn.Manage(ctx, method, params)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("answer to %s: %w", method, err)
	}
	return v, nil
}

// callOnce is call on a connection of its own.
func callOnce[T any](ctx context.Context, sys System, method string, params any) (T, error) {
	conn, err := sys.daemon(ctx)
	if err != nil {
		var none T
		return none, err
	}
	defer conn.Close()
	return call[T](ctx, conn, method, params)
}

// byPrefix finds the one item whose id begins with what the user typed.
func byPrefix[T any](items []T, id func(T) string, typed, what, list string) (T, error) {
	var found []T
	for _, it := range items {
		switch {
		case id(it) == typed:
			return it, nil
		case typed != "" && strings.HasPrefix(id(it), typed):
			found = append(found, it)
		}
	}
	var none T
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return none, fail(ExitError, "no %s begins with %s: see %s", what, approval.Display(typed), list)
	}
	return none, fail(ExitError, "%d of what %s shows begin with %s: type more of it", len(found), list, approval.Display(typed))
}

// exclusive refuses flags that contradict each other.
func exclusive(cmd *cobra.Command, names ...string) error {
	var set []string
	for _, n := range names {
		if cmd.Flags().Changed(n) {
			set = append(set, "--"+n)
		}
	}
	if len(set) > 1 {
		return fail(ExitUsage, "%s cannot go together; see %s --help", strings.Join(set, " and "), cmd.CommandPath())
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// table writes rows in columns. Cells must be one line each, see oneLine.
func table(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, c := range row {
			if i > 0 {
				fmt.Fprint(tw, "\t")
			}
			fmt.Fprint(tw, orDash(c))
		}
		fmt.Fprintln(tw)
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// details writes a name and a value on each line and leaves out what has no value.
func details(w io.Writer, rows [][2]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		if r[1] != "" {
			fmt.Fprintf(tw, "%s\t%s\n", r[0], r[1])
		}
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// oneLine shows text that the daemon has escaped already: backslashes stay as they are, and
// whatever is not there to be read is escaped all the same.
func oneLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}

// maxCell is how much of a text a column shows, in characters.
const maxCell = 100

// clip shortens text for a column. Both ends stay: the part that matters may be at either.
func clip(s string) string {
	r := []rune(s)
	if len(r) <= maxCell {
		return s
	}
	const tail = maxCell / 3
	return string(r[:maxCell-tail-1]) + "…" + string(r[len(r)-tail:])
}

// shortID is the part of an id that a column shows, in characters.
const shortID = 12

func shorten(id string) string {
	if len(id) > shortID {
		return approval.Display(id[:shortID])
	}
	return approval.Display(id)
}

// usd writes an amount; nothing for zero.
func usd(v float64) string {
	if v == 0 {
		return ""
	}
	return money(v)
}

func money(v float64) string {
	m, err := approval.FromUSD(v)
	if err != nil {
		return "?"
	}
	return m.String()
}

func limit(v float64) string {
	if v == 0 {
		return "unlimited"
	}
	return money(v)
}

// ago writes how long something is past, roughly.
func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(int(d.Seconds()), 0))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// decisionWords is how each answer is called on the command line.
var decisionWords = map[string]string{
	string(approval.ApproveOnce):      "once",
	string(approval.ApproveSession):   "--session",
	string(approval.ApproveWorkspace): "--workspace",
	string(approval.ApproveAlways):    "--always",
	abi.DecisionDeny:                  "deny",
}
