package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
)

func newCapsuleEnable(sys System) *cobra.Command {
	return &cobra.Command{
		Use: "enable NAME", Short: "Load a capsule that was disabled", Args: cobra.ExactArgs(1),
		RunE: onCapsules(sys, func(ctx context.Context, c *capsules, args []string) error {
			i, err := c.find(args[0])
			if err != nil {
				return err
			}
			if err := c.state.Enable(i.Name); err != nil {
				return err
			}
			return c.live(ctx, i.Name, i.Version())
		}),
	}
}

func newCapsuleDisable(sys System) *cobra.Command {
	return &cobra.Command{
		Use: "disable NAME", Short: "Keep a capsule installed, but do not load it", Args: cobra.ExactArgs(1),
		RunE: onCapsules(sys, func(ctx context.Context, c *capsules, args []string) error {
			name, err := c.exists(args[0])
			if err != nil {
				return err
			}
			return c.disable(ctx, name)
		}),
	}
}

func (c *capsules) disable(ctx context.Context, name string) error {
	if err := c.state.Disable(name); err != nil {
		return err
	}
	st, err := reloadStatus(ctx, c.home)
	if err != nil {
		return err
	}
	c.sys.notef("%s is disabled", name)
	if st != nil {
		c.tellRefused(st)
	}
	return nil
}

// tellRefused says which capsules cannot run now, and why.
func (c *capsules) tellRefused(st *abi.DaemonStatus) {
	for _, s := range st.Capsules {
		if s.State == "refused" {
			c.sys.notef("%s is refused: %s", s.Name, oneLine(s.Reason))
		}
	}
}
