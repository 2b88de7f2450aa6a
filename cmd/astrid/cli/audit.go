package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

func newAudit(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Read and verify the signed log of what was decided and done",
		Long: `Read and verify the signed log of what was decided and done. These commands read the log's
files and need no daemon; one may be running.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditTail(sys), newAuditShow(sys), newAuditQuery(sys), newAuditVerify(sys), newAuditExport(sys), newAuditRestart(sys))
	return cmd
}

// openAudit opens the log for reading.
func (s System) openAudit() (home.Home, *audit.FileStore, error) {
	h, err := s.openHome()
	if err != nil {
		return h, nil, err
	}
	store, err := audit.NewFileStore(h.PrincipalsDir(), audit.FileStoreOptions{})
	if err != nil {
		return h, nil, fmt.Errorf("audit log: %w", err)
	}
	return h, store, nil
}

func newAuditTail(sys System) *cobra.Command {
	var n int
	var follow, asJSON bool
	var f audit.Filter
	cmd := &cobra.Command{
		Use: "tail", Short: "Show the newest entries", Args: cobra.NoArgs,
		Long: `Show the newest entries, one line each: time, verdict, capsule, function, resource, the
layer and rule that decided, and the entry's id, which "astrid why" takes.

Exit codes: 0 done, 1 the log cannot be read, 2 the command line is wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if n < 0 {
				return fail(ExitUsage, "-n: %d is negative", n)
			}
			_, store, err := sys.openAudit()
			if err != nil {
				return err
			}
			defer store.Close()
			r := audit.NewReader(store)
			f.Limit = n
			p := entryPrinter{w: sys.Stdout, json: asJSON}
			if follow {
				return p.all(sys, r.Follow(cmd.Context(), f))
			}
			if n == 0 {
				return nil
			}
			return p.all(sys, r.Query(cmd.Context(), f))
		},
	}
	fl := cmd.Flags()
	fl.IntVarP(&n, "lines", "n", 20, "how many entries: `N`")
	fl.BoolVarP(&follow, "follow", "f", false, "go on with new entries as they are written")
	fl.StringVar(&f.Principal, "principal", "", "only the chain of `P`")
	fl.BoolVar(&asJSON, "json", false, "print the entries as they are stored, a line each")
	return cmd
}

func newAuditShow(sys System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show all of one entry", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, store, err := sys.openAudit()
			if err != nil {
				return err
			}
			defer store.Close()
			e, err := findEntry(cmd.Context(), audit.NewReader(store), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return (&entryPrinter{w: sys.Stdout, json: true}).print(&e)
			}
			return details(sys.Stdout, entryDetails(&e))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the entry as it is stored")
	return cmd
}

// findEntry finds an entry by its id, or by the beginning of it.
func findEntry(ctx context.Context, r *audit.Reader, typed string) (audit.Entry, error) {
	if id, err := audit.ParseID(typed); err == nil {
		e, err := r.Get(ctx, id)
		if errors.Is(err, audit.ErrNotFound) {
			return e, fail(ExitError, "the audit log has no entry %s", typed)
		}
		return e, err
	}
	if len(typed) < 8 {
		return audit.Entry{}, fail(ExitUsage, "%s is no entry's id: type at least 8 characters of one", approval.Display(typed))
	}
	var found []audit.Entry
	for e, err := range r.Query(ctx, audit.Filter{}) {
		if err != nil {
			if skippable(err) {
				continue
			}
			return audit.Entry{}, err
		}
		if id := e.ID.String(); strings.HasPrefix(id, typed) || strings.HasSuffix(id, typed) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return audit.Entry{}, fail(ExitError, "the audit log has no entry %s", approval.Display(typed))
	}
	return audit.Entry{}, fail(ExitError, "%d entries begin or end with %s: type more of it", len(found), approval.Display(typed))
}

// skippable: one line is damaged, which is verify's business; the others can be read.
func skippable(err error) bool {
	var line *audit.LineError
	return errors.As(err, &line)
}

// filterFlags are the filters of query and export.
type filterFlags struct {
	f                     audit.Filter
	verdict, since, until string
}

