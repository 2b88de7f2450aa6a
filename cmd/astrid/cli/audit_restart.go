package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/capability"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

type auditRestartOptions struct {
	sys       System
	principal string
	reason    string
	yes       bool
}

func newAuditRestart(sys System) *cobra.Command {
	o := &auditRestartOptions{sys: sys}
	cmd := &cobra.Command{
		Use: "restart", Short: "Put the log aside and begin a new one", Args: cobra.NoArgs,
		Long: `Put the log aside and begin a new one: when "astrid audit verify" says that it is broken, since
nothing runs without a log that is whole, or when it has grown too long. No entry is deleted. The old
ones move to a directory beside the new log; its first entry says why, where they are, and at which
entry and hash the old log ended. That directory may then be moved to an archive.

The daemon must not run. On a terminal it asks first; elsewhere --yes is needed.

Exit codes: 0 done, 1 it failed or was not confirmed, 2 the command line is wrong.`,
		Example: `  astrid stop && astrid audit restart --reason "the disk was full"`,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.reason, "reason", "", "why, for the new log's first entry (required)")
	f.StringVar(&o.principal, "principal", home.DefaultPrincipal, "whose log: that of `P`")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	return cmd
}

func (o *auditRestartOptions) run(ctx context.Context) error {
	terminal := o.sys.IsTerminal(o.sys.Stdin)
	switch {
	case strings.TrimSpace(o.reason) == "":
		return fail(ExitUsage, "say why with --reason: it is the first thing that the new log holds")
	case !audit.ValidPrincipal(o.principal):
		return fail(ExitUsage, "--principal: %q is no principal", o.principal)
	case !o.yes && !terminal:
		return fail(ExitUsage, "to put the log aside without a terminal to ask on, say --yes")
	}
	h, err := o.sys.openHome()
	if err != nil {
		return err
	}
	lock, err := home.AcquireLock(h.LockFile())
	if errors.Is(err, home.ErrLocked) {
		return fail(ExitError, "the daemon is running and writes this log: stop it first (astrid stop)")
	}
	if err != nil {
		return err
	}
	defer lock.Release()
	key, err := capability.LoadKey(h.RuntimeKey())
	if err != nil {
		return err
	}
	defer key.Close()
	store, err := audit.NewFileStore(h.PrincipalsDir(), audit.FileStoreOptions{})
	if err != nil {
		return err
	}
	defer store.Close()
	if names, err := store.Segments(ctx, o.principal); err != nil || len(names) == 0 {
		return errors.Join(err, fail(ExitError, "%s has no log", o.principal))
	}
	if !o.yes {
		ok, err := o.sys.confirm(ctx, bufio.NewReader(o.sys.Stdin), fmt.Sprintf("Put the log of %s aside and begin a new one?", o.principal), false)
		if err != nil {
			return err
		}
		if !ok {
			return fail(ExitError, "nothing was changed")
		}
	}
	anchor, err := audit.NewSlotAnchor(h.AuditAnchorDir())
	if err != nil {
		return err
	}
	log, err := audit.Open(audit.Options{Store: store, Anchor: anchor, Signer: key})
	if err != nil {
		return errors.Join(err, anchor.Close())
	}
	e, err := log.Restart(ctx, o.principal, o.reason)
	if err = errors.Join(err, log.Close(), anchor.Close()); err != nil {
		return err
	}
	fmt.Fprintf(o.sys.Stdout, "a new log begins with entry %s\n%s\n", e.ID, approval.Display(string(e.Data)))
	o.sys.notef("the old one is in %s", filepath.Join(h.PrincipalsDir(), o.principal, audit.DefaultSubdir))
	return nil
}
