// Package daemon is the command line of astrid-daemon.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel"
	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/telemetry"
)

// Version is reported to clients.
const Version = "0.5.0"

// errUsage marks a wrong command line.
var errUsage = errors.New("usage")

// Main runs the daemon and returns its exit code: 0 after an orderly end, 1 when it could
// not start, 2 for a wrong command line, client.ExitAlreadyRunning when another daemon
// serves the home.
func Main(args []string, stderr io.Writer) int {
	var workspace string
	var ephemeral, verbose bool
	cmd := &cobra.Command{
		Use:           "astrid-daemon",
		Short:         "Run the Astrid kernel in the foreground",
		Version:       Version,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), workspace, ephemeral, verbose)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return errors.Join(errUsage, err) })
	cmd.Flags().StringVarP(&workspace, "workspace", "w", "", "`DIR` whose project is that of sessions that name none (default: the current directory)")
	cmd.Flags().BoolVar(&ephemeral, "ephemeral", false, "leave 30 s after the last client")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "log more")
	cmd.SetArgs(args)
	cmd.SetErr(stderr)
	// SIGHUP is taken like SIGTERM: without a handler it would kill without cleaning up.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "astrid-daemon: %v\n", err)
	switch {
	case errors.Is(err, home.ErrLocked):
		return client.ExitAlreadyRunning
	case errors.Is(err, errUsage):
		return 2
	}
	return 1
}

func run(ctx context.Context, workspace string, ephemeral, verbose bool) error {
	h, err := home.Resolve(os.LookupEnv)
	if err != nil {
		return err
	}
	if err := h.Ensure(); err != nil {
		return err
	}
	if workspace == "" {
		if workspace, err = os.Getwd(); err != nil {
			return err
		}
	}
	w, err := home.DetectWorkspace(workspace, h)
	if err != nil {
		return err
	}
	// What a project says is for its own sessions, also if the daemon is started there.
	cfg, err := config.Load(config.Options{UserFile: h.ConfigFile()})
	if err != nil {
		return err
	}
	level := cfg.Logging.Level
	if verbose {
		level = slog.LevelDebug
	}
	log, err := telemetry.Open(telemetry.Options{Dir: h.LogDir(), Process: "daemon", Level: level, RetentionDays: cfg.Logging.RetentionDays})
	if err != nil {
		return err
	}
	defer log.Close()
	slog.SetDefault(log.Logger)
	for _, n := range cfg.Notices {
		slog.Warn("Configuration", "notice", n.String())
	}
	idle, err := idleTimeout()
	if err != nil {
		return err
	}
	err = kernel.Run(ctx, kernel.Options{Home: h, Workspace: w.Root(), Config: cfg, Ephemeral: ephemeral, Version: Version, IdleTimeout: idle}, nil)
	if err != nil {
		slog.Error("The daemon ended with an error", "error", err)
	}
	return err
}

// idleTimeout reads $ASTRID_IDLE_TIMEOUT_SECS, how long an ephemeral daemon stays without
// clients; 0 leaves it to the kernel.
func idleTimeout() (time.Duration, error) {
	const name = "ASTRID_IDLE_TIMEOUT_SECS"
	v := os.Getenv(name)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s is %q: it must be a number of seconds from 1", name, v)
	}
	return time.Duration(n) * time.Second, nil
}
