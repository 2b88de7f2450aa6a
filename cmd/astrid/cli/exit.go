package cli

import (
	"errors"
	"fmt"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// Exit codes. They are stable: scripts may rely on them.
const (
	ExitOK          = 0   // done
	ExitError       = 1   // it failed; standard error says why
	ExitUsage       = 2   // the command line is wrong
	ExitNoDaemon    = 3   // the daemon is not running, or could not be started
	ExitTurn        = 4   // the agent's turn failed: the provider's error, a limit, a timeout of a phase
	ExitApproval    = 5   // the turn ended, but something it wanted waits for an approval
	ExitDegraded    = 6   // the daemon runs, but not every capsule does: status; capsule install, about its own
	ExitConflict    = 7   // commit: the workspace changed where the session did; nothing was committed
	ExitDenied      = 8   // the turn ended, but something it wanted was refused: by policy, budget, a flag or a person, for lack of a sandbox, or because it could not be recorded
	ExitSilence     = 53  // headless: nothing was heard from the daemon for 120 s
	ExitInterrupted = 130 // Ctrl+C
)

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error // nil: say nothing more
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func fail(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// codeOf is the exit code an error stands for.
func codeOf(err error) int {
	var e *exitError
	var boot *client.BootError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &e):
		return e.code
	case errors.As(err, &boot), errors.Is(err, client.ErrNoDaemon):
		return ExitNoDaemon
	}
	return ExitError
}
