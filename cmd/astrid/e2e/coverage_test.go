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
		commands, _, _ := strings.Cut(string(text), "\n-- ")
		for n, line := range strings.Split(commands, "\n") {
			args := arguments(line)
			i := slices.Index(args, "astrid")
			if i < 1 || i > 1 && args[1] == "2" || !slices.Contains([]string{"run", "exec", "eventually", "follow", "terminal"}, args[0]) || slices.Contains(args, "__complete") {
				continue
			}
			if err := use(used, args[i+1:]); err != nil {
				t.Errorf("%s:%d: %v", path, n+1, err)
			}
		}
	}
	var missing []string
	walk(commandTree(), func(c *cobra.Command) {
		if c.Runnable() && c.CommandPath() != "astrid capsule dev" && !used[c.CommandPath()] {
			missing = append(missing, c.CommandPath())
		}
		if c.CommandPath() == "astrid capsule dev" {
			return // it builds again and again: TestCapsuleDev of package cli drives it
		}
		own := func(f *pflag.Flag) {
			if c.CommandPath() == "astrid distro update" && (f.Name == "set" || f.Name == "fingerprint") {
				return // the same code as init's, which has them in distro.txtar
			}
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

// arguments cuts a line of a transcript as testscript does; variables stay as they are.
func arguments(line string) (args []string) {
	var arg strings.Builder
	quoted, any := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'':
			if quoted && i+1 < len(line) && line[i+1] == '\'' {
				arg.WriteByte(c)
				i++
				continue
			}
			quoted, any = !quoted, true
		case quoted || c != ' ' && c != '\t' && c != '#':
			arg.WriteByte(c)
			any = true
		default:
			if any {
				args = append(args, arg.String())
				arg.Reset()
				any = false
			}
			if c == '#' {
				return args
			}
		}
	}
	if any {
		args = append(args, arg.String())
	}
	return args
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
