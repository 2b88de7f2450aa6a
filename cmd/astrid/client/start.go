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

// startTimeout is how long a daemon may boot without compiling anything more.
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

// Ensure connects to the daemon of a home when it is ready, and starts one if there is none.
// started tells that it is ours. Any number of clients may do so at one time: one of the
// daemons wins, all clients connect to it. A daemon that is about to leave is waited for.
func Ensure(ctx context.Context, o StartOptions) (c *Conn, started bool, err error) {
	ctx, cancel := patience(ctx, o.Home, startTimeout, &BootError{Reason: fmt.Sprintf("it has done nothing for %s", startTimeout), Log: o.Home.LogDir()})
	defer cancel()
	if o.Slow <= 0 {
		o.Slow = 1500 * time.Millisecond
	}
	if o.Notice != nil {
		slow := time.AfterFunc(o.Slow, func() { o.Notice(starting(o.Home)) })
		defer slow.Stop()
	}
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	var b *boot
	defer func() { b.forget() }()
	for {
		c, err := connect(ctx, o)
		if err == nil {
			return c, b.running(), nil
		}
		if !errors.Is(err, ErrNoDaemon) && !errors.Is(err, ErrTurnedAway) && !errors.Is(err, ErrClosed) {
			return nil, false, err
		}
		if b, err = b.step(o); err != nil {
			return nil, false, err
		}
		select {
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		case <-poll.C:
		}
	}
}

// starting says what takes its time.
func starting(h home.Home) string {
	const text = "starting the daemon"
	if found, err := os.ReadDir(h.CacheDir()); err != nil || len(found) == 0 {
		return text + "; the first start compiles all capsules"
	}
	return text
}

// connect dials and waits until the daemon has loaded its capsules.
func connect(ctx context.Context, o StartOptions) (*Conn, error) {
	c, err := Dial(ctx, o.Home, o.Version)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	// The daemon removes the file before it listens, so that it is the one of this daemon.
	for !o.Home.Ready() {
		select {
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-c.done:
			err = c.Err()
		case <-tick.C:
			continue
		}
		_ = c.Close() // the reason is known
		return nil, err
	}
	return c, nil
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

// boot is a daemon that this process started; nil: none yet.
type boot struct {
	said   *os.File   // what it says before its log is open
	exited chan error // yields once, when it ends
	ended  bool
}

// step starts a daemon when nobody holds the lock, and tells why the one it started ended.
func (b *boot) step(o StartOptions) (*boot, error) {
	if b.running() {
		select {
		case err := <-b.exited:
			b.ended = true
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != ExitAlreadyRunning {
				return b, &BootError{Reason: lastWords(b.said, err), Log: o.Home.LogDir()}
			}
		default:
		}
		return b, nil
	}
	// Another client's daemon that boots, or one that is about to be gone, holds the lock.
	if _, held, err := home.HolderOf(o.Home.LockFile()); err != nil || held {
		return b, err
	}
	b.forget()
	return spawn(o)
}

func (b *boot) running() bool { return b != nil && !b.ended }

// forget drops the file of what the daemon said; it has its log by now.
func (b *boot) forget() {
	if b != nil {
		_ = b.said.Close()
		_ = os.Remove(b.said.Name())
	}
}

func spawn(o StartOptions) (*boot, error) {
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
	b := &boot{said: said, exited: make(chan error, 1)}
	cmd := exec.Command(daemon, args...)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Dir = o.Home.Root() // must not keep the workspace's file system busy
	detach(cmd)
	if err := cmd.Start(); err != nil {
		b.forget()
		return nil, fmt.Errorf("start the daemon: %w", err)
	}
	go func() { b.exited <- cmd.Wait() }()
	return b, nil
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
