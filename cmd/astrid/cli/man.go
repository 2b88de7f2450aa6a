package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan writes manual pages: packagers need it, people read --help.
func newMan(sys System) *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write a manual page for each command into DIR",
		Example: "  astrid man ~/.local/share/man/man1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			released := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC) // of this version: today would make the same program write different pages
			header := &doc.GenManHeader{Section: "1", Source: "Astrid " + Version, Manual: "Astrid manual", Date: &released}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return nil
		},
	}
}
