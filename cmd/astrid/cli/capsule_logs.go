package cli

import (
	"github.com/spf13/cobra"
)

func newCapsuleLogs(sys System) *cobra.Command {
	o := logOptions{sys: sys}
	cmd := &cobra.Command{
		Use:     "logs NAME",
		Short:   "Show what a capsule has logged",
		Example: "  astrid capsule logs fs -f",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.ofCapsule(cmd.Context(), args[0]) },
	}
	o.flags(cmd)
	return cmd
}
