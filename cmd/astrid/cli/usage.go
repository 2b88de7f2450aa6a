package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageErrors gives errors about arguments their exit code, on every command, and says what may have been meant.
func usageErrors(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return fail(ExitUsage, "%w%s; see %s --help", err, meant(c, args), c.CommandPath())
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		usageErrors(c)
	}
}

// newHelp is the help command. Unlike cobra's it fails about a command that there is not.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = fmt.Errorf("unknown command %q for %q", rest[0], about.CommandPath())
				if near := about.SuggestionsFor(rest[0]); len(near) > 0 {
					err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))
				}
			}
			if err != nil {
				return fail(ExitUsage, "%w; see %s --help", err, about.CommandPath())
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) (out []string, _ cobra.ShellCompDirective) {
			if about, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, c := range about.Commands() {
					if c.IsAvailableCommand() && strings.HasPrefix(c.Name(), typed) {
						out = append(out, c.Name()+"\t"+c.Short)
					}
				}
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// meant is what a person may have wanted with a word that is no command.
func meant(c *cobra.Command, args []string) string {
	if !c.HasSubCommands() || len(args) == 0 {
		return ""
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return "; did you mean " + strings.Join(near, " or ") + "?"
	}
	if !c.HasParent() {
		return "; a prompt goes behind -p"
	}
	return ""
}

// flagError is a wrong flag or value in the words of the command line, not of the parser's functions.
func flagError(cmd *cobra.Command, err error) error {
	var wrong *pflag.InvalidValueError
	if errors.As(err, &wrong) {
		f := wrong.GetFlag()
		if what := valueWords[f.Value.Type()]; what != "" {
			err = fmt.Errorf("--%s: %q is no %s", f.Name, wrong.GetValue(), what)
		}
	}
	return fail(ExitUsage, "%w; see %s --help", err, cmd.CommandPath())
}

var valueWords = map[string]string{
	"int": "whole number", "uint64": "whole number", "float64": "number", "duration": "time, such as 90s or 10m",
}
