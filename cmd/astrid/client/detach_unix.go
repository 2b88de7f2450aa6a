//go:build unix

package client

import (
	"os/exec"
	"syscall"
)

// detach puts the daemon into a session of its own, so that Ctrl+C in the terminal that
// happened to start it, or the end of that terminal, does not reach it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
