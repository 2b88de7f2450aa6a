package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// ExitAlreadyRunning is the exit code of a daemon that found another one running.
const ExitAlreadyRunning = 75

// startTimeout is how long a daemon may take to boot. The first boot compiles every capsule.
const startTimeout = 90 * time.Second

// StartOptions says which daemon to start.
type StartOptions struct {
	Home      home.Home
	Version   string
	Workspace string
	Ephemeral bool          // leaves with its last client
	Notice    func(string)  // told when starting takes long; may be nil
	Slow      time.Duration // when Notice is told; default 1.5 s
}

// BootError says that the daemon did not start, with what it said about it.
type BootError struct {
	Reason string // the daemon's own words, or how it ended
	Log    string // directory of its log
}

func (e *BootError) Error() string {
	return fmt.Sprintf("the daemon did not start: %s (its log is in %s)", e.Reason, e.Log)
}

// Ensure connects to the daemon of a home, and starts one if there is none. Any number of
// clients may do so at one time: one of the daemons wins, all clients connect to it.
func Ensure(ctx context.Context, o StartOptions) (*Conn, bool, error) {
	c, err := Dial(ctx, o.Home, o.Version)
	if err == nil || !errors.Is(err, ErrNoDaemon) {
		return c, false, err
	}
	c, err = start(ctx, o)
	return c, true, err
}

// Binary finds a companion of the running program: beside it, or on PATH.
func Binary(name string) (string, error) {
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), name)
		if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s was not found: put it beside astrid or on PATH", name)
	}
	return path, nil
}

func start(ctx context.Context, o StartOptions) (*Conn, error) {
	daemon, err := Binary("astrid-daemon")
	if err != nil {
		return nil, err
	}
	args := []string{"--workspace", o.Workspace}
	if o.Ephemeral {
		args = append(args, "--ephemeral")
	}
	// What the daemon says before its log is open, and what the Go runtime says when it
	// dies, goes to a file of this start alone.
	said, err := os.CreateTemp(o.Home.LogDir(), "boot-*.txt")
	if err != nil {
		return nil, fmt.Errorf("start the daemon: %w", err)
	}
	defer said.Close()
	defer os.Remove(said.Name())
	cmd := exec.Command(daemon, args...)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Dir = o.Home.Root() // must not keep the workspace's file system busy
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the daemon: %w", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, &BootError{Reason: fmt.Sprintf("it was not ready within %s", startTimeout), Log: o.Home.LogDir()})
	defer cancel()
	if o.Slow <= 0 {
		o.Slow = 1500 * time.Millisecond
	}
	slow := time.NewTimer(o.Slow)
	defer slow.Stop()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-slow.C:
			if o.Notice != nil {
				o.Notice("starting the daemon; the first start compiles all capsules")
			}
		case err := <-exited:
			if cmd.ProcessState.ExitCode() != ExitAlreadyRunning {
				return nil, &BootError{Reason: lastWords(said, err), Log: o.Home.LogDir()}
			}
			exited = nil // another client's daemon won: wait for that one
		case <-poll.C:
			c, err := Dial(ctx, o.Home, o.Version)
			if err == nil {
				return c, nil
			}
			if !errors.Is(err, ErrNoDaemon) {
				return nil, err
			}
		}
	}
}

// lastWords returns what a daemon that ended had said.
func lastWords(f *os.File, end error) string {
	if _, err := f.Seek(0, io.SeekStart); err == nil {
		b, err := io.ReadAll(io.LimitReader(f, 64<<10))
		if text := strings.TrimSpace(string(b)); err == nil && text != "" {
			return strings.TrimPrefix(text, "astrid-daemon: ")
		}
	}
	if end == nil {
		return "it exited at once"
	}
	return end.Error()
}
