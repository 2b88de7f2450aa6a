package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

func newPs(sys System) *cobra.Command {
	var asJSON, principals bool
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "Show what each capsule uses",
		Long: `Show what each capsule uses: instances, time in guest code, memory, messages handled, host
functions called, messages waiting, and instances that died and were replaced.

CPU is counted since the capsule was loaded, and for each principal of its own. A capsule that
uses more than its share of a processor (limits.cpu_percent) is slowed down; how long it was
held back is under THROTTLED of --principals.

Exit codes: 0 done, 1 it failed, 3 the daemon is not running.`,
		Example: "  astrid ps\n  astrid ps --principals\n  astrid ps --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := sys.mustRun(cmd.Context())
			if err != nil {
				return err
			}
			defer conn.Close()
			list, err := call[[]abi.CapsuleStatus](cmd.Context(), conn, abi.MethodListUsage, nil)
			switch {
			case err != nil:
				return err
			case asJSON:
				return writeJSON(sys.Stdout, list)
			case principals:
				return printShares(sys.Stdout, list)
			}
			return printUsage(sys.Stdout, list)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&principals, "principals", false, "show what each capsule uses for each principal")
	return cmd
}

// mustRun connects to the daemon that runs.
func (s System) mustRun(ctx context.Context) (*client.Conn, error) {
	conn, err := s.running(ctx)
	if err == nil && conn == nil {
		return nil, fail(ExitNoDaemon, "the daemon is not running: astrid start")
	}
	return conn, err
}

func printUsage(w io.Writer, list []abi.CapsuleStatus) error {
	rows := [][]string{{"CAPSULE", "VERSION", "STATE", "INST", "CPU", "MEMORY", "HANDLED", "FAILED", "CALLS", "QUEUED", "RESTARTS"}}
	for _, c := range list {
		rows = append(rows, []string{
			approval.Display(c.Name), approval.Display(c.Version), c.State, fmt.Sprint(c.Instances), cpuTime(c.CPUMicros), size(c.MemoryBytes),
			fmt.Sprint(c.Handled), fmt.Sprint(c.Failed), fmt.Sprint(c.HostCalls), fmt.Sprint(c.Queued), fmt.Sprint(c.Restarts),
		})
	}
	return table(w, rows)
}

func printShares(w io.Writer, list []abi.CapsuleStatus) error {
	rows := [][]string{{"CAPSULE", "PRINCIPAL", "CPU", "THROTTLED", "KEYS", "STORED"}}
	for _, c := range list {
		for _, s := range c.Shares {
			rows = append(rows, []string{
				approval.Display(c.Name), approval.Display(s.Principal), cpuTime(s.CPUMicros), cpuTime(s.ThrottledMicros), fmt.Sprint(s.StoredKeys), size(uint64(max(s.StoredBytes, 0))),
			})
		}
	}
	return table(w, rows)
}

// cpuTime writes microseconds with three digits that matter.
func cpuTime(micros uint64) string {
	switch d := time.Duration(micros) * time.Microsecond; {
	case d < time.Second:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	case d < time.Minute:
		return fmt.Sprintf("%.2fs", d.Seconds())
	default:
		return strings.TrimSuffix(d.Round(time.Second).String(), "0s")
	}
}

// size writes bytes.
func size(n uint64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%dB", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1fK", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1fM", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2fG", float64(n)/(1<<30))
}
