package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

func newStart(sys System) *cobra.Command {
	return &cobra.Command{
		Use:   "start",
		Short: "Start the daemon and keep it running",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := sys.openHome()
			if err != nil {
				return err
			}
			if err := firstRun(cmd.Context(), sys, h); err != nil {
				return err
			}
			w, err := sys.here()
			if err != nil {
				return err
			}
			conn, started, err := client.Ensure(cmd.Context(), client.StartOptions{
				Home: h, Version: Version, Workspace: w.Root(), Notice: func(s string) { sys.notef("%s", s) },
			})
			if err != nil {
				return err
			}
			defer conn.Close()
			st, err := fetchStatus(cmd.Context(), conn)
			if err != nil {
				return err
			}
			if !started {
				fmt.Fprintf(sys.Stdout, "already running (PID %d)\n", st.PID)
				return nil
			}
			fmt.Fprintf(sys.Stdout, "started (PID %d, ready in %d ms)\n", st.PID, st.BootMs)
			return degraded(st, sys)
		},
	}
}

func newStatus(sys System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the daemon, its capsules, and why any of them is not running",
		Long: `Show the daemon and its capsules.

Exit codes: 0 all is well, 3 the daemon is not running, 6 some capsule is not running or still starting.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := sys.openHome()
			if err != nil {
				return err
			}
			conn, err := client.Dial(cmd.Context(), h, Version)
			if errors.Is(err, client.ErrNoDaemon) {
				if asJSON {
					fmt.Fprintln(sys.Stdout, `{"running":false}`)
				} else {
					fmt.Fprintln(sys.Stdout, "not running")
				}
				return &exitError{code: ExitNoDaemon}
			}
			if err != nil {
				return err
			}
			defer conn.Close()
			st, err := fetchStatus(cmd.Context(), conn)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(sys.Stdout)
				enc.SetIndent("", "  ")
				if err := enc.Encode(struct {
					Running bool `json:"running"`
					*abi.DaemonStatus
				}{true, st}); err != nil {
					return err
				}
			} else {
				printStatus(sys, st)
			}
			if st.BootMs == 0 {
				return &exitError{code: ExitDegraded}
			}
			for _, c := range st.Capsules {
				if c.State != "ready" && c.State != "disabled" {
					return &exitError{code: ExitDegraded}
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func fetchStatus(ctx context.Context, conn *client.Conn) (*abi.DaemonStatus, error) {
	raw, err := conn.Manage(ctx, abi.MethodGetStatus, nil)
	if err != nil {
		return nil, err
	}
	st := new(abi.DaemonStatus)
	if err := json.Unmarshal(raw, st); err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	return st, nil
}

func printStatus(sys System, st *abi.DaemonStatus) {
	kind := "persistent"
	if st.Ephemeral {
		kind = "leaves with its last client"
	}
	state := "running"
	if st.BootMs == 0 { // it is set when all capsules are loaded
		state = "starting"
	}
	fmt.Fprintf(sys.Stdout, "%s (PID %d, up %s, %s)\n", state, st.PID, (time.Duration(st.UptimeSecs) * time.Second).String(), kind)
	fmt.Fprintf(sys.Stdout, "  version    %s\n  workspace  %s\n  clients    %d\n  booted in  %d ms\n", st.Version, printable(st.Workspace), st.ConnectedClients, st.BootMs)
	fmt.Fprintf(sys.Stdout, "  messages   %d published, %d delivered, %d refused by full queues\n", st.Bus.Published, st.Bus.Delivered, st.Bus.QueueFull)
	fmt.Fprintf(sys.Stdout, "  capsules   %d of %d ready\n", len(st.LoadedCapsules), len(st.Capsules))
	widest := 0
	for _, c := range st.Capsules {
		widest = max(widest, len(c.Name))
	}
	for _, c := range st.Capsules {
		fmt.Fprintf(sys.Stdout, "    %-8s %-*s", c.State, widest, printable(c.Name))
		if c.State == "ready" {
			fmt.Fprintf(sys.Stdout, " %6.1f MiB  %8.1f ms CPU  %d handled, %d failed", float64(c.MemoryBytes)/(1<<20), float64(c.CPUMicros)/1000, c.Handled, c.Failed)
		}
		if c.Reason != "" {
			fmt.Fprintf(sys.Stdout, " %s", strings.ReplaceAll(printable(c.Reason), "\n", "; "))
		}
		fmt.Fprintln(sys.Stdout)
	}
}

// degraded tells on standard error which capsules did not start.
func degraded(st *abi.DaemonStatus, sys System) error {
	for _, c := range st.Capsules {
		if c.State != "ready" && c.State != "disabled" {
			sys.notef("capsule %s is %s: %s", printable(c.Name), c.State, strings.ReplaceAll(printable(c.Reason), "\n", "; "))
		}
	}
	return nil
}

// stopTimeout is how long stop waits for the daemon to be gone.
const stopTimeout = 30 * time.Second

func newStop(sys System) *cobra.Command {
	return &cobra.Command{
		Use:   "stop",
		Short: "Stop the daemon and wait until it is gone",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := sys.openHome()
			if err != nil {
				return err
			}
			conn, err := client.Dial(cmd.Context(), h, Version)
			if errors.Is(err, client.ErrNoDaemon) {
				fmt.Fprintln(sys.Stdout, "not running")
				return nil
			}
			if err != nil {
				return err
			}
			defer conn.Close()
			if _, err := conn.Manage(cmd.Context(), abi.MethodShutdown, map[string]string{"reason": "astrid stop"}); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), stopTimeout)
			defer cancel()
			pid, err := waitGone(ctx, h)
			if err != nil {
				return fail(ExitError, "the daemon (PID %d) took the request but is still there after %s: see its log in %s", pid, stopTimeout, h.LogDir())
			}
			fmt.Fprintln(sys.Stdout, "stopped")
			return nil
		},
	}
}

// waitGone waits until no process holds the daemon's lock.
func waitGone(ctx context.Context, h home.Home) (int, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		pid, held, err := home.HolderOf(h.LockFile())
		if errors.Is(err, os.ErrNotExist) || err == nil && !held {
			return 0, nil
		}
		if err != nil {
			return pid, err
		}
		select {
		case <-ctx.Done():
			return pid, ctx.Err()
		case <-tick.C:
		}
	}
}
