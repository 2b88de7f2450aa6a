// Capsule shell runs commands in the workspace for the model.
//
// It decides nothing: the daemon judges each command line, asks the person where the mode
// says so, and runs it in its sandbox over the session's overlay.
package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/process"
)

var (
	_ = sdk.Describe("Commands run in the workspace, in a sandbox: they see the session's files, /tmp is their own, and there is no network unless the user granted it.")
	_ = sdk.Tool("run_shell_command", "Run a command line with bash and wait for it to end. Answers what it wrote.", runCommand, sdk.Mutable())
	_ = sdk.Tool("spawn_background_process", "Start a command line with bash and go on at once, for servers and watchers. Answers its id.", spawn, sdk.Mutable())
	_ = sdk.Tool("read_process_logs", "Read what a background process has written since the last time, and whether it still runs.", readLogs)
	_ = sdk.Tool("kill_process", "End a background process and everything it started.", kill, sdk.Mutable())
)

func main() {}

const (
	defaultTimeout = 120 * time.Second
	maxTimeout     = 280 * time.Second // below the daemon's limit for one call, so that the answer still gets out
)

var errEmpty = errors.New("Command cannot be empty")

type runArgs struct {
	Command     string  `json:"command" desc:"The command line"`
	Directory   *string `json:"directory" desc:"Where it runs, relative to the workspace; its root by default"`
	TimeoutSecs *int    `json:"timeout_secs" desc:"Seconds after which it is ended; 120 by default, at most 280"`
}

func runCommand(_ *sdk.Context, a runArgs) (string, error) {
	timeout := defaultTimeout
	if a.TimeoutSecs != nil {
		if *a.TimeoutSecs < 1 {
			return "", errors.New("timeout_secs must be 1 or more")
		}
		timeout = min(time.Duration(*a.TimeoutSecs)*time.Second, maxTimeout)
	}
	var r abi.ProcessResult
	err := withShell(in(a.Directory, a.Command), func(c process.Command) (err error) {
		c.Timeout = timeout
		r, err = c.Run()
		return err
	})
	switch {
	case err != nil:
		return "", err
	case r.TimedOut:
		return "", fmt.Errorf("Command was ended after %s; start it with spawn_background_process if it is to run on\n%s", timeout, report(r))
	case r.ExitCode != 0:
		return "", fmt.Errorf("Command failed with exit code %d: %s", r.ExitCode, report(r))
	case r.Stderr == "":
		return clip(r.Stdout, r.StdoutDropped), nil
	}
	return report(r), nil
}

// in makes a command line run in a directory. Nothing of it runs when there is no such directory.
func in(directory *string, line string) string {
	if directory == nil || *directory == "" || strings.TrimSpace(line) == "" {
		return line
	}
	word := *directory
	if !plainWord.MatchString(word) { // the person reads it in the question: no quotes without need
		word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return "cd -- " + word + " || exit\n" + line
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// withShell calls run with the command for a line. bash is what models write for; where it is missing, sh has to do.
func withShell(line string, run func(process.Command) error) error {
	line = strings.TrimSpace(line)
	if line == "" {
		return errEmpty
	}
	err := run(process.Command{Name: "bash", Args: []string{"-c", line}})
	if errors.Is(err, abi.ErrNotFound) {
		err = run(process.Command{Name: "sh", Args: []string{"-c", line}})
	}
	return err
}

// report gives both streams of a command, what is there of them.
func report(r abi.ProcessResult) string {
	var parts []string
	if s := clip(r.Stdout, r.StdoutDropped); s != "" {
		parts = append(parts, s)
	}
	if s := clip(r.Stderr, r.StderrDropped); s != "" {
		if len(parts) > 0 {
			s = "--- stderr ---\n" + s
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, lineEnd(parts))
}

func lineEnd(parts []string) string {
	if len(parts) > 0 && strings.HasSuffix(parts[0], "\n") {
		return ""
	}
	return "\n"
}