func (q *filterFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&q.f.Principal, "principal", "", "of the chain of `P`")
	fl.StringVar(&q.f.Capsule, "capsule", "", "of the capsule `NAME`")
	fl.StringVar(&q.f.Session, "session", "", "of the session with this `ID`")
	fl.StringVar(&q.f.Function, "function", "", "of the host function `NAME`")
	fl.StringVar(&q.f.Resource, "resource", "", "about exactly this `RESOURCE`")
	fl.StringVar(&q.verdict, "verdict", "", "with this verdict: allow, deny or defer")
	fl.StringVar(&q.since, "since", "", "not before `TIME`: 2026-01-31, 2026-01-31T15:04:05, with or without zone, or 15m, 2h, 3d ago")
	fl.StringVar(&q.until, "until", "", "before `TIME`")
	fl.IntVar(&q.f.Limit, "limit", 0, "the newest `N`; 0 is all")
}

func (q *filterFlags) filter(now time.Time) (audit.Filter, error) {
	f := q.f
	switch audit.Verdict(q.verdict) {
	case "", audit.Allow, audit.Deny, audit.Defer:
		f.Verdict = audit.Verdict(q.verdict)
	default:
		return f, fail(ExitUsage, "--verdict: %q is none of allow, deny, defer", q.verdict)
	}
	if f.Limit < 0 {
		return f, fail(ExitUsage, "--limit: %d is negative", f.Limit)
	}
	if f.Principal != "" && !audit.ValidPrincipal(f.Principal) {
		return f, fail(ExitUsage, "--principal: %q is no principal", f.Principal)
	}
	var err error
	if f.Since, err = parseTime("--since", q.since, now); err != nil {
		return f, err
	}
	f.Until, err = parseTime("--until", q.until, now)
	return f, err
}

// parseTime reads a time, or how long ago it was. Without a zone it is local.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if d, err := time.ParseDuration(days + "h"); err == nil && d >= 0 && d < 10000*time.Hour {
			return now.Add(-24 * d), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fail(ExitUsage, "%s: %q is no time: use 2026-01-31T15:04:05, 2026-01-31, or 2h for two hours ago", flag, s)
}

func newAuditQuery(sys System) *cobra.Command {
	var q filterFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "query", Short: "Show the entries that match", Args: cobra.NoArgs,
		Long: `Show the entries that match all of the filters, oldest first.

Exit codes: 0 done, also when nothing matches, 1 the log cannot be read, 2 the command line
is wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := q.filter(time.Now())
			if err != nil {
				return err
			}
			_, store, err := sys.openAudit()
			if err != nil {
				return err
			}
			defer store.Close()
			p := entryPrinter{w: sys.Stdout, json: asJSON}
			return p.all(sys, audit.NewReader(store).Query(cmd.Context(), f))
		},
	}
	q.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the entries as they are stored, a line each")
	return cmd
}

func newAuditExport(sys System) *cobra.Command {
	var q filterFlags
	var out string
	cmd := &cobra.Command{
		Use: "export", Short: "Write entries as JSON lines that can be verified elsewhere", Args: cobra.NoArgs,
		Long: `Write entries as JSON lines, as they are stored. Without filters, or with --principal alone,
whole chains are written with their signed heads: "astrid audit verify --file" then tells if
anything is missing. A filtered export is verified entry by entry, with --partial.

Exit codes: 0 done, 1 it failed, 2 the command line is wrong.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := q.filter(time.Now())
			if err != nil {
				return err
			}
			h, store, err := sys.openAudit()
			if err != nil {
				return err
			}
			defer store.Close()
			anchor, err := audit.NewSlotAnchor(h.AuditAnchorDir())
			if err != nil {
				return err
			}
			defer anchor.Close()
			write := func(w io.Writer) error { return audit.NewReader(store).Export(cmd.Context(), w, anchor, f) }
			if out == "" || out == "-" {
				err = write(sys.Stdout)
			} else {
				err = writeFile(out, write)
			}
			if err != nil {
				return err
			}
			if key, err := runtimeKey(h); err == nil {
				sys.notef("the entries are signed with the key %s", key)
			}
			return nil
		},
	}
	q.add(cmd)
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to `FILE`, which is replaced when all is written")
	return cmd
}

// writeFile replaces a file when all of it could be written.
func writeFile(path string, write func(io.Writer) error) (err error) {
	if fi, err := os.Lstat(path); err == nil && !fi.Mode().IsRegular() {
		return fail(ExitUsage, "-o: %s is there and not a regular file", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".astrid-export-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // again, perhaps: what counts is that it is gone
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err = write(f); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
