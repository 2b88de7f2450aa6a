// Package process runs programs on the host, in the host's sandbox. Programs start in
// the workspace, with a scrubbed environment. Every start is decided by the gate.
package process

import (
	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// Run runs a program to its end. A program that ran and failed is not an error: look at
// ExitCode, which is -1 after a signal.
func Run(cmd string, args ...string) (abi.ProcessResult, error) {
	var r abi.ProcessResult
	err := wire.Ask(abi.SpawnHost, abi.ProcessRequest{Cmd: cmd, Args: args}, &r)
	return r, err
}

// Process is a program that runs beside the capsule.
type Process struct{ ID uint64 }

// Start starts a program in the background. An instance can have
// [abi.MaxProcesses]; ended ones count until they are killed.
func Start(cmd string, args ...string) (*Process, error) {
	var h abi.ProcessHandle
	if err := wire.Ask(abi.SpawnBackgroundHost, abi.ProcessRequest{Cmd: cmd, Args: args}, &h); err != nil {
		return nil, err
	}
	return &Process{ID: h.ID}, nil
}

// Logs returns what the program wrote since the last call (at most the last MiB of each
// stream) and whether it still runs. ExitCode is nil while it does.
func (p *Process) Logs() (abi.ProcessLogs, error) {
	var l abi.ProcessLogs
	err := wire.Ask(abi.ReadProcessLogsHost, abi.ProcessHandle{ID: p.ID}, &l)
	return l, err
}

// Kill ends the program and all it has started, and returns its last output.
func (p *Process) Kill() (abi.ProcessKilled, error) {
	var k abi.ProcessKilled
	err := wire.Ask(abi.KillProcessHost, abi.ProcessHandle{ID: p.ID}, &k)
	return k, err
}
