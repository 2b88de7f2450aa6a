package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule/store"
)

func newCapsuleVerify(sys System) *cobra.Command {
	return &cobra.Command{
		Use:   "verify [NAME]",
		Short: "Check every installed byte against what was recorded",
		Long: `Check every installed byte against the hashes that were recorded at installation: the
manifest, the WebAssembly binary and all other files, and that none was added.

Exit codes: 0 intact, 1 damaged, or there is no such capsule.`,
		Args: cobra.MaximumNArgs(1),
		RunE: onCapsules(sys, func(_ context.Context, c *capsules, args []string) error {
			if len(args) == 1 {
				i, err := c.find(args[0])
				if err != nil {
					return err
				}
				return c.verify([]store.Installed{i})
			}
			list, err := c.store.List()
			if err != nil {
				return err
			}
			return c.verify(list)
		}),
	}
}

func (c *capsules) verify(list []store.Installed) error {
	damaged := 0
	for _, i := range list {
		if err := c.store.Verify(i.Name); err != nil {
			damaged++
			fmt.Fprintf(c.sys.Stdout, "damaged  %s %s\n", i.Name, i.Version())
			c.sys.notef("%s", printable(err.Error()))
			continue
		}
		fmt.Fprintf(c.sys.Stdout, "ok       %s %s\n", i.Name, i.Version())
	}
	if damaged > 0 {
		return fail(ExitError, "%d of %d capsules are damaged; install them again", damaged, len(list))
	}
	return nil
}
