package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

func newCapsule(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "capsule",
		Short: "Install, inspect and remove capsules",
		Long: `Install, inspect and remove capsules: the parts that an agent is made of.

Every change is taken by a running daemon at once: what the old version has begun is
finished, what is sent meanwhile goes to the new one. Names of stock capsules may be
typed without "` + capsulePrefix + `".

Exit codes: 0 done, 1 it failed, 2 the command line is wrong, 6 the files are in place
but the capsule does not run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCapsuleInstall(sys), newCapsuleUpdate(sys), newCapsuleList(sys), newCapsuleTree(sys), newCapsuleInfo(sys),
		newCapsuleVerify(sys), newCapsuleRemove(sys), newCapsuleEnable(sys), newCapsuleDisable(sys), newCapsuleLogs(sys), newCapsuleDev(sys), newCapsuleTest(sys))
	return cmd
}

// capsules is what the capsule commands work on: the installed capsules of the default
// principal.
type capsules struct {
	sys       System
	home      home.Home
	principal home.Principal
	store     *store.Store
	state     store.State
	settings  capsule.Settings
	hooks     *hookAnswers // nil: nobody attends to hooks
}

func openCapsules(sys System) (*capsules, error) {
	h, err := sys.openHome()
	if err != nil {
		return nil, err
	}
	p, err := h.Principal(home.DefaultPrincipal)
	if err != nil {
		return nil, err
	}
	if err := p.Ensure(); err != nil {
		return nil, err
	}
	settings, err := sys.settings(h, p)
	if err != nil {
		return nil, err
	}
	return &capsules{
		sys: sys, home: h, principal: p, settings: settings,
		store: &store.Store{Dir: p.CapsulesDir(), BinDir: h.BinDir(), WitDir: h.WitDir()},
		state: store.State{Dir: filepath.Join(p.Root(), store.StateDir)},
	}, nil
}

// onCapsules makes the run of a command that works on the installed capsules.
func onCapsules(sys System, run func(ctx context.Context, c *capsules, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := openCapsules(sys)
		if err != nil {
			return err
		}
		return run(cmd.Context(), c, args)
	}
}

// find returns an installed capsule by its name, or by its name without the stock prefix.
func (c *capsules) find(name string) (store.Installed, error) {
	if err := capsule.ValidName(name); err != nil {
		return store.Installed{}, fail(ExitUsage, "%w", err)
	}
	i, err := c.store.Get(name)
	if !errors.Is(err, store.ErrNotInstalled) {
		return i, err
	}
	if i, err := c.store.Get(capsulePrefix + name); err == nil {
		return i, nil
	}
	installed, lerr := c.store.List()
	if lerr != nil || len(installed) == 0 {
		return i, err
	}
	known := make([]string, len(installed))
	for n, o := range installed {
		known[n] = o.Name
	}
	return i, fmt.Errorf("%w; installed are %s", err, strings.Join(short(known), ", "))
}

// exists is find for a command that only needs the name.
func (c *capsules) exists(name string) (string, error) {
	i, err := c.find(name)
	return i.Name, err
}
