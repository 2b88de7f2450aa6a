package build

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/cmd/astrid-build/scaffold"
)

// newCommand makes projects: the directory goes to stdout, what to do next to stderr.
func newCommand(stdout, stderr io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "new NAME",
		Short: "Make a new capsule: a directory with a tool in Go and a test of it",
		Long: `Make a new capsule in the directory NAME: a tool in Go, a test of it, a manifest and the
source of the SDK, so that it builds and tests without a network. Names are made of
a-z, 0-9 and -. A directory that is called "new" is built with: astrid-build ./new`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%w: give the new capsule one name", errUsage)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			// A path may lead elsewhere; its last part is the name.
			dir, name := args[0], filepath.Base(args[0])
			files, err := scaffold.New(dir, name)
			if err != nil {
				return fmt.Errorf("new capsule: %w", err)
			}
			for _, f := range files {
				fmt.Fprintln(stderr, "  "+filepath.Join(dir, f))
			}
			fmt.Fprintf(stderr, "next: cd %s && go test ./... && astrid capsule install .\n", dir)
			_, err = fmt.Fprintln(stdout, dir)
			return err
		},
	}
}
