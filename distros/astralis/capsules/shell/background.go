package main

import (
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/process"
)

type spawnArgs struct {
	Command string `json:"command" desc:"The command line"`
}

func spawn(_ *sdk.Context, a spawnArgs) (string, error) {
	var p *process.Process
	err := withShell(a.Command, func(c process.Command) (err error) {
		p, err = c.Start()
		return err
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Background process started with id: %d. Use read_process_logs to see what it writes, and kill_process to end it.", p.ID), nil
}

type processArgs struct {
	ID uint64 `json:"id" desc:"Id of the background process"`
}

func readLogs(_ *sdk.Context, a processArgs) (string, error) {
	l, err := (&process.Process{ID: a.ID}).Logs()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	switch {
	case l.Running:
		fmt.Fprintf(&b, "Process %d status: running\n", a.ID)
	case l.ExitCode == nil:
		fmt.Fprintf(&b, "Process %d status: exited (unknown code)\n", a.ID)
	default:
		fmt.Fprintf(&b, "Process %d status: exited with code %d\n", a.ID, *l.ExitCode)
	}
	if !l.Running {
		b.WriteString("(it has ended: kill_process frees its place)\n")
	}
	section(&b, "stdout", l.Stdout, l.StdoutDropped)
	section(&b, "stderr", l.Stderr, l.StderrDropped)
	if l.Stdout == "" && l.Stderr == "" {
		b.WriteString("(no new output)\n")
	}
	return b.String(), nil
}

func kill(_ *sdk.Context, a processArgs) (string, error) {
	k, err := (&process.Process{ID: a.ID}).Kill()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if k.ExitCode == nil {
		fmt.Fprintf(&b, "Process %d killed (it was running).\n", a.ID)
	} else {
		fmt.Fprintf(&b, "Process %d had ended (exit code %d).\n", a.ID, *k.ExitCode)
	}
	section(&b, "final stdout", k.Stdout, k.StdoutDropped)
	section(&b, "final stderr", k.Stderr, k.StderrDropped)
	return b.String(), nil
}

// section writes a stream under its heading, if there is anything of it.
func section(b *strings.Builder, heading, text string, dropped int64) {
	if text == "" && dropped == 0 {
		return
	}
	fmt.Fprintf(b, "--- %s ---\n%s", heading, clip(text, dropped))
	if !strings.HasSuffix(b.String(), "\n") {
		b.WriteByte('\n')
	}
}
