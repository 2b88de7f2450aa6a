package cli

import "github.com/spf13/cobra"

func newBuild(sys System) *cobra.Command {
	return &cobra.Command{
		Use:   "build [DIR]",
		Short: "Compile, check and pack a capsule",
		Long: `Compile, check and pack a capsule with astrid-build. What follows is passed on to it, so
"astrid build --help" shows its flags and "astrid build new NAME" makes a new capsule.

Exit codes are those of astrid-build: 0 done, 1 it failed, 2 the command line is wrong.`,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBuild(cmd.Context(), sys, sys.Stdout, args...)
		},
	}
}
