package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

// TestEveryCommandHasATranscript fails when a command or a flag exists that no transcript
// uses. A use that the command line refuses (exit code 2) does not count.
func TestEveryCommandHasATranscript(t *testing.T) {
	used := map[string]bool{}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := &script{env: map[string]string{}}
		commands, _ := parts(string(text))
		for n, line := range strings.Split(commands, "\n") {
			args, err := s.split(line)
			if err != nil {
				t.Fatalf("%s:%d: %v", path, n+1, err)
			}
			i := slices.Index(args, "astrid")
			if i < 2 || args[1] == "2" || !slices.Contains([]string{"run", "eventually", "terminal"}, args[0]) {
				continue
			}
			if err := use(used, args[i+1:]); err != nil {
				t.Errorf("%s:%d: %v", path, n+1, err)
			}
		}
	}
	var missing []string
	walk(commandTree(), func(c *cobra.Command) {
		if c.Runnable() && !used[c.CommandPath()] {
			missing = append(missing, c.CommandPath())
		}
		own := func(f *pflag.Flag) {
			if f.Name != "help" && !f.Hidden && !used[flagName(c, f)] {
				missing = append(missing, flagName(c, f))
			}
		}
		c.LocalNonPersistentFlags().VisitAll(own)
		c.PersistentFlags().VisitAll(own)
	})
	if len(missing) > 0 {
		t.Errorf("%d commands and flags have no transcript in testdata:\n  %s", len(missing), strings.Join(missing, "\n  "))
	}
}

func commandTree() *cobra.Command {
	root := cli.Tree(cli.OS())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.InitDefaultVersionFlag()
	return root
}

func walk(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			walk(sub, do)
		}
	}
}

func flagName(c *cobra.Command, f *pflag.Flag) string { return c.CommandPath() + " --" + f.Name }

// use notes what one command line uses.
func use(used map[string]bool, args []string) error {
	c, rest, err := commandTree().Find(args)
	if err != nil {
		return err
	}
	if c.DisableFlagParsing {
		used[c.CommandPath()] = true
		return nil
	}
	c.InitDefaultHelpFlag()
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if help := c.Flags().Lookup("help"); help == nil || !help.Changed {
		used[c.CommandPath()] = true
	}
	c.Flags().Visit(func(f *pflag.Flag) {
		owner := c
		for p := c; p != nil; p = p.Parent() {
			if p.PersistentFlags().Lookup(f.Name) == f {
				owner = p
			}
		}
		used[flagName(owner, f)] = true
	})
	return nil
}
