package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/kernel/config"
)

func newConfig(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show, check and change the configuration",
		Long: `Show, check and change the configuration. It is laid over each other from /etc/astrid/config.toml,
etc/config.toml of the home, .astrid/config.toml of the project around the current directory,
which may only tighten, and the environment.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigShow(sys), newConfigGet(sys), newConfigSet(sys), newConfigValidate(sys), newConfigPath(sys), newConfigEdit(sys))
	return cmd
}

// configHere reads the configuration as it counts in the current directory.
func (s System) configHere() (*config.Config, error) {
	w, err := s.here()
	if err != nil {
		return nil, err
	}
	return s.config(w.Root())
}

func newConfigShow(sys System) *cobra.Command {
	var o config.ShowOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [SECTION]",
		Short: "Show what is in force here, as a file that could be used",
		Example: `  astrid config show --origin
  astrid config show security.policy --docs`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := sys.configHere()
			if err != nil {
				return err
			}
			entries, err := cfg.Entries(strings.Join(args, ""))
			if err != nil {
				return fail(ExitUsage, "%w; astrid config show has all of them", err)
			}
			for _, n := range cfg.Notices {
				sys.notef("%s", n)
			}
			if asJSON {
				return writeJSON(sys.Stdout, entries)
			}
			return config.WriteTOML(sys.Stdout, entries, o)
		},
	}
	cmd.Flags().BoolVar(&o.Origins, "origin", false, "say behind each value where it was set")
	cmd.Flags().BoolVar(&o.Docs, "docs", false, "say above each key what it means")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, origins included")
	return cmd
}

func newConfigGet(sys System) *cobra.Command {
	return &cobra.Command{
		Use:     "get KEY",
		Short:   "Print the value of one key, a list one entry a line",
		Example: "  astrid config get workspace.mode",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := sys.configHere()
			if err != nil {
				return err
			}
			entries, err := cfg.Entries(args[0])
			if err != nil || len(entries) != 1 || entries[0].Key != args[0] {
				if err == nil {
					return fail(ExitUsage, "%s is a section: see astrid config show %s", args[0], args[0])
				}
				return fail(ExitUsage, "%w; astrid config show has all of them", err)
			}
			switch v := entries[0].Value.(type) {
			case []config.Item:
				for _, it := range v {
					fmt.Fprintln(sys.Stdout, printable(it.Value))
				}
			case []config.Price, []config.Link:
				return config.WriteTOML(sys.Stdout, entries, config.ShowOptions{})
			default:
				fmt.Fprintln(sys.Stdout, printable(fmt.Sprint(v)))
			}
			return nil
		},
	}
}

func newConfigValidate(sys System) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check every file that is read here",
		Long: `Check every file that is read here: unknown keys, wrong types and values out of range are
errors with file, line and column.

Exit codes: 0 all is well, though there may be notices on standard error; 1 something is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := sys.configHere()
			if err != nil {
				return err
			}
			for _, n := range cfg.Notices {
				sys.notef("%s", n)
			}
			for _, f := range cfg.Files {
				fmt.Fprintf(sys.Stdout, "ok  %s\n", printable(f.Path))
			}
			if len(cfg.Files) == 0 {
				fmt.Fprintln(sys.Stdout, "ok  there is no file; the defaults are in force")
			}
			return nil
		},
	}
}

func newConfigPath(sys System) *cobra.Command {
	return &cobra.Command{
		Use:   "path",
		Short: "Print the files that are looked for, the weakest first, and whether they are there",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := sys.here()
			if err != nil {
				return err
			}
			h, err := sys.openHome()
			if err != nil {
				return err
			}
			rows := [][]string{}
			for _, f := range (config.Options{UserFile: h.ConfigFile(), WorkspaceRoot: w.Root()}).Files() {
				state := "absent"
				if f.Found {
					state = "read"
				}
				rows = append(rows, []string{f.Layer.String(), state, quoted(f.Path)})
			}
			return table(sys.Stdout, rows)
		},
	}
}
