// Package process runs programs on the host, in the host's sandbox. Programs start in the workspace and see the session's
// files in it, with a scrubbed environment and without a network, unless the user granted one. There is no shell: a program
// gets its arguments as they are. Every start is decided by the gate.
//
// A program that cannot be started is an error: abi.ErrNotFound (there is no such program), abi.ErrDenied, abi.ErrDeferred,
// abi.ErrLimit (too many run), abi.ErrUnsupported (the system has no sandbox; the text says what to install).
package process

import (
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// Command is a program with all that it is given.
type Command struct {
	// Name is looked up where programs are, or is a path in the workspace ("./build.sh"), or absolute.
	Name  string
	Args  []string
	Stdin string // the person who decides about the start sees it
	// Timeout ends a program that Run waits for; the part below a millisecond is dropped. Zero leaves it to the deadline of
	// the call. It means nothing to Start.
	Timeout time.Duration
	// Interactive keeps the input of a program that is started in the background open, for Say. The person is told.
	Interactive bool
}

func (c Command) request() abi.ProcessRequest {
	return abi.ProcessRequest{Cmd: c.Name, Args: c.Args, Stdin: c.Stdin, TimeoutMS: uint64(max(c.Timeout, 0).Milliseconds()), Interactive: c.Interactive}
}

// Run runs the program to its end. One that ran and failed is not an error: look at ExitCode, which is 128+n after signal n,
// and -1 when the host ended it (TimedOut tells whether that was the timeout).
func (c Command) Run() (abi.ProcessResult, error) {
	var r abi.ProcessResult
	err := wire.Ask(abi.SpawnHost, c.request(), &r)
	return r, err
}

// Start starts the program in the background. A capsule can have [abi.MaxProcesses] in a session; ended ones count until they
// are killed. All end with the capsule, and when nobody has been in the session for a while.
func (c Command) Start() (*Process, error) {
	var h abi.ProcessHandle
	if err := wire.Ask(abi.SpawnBackgroundHost, c.request(), &h); err != nil {
		return nil, err
	}
	return &Process{ID: h.ID}, nil
}

// Run runs a program to its end, see [Command.Run].
func Run(cmd string, args ...string) (abi.ProcessResult, error) {
	return Command{Name: cmd, Args: args}.Run()
}

// Start starts a program in the background, see [Command.Start].
func Start(cmd string, args ...string) (*Process, error) {
	return Command{Name: cmd, Args: args}.Start()
}

// Process is a program that runs beside the capsule. Its ID is all that it takes to find it again in a later call of the same
// session, whichever instance handles it.
type Process struct{ ID uint64 }

// Logs returns what the program wrote since the last call (at most the last MiB of each
// stream) and whether it still runs. ExitCode is nil while it does.
func (p *Process) Logs() (abi.ProcessLogs, error) {
	var l abi.ProcessLogs
	err := wire.Ask(abi.ReadProcessLogsHost, abi.ProcessRead{ID: p.ID}, &l)
	return l, err
}

// Say adds text to the input of an interactive program, unless it is empty, and returns what the program wrote since the last call. If that is
// nothing, it waits so long for something, or for the program's end; at most abi.MaxRecv. It fails with abi.ErrClosed when the
// program takes no input, and with abi.ErrTimeout when it does not read it.
func (p *Process) Say(text string, wait time.Duration) (abi.ProcessLogs, error) {
	var l abi.ProcessLogs
	err := wire.Ask(abi.ReadProcessLogsHost, abi.ProcessRead{ID: p.ID, Stdin: text, WaitMS: uint64(max(wait, 0).Milliseconds())}, &l)
	return l, err
}

// Kill ends the program and all it has started, and returns its last output. The ID is void then. ExitCode is nil when the
// program was still running.
func (p *Process) Kill() (abi.ProcessKilled, error) {
	var k abi.ProcessKilled
	err := wire.Ask(abi.KillProcessHost, abi.ProcessHandle{ID: p.ID}, &k)
	return k, err
}
