package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule/distro"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

func newCapsuleUpdate(sys System) *cobra.Command {
	o := &installOptions{sys: sys, in: bufio.NewReader(sys.Stdin)}
	cmd := &cobra.Command{
		Use: "update [NAME [SOURCE]]", Short: "Replace installed capsules by newer versions",
		Long: `Replace installed capsules by newer versions.

With a NAME that capsule, from where it was installed or from SOURCE; without one all whose
source is recorded, apart from those of the distribution, which "astrid distro update"
keeps together. A release with the checksum of what is installed is not downloaded.

` + installHelp,
		Example: `  astrid capsule update
  astrid capsule update demo --yes
  astrid capsule update demo @org/demo@2.0.0`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.canAgree(); err != nil {
				return err
			}
			c, err := openCapsules(sys)
			if err != nil {
				return err
			}
			switch len(args) {
			case 0:
				return o.updateAll(cmd.Context(), c)
			case 1:
				return o.updateOne(cmd.Context(), c, args[0])
			}
			name, err := c.exists(args[0])
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), c, name, args[1], "")
		},
	}
	o.flags(cmd)
	return cmd
}

// updateOne updates a capsule from where it came.
func (o *installOptions) updateOne(ctx context.Context, c *capsules, name string) error {
	i, err := c.find(name)
	if err != nil {
		return err
	}
	if i.Err != nil {
		return i.Err
	}
	lock, err := c.lock()
	if err != nil {
		return err
	}
	if e, ok := lock.Find(i.Name); ok && e.Source == i.Meta.Source {
		return fail(ExitUsage, "%s is part of the distribution %s: `astrid distro update` updates it, or name a SOURCE", i.Name, lock.Distro.ID)
	}
	if i.Meta.Source == "" {
		return fail(ExitUsage, "it is not recorded where %s came from: name a SOURCE", i.Name)
	}
	err = o.run(ctx, c, i.Name, i.Meta.Source, i.Meta.ArchiveHash)
	if errors.Is(err, errUnchanged) {
		o.sys.notef("%s %s is up to date", i.Name, i.Version())
		return nil
	}
	return err
}

// updateAll updates everything that does not belong to the distribution. A failure does not
// keep the others from their update.
func (o *installOptions) updateAll(ctx context.Context, c *capsules) error {
	all, err := c.store.List()
	if err != nil {
		return err
	}
	lock, err := c.lock()
	if err != nil {
		return err
	}
	var updated, same, skipped int
	var failed []string
	for _, i := range all {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if reason := o.skip(i, lock); reason != "" {
			o.sys.notef("%s: skipped, %s", i.Name, reason)
			skipped++
			continue
		}
		switch err := o.run(ctx, c, i.Name, i.Meta.Source, i.Meta.ArchiveHash); {
		case err == nil:
			updated++
		case errors.Is(err, errUnchanged):
			o.sys.notef("%s %s is up to date", i.Name, i.Version())
			same++
		default:
			o.sys.notef("%s: %v", i.Name, err)
			failed = append(failed, i.Name)
		}
	}
	summary := fmt.Sprintf("%d updated, %d up to date, %d skipped", updated, same, skipped)
	if len(failed) > 0 {
		return fail(ExitError, "%s, %d failed: %s", summary, len(failed), strings.Join(failed, ", "))
	}
	o.sys.notef("%s", summary)
	return nil
}

// skip says why a capsule is left alone by an update of all.
func (o *installOptions) skip(i store.Installed, lock *distro.Lock) string {
	if i.Err != nil {
		return i.Err.Error()
	}
	if e, ok := lock.Find(i.Name); ok && e.Source == i.Meta.Source {
		return "it is part of the distribution " + lock.Distro.ID
	}
	if i.Meta.Source == "" {
		return "its source is not recorded"
	}
	return ""
}

// lock is the lock of the installed distribution; nil without one.
func (c *capsules) lock() (*distro.Lock, error) {
	l, err := distro.LoadLock(c.principal.DistroLock())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return l, err
}

// relock makes the lock say what is installed now of the capsules that it lists.
func (c *capsules) relock() error {
	l, err := c.lock()
	if err != nil || l == nil {
		return err
	}
	all, err := c.store.List()
	if err != nil {
		return err
	}
	next := l.Follow(all)
	if next.Same(l) {
		return nil
	}
	return next.Save(c.principal.DistroLock())
}
