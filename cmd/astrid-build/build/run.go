package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes of the command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

var errUsage = errors.New("usage")

// Run is the whole command: it builds one project and returns the exit code. The path of the archive goes to
// stdout, everything else to stderr.
func Run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := command(stdout, stderr)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "astrid-build: %v\nRun astrid-build --help for usage.\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "astrid-build: %v\n", err)
		return exitFailed
	}
}

func command(stdout, stderr io.Writer) *cobra.Command {
	var o Options
	var kind string
	cmd := &cobra.Command{
		Use:   "astrid-build [dir]",
		Short: "Compile, check and pack a capsule",
		Long: `Compile, check and pack a capsule.

The directory (default: the current one) needs a Capsule.toml and either Go
source, a Rust crate, or the WebAssembly file that component.file names; or, without a
Capsule.toml, an mcp.json or gemini-extension.json with MCP servers. The module is loaded as
a daemon would and asked for its tools, whose schemas go into the archive. The archive is
written to dist/<name>.capsule; the same input always gives the same bytes.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("%w: one directory at most", errUsage)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dir, o.Kind, o.Log = ".", Kind(kind), stderr
			if len(args) == 1 {
				o.Dir = args[0]
			}
			r, err := Build(cmd.Context(), o)
			if err != nil {
				return err
			}
			return report(r, stdout, stderr)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w", errUsage, err)
	})
	cmd.AddCommand(newCommand(stdout, stderr))
	cmd.CompletionOptions.DisableDefaultCmd = true
	f := cmd.Flags()
	f.StringVarP(&o.Output, "output", "o", "", "output directory, or a file ending in .capsule (default <dir>/dist)")
	f.StringVarP(&kind, "type", "t", "", "project type: go, rust, wasm, mcp or static (default: detected)")
	f.StringVarP(&kind, "project-type", "p", "", "older name of --type")
	_ = f.MarkHidden("project-type") // only fails for an unknown flag
	return cmd
}

func report(r Result, stdout, stderr io.Writer) error {
	for _, w := range r.Manifest.Warnings {
		fmt.Fprintln(stderr, "warning:", w)
	}
	fmt.Fprintf(stderr, "built %s %s, %d KiB", r.Manifest.ID(), r.Manifest.Package.Version, (r.Size+1023)/1024)
	if r.WasmHash != "" {
		fmt.Fprintf(stderr, ", blake3:%s", r.WasmHash)
	}
	fmt.Fprintln(stderr)
	_, err := fmt.Fprintln(stdout, r.Path)
	return err
}
