package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
)

// listSessions shows every session that has changes, of any directory.
func listSessions(ctx context.Context, sys System, asJSON bool) error {
	list, err := callOnce[[]abi.OverlayInfo](ctx, sys, abi.MethodListOverlays, abi.OverlayQuery{})
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(sys.Stdout, list)
	}
	if len(list) == 0 {
		sys.notef("no session has changes")
		return nil
	}
	now := time.Now()
	rows := [][]string{{"SESSION", "USED", "CHANGES", "WORKSPACE"}}
	for _, s := range list {
		n := strconv.Itoa(s.Changes)
		if s.Problem != "" {
			n = "?"
			sys.notef("session %s: %s", quoted(s.Session), oneLine(s.Problem))
		}
		rows = append(rows, []string{quoted(s.Session), ago(s.UsedAt, now), n, quoted(s.Workspace)})
	}
	return table(sys.Stdout, rows)
}

// quoted keeps a name on one line and from steering the terminal. One that needs it is put
// in quotes with its special characters escaped; one that would look quoted is quoted too.
func quoted(name string) string {
	special := func(r rune) bool { return !unicode.IsPrint(r) || r == '"' || r == '\\' }
	if utf8.ValidString(name) && !strings.ContainsFunc(name, special) {
		return name
	}
	return strconv.Quote(name)
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// listChanges prints one change per line; total may be more than the list holds.
func (v *overlayView) listChanges(w io.Writer, list []abi.OverlayChange, total int) error {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, "%-8s  %s\n", c.Op, v.shown(c))
	}
	if total > len(list) {
		fmt.Fprintf(&b, "and %d more\n", total-len(list))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// listConflicts tells on standard error what changed on both sides.
func (v *overlayView) listConflicts(list []abi.OverlayChange, total int) {
	for _, c := range list {
		fmt.Fprintf(v.sys.Stderr, "  %s: %s\n", v.shown(c), oneLine(c.Conflict))
	}
	if total > len(list) {
		fmt.Fprintf(v.sys.Stderr, "  and %d more\n", total-len(list))
	}
}
