package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

type removeOptions struct {
	force bool
	purge bool
}

func newCapsuleRemove(sys System) *cobra.Command {
	var o removeOptions
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a capsule and end what it was granted",
		Long: `Remove a capsule and end what it was granted.

A capsule that others need is not removed; their names are shown. Its settings and data
are kept for a later installation, unless --purge is given. Its tokens and allowances are
revoked in any case: at once by a running daemon, else by the next one before it loads
anything.`,
		Args: cobra.ExactArgs(1),
		RunE: onCapsules(sys, func(ctx context.Context, c *capsules, args []string) error {
			return c.remove(ctx, args[0], o)
		}),
	}
	cmd.Flags().BoolVar(&o.force, "force", false, "remove it although others need it; they will not run")
	cmd.Flags().BoolVar(&o.purge, "purge", false, "also delete its settings, secrets, stored data and log")
	return cmd
}

func (c *capsules) remove(ctx context.Context, typed string, o removeOptions) error {
	if err := c.recover(); err != nil {
		return err
	}
	i, err := c.find(typed)
	if errors.Is(err, store.ErrNotInstalled) && o.purge {
		// The leftovers of one that was removed before.
		return c.forget(ctx, store.Removal{Name: typed, RemovedAt: time.Now().UTC(), Purge: true}, "what was left of "+typed+" is deleted")
	}
	if err != nil {
		return err
	}
	r := store.Removal{Name: i.Name, RemovedAt: time.Now().UTC(), Purge: o.purge}
	if i.Meta != nil {
		r.InstalledAt = i.Meta.InstalledAt
	}
	// The record comes first: whatever happens after the capsule is gone, its grants end.
	if err := c.state.SaveRemoval(r); err != nil {
		return err
	}
	if err := c.store.Remove(ctx, i.Name, store.RemoveOptions{Force: o.force}); err != nil {
		return errors.Join(err, c.state.DropRemoval(i.Name))
	}
	return c.forget(ctx, r, i.Name+" "+i.Version()+" is removed")
}

// forget deletes what is kept about a capsule that is gone, and has the daemon do the same.
func (c *capsules) forget(ctx context.Context, r store.Removal, done string) error {
	if err := c.state.SaveRemoval(r); err != nil {
		return err
	}
	root := c.principal.Root()
	// An agreement ends with what was agreed to.
	gone := []string{capsule.ConsentPath(root, r.Name)}
	if r.Purge {
		gone = append(gone, capsule.EnvPath(root, r.Name))
	}
	var errs []error
	for _, path := range gone {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, c.state.Enable(r.Name))
	if r.Purge {
		st, err := c.sys.secrets(c.home)
		if err != nil {
			return err
		}
		errs = append(errs, c.purgeLogs(r.Name), st.DeleteAll(c.principal.Name(), r.Name))
	}
	st, err := reloadStatus(ctx, c.home)
	if err = errors.Join(append(errs, err)...); err != nil {
		return err
	}
	if st == nil {
		done += "; the next daemon ends its grants"
		if r.Purge {
			done += " and deletes its data"
		}
	}
	c.sys.notef("%s", done)
	if st != nil {
		c.tellRefused(st)
	}
	return nil
}

// purgeLogs deletes the log of a capsule. The newest file is emptied only: a daemon may
// have it open, and what another capsule of the name logs must not vanish in it.
func (c *capsules) purgeLogs(name string) error {
	files, err := c.logFiles(name)
	if err != nil {
		return err
	}
	var errs []error
	for n, path := range files {
		if n == len(files)-1 {
			errs = append(errs, os.Truncate(path, 0))
			continue
		}
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}

// logFiles lists the days of a capsule's log, the oldest first.
func (c *capsules) logFiles(name string) ([]string, error) {
	pc, err := c.principal.Capsule(name)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(pc.LogDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.Type().IsRegular() && filepath.Ext(e.Name()) == ".log" {
			out = append(out, filepath.Join(pc.LogDir(), e.Name()))
		}
	}
	return out, nil // the names are dates, and sorted
}
