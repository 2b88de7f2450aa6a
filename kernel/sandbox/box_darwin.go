package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// SharesFiles: macOS has no overlay mount, so children see the workspace itself, read only.
const SharesFiles = false

// seatbeltProgram applies a profile.
const seatbeltProgram = "/usr/bin/sandbox-exec"

// keeperName is the argv[0] that turns this program into a keeper; keeperFD its end of a pipe from the daemon.
const (
	keeperName = "astrid-keeper"
	keeperFD   = 3
)

// init: a keeper leads the process group of one child, and ends the group when the daemon is gone.
func init() {
	if len(os.Args) == 1 && os.Args[0] == keeperName {
		_, _ = io.Copy(io.Discard, os.NewFile(keeperFD, "daemon"))
		_ = syscall.Kill(0, syscall.SIGKILL)
		os.Exit(1)
	}
}

// Box is the sandbox of one session. It is safe for concurrent use.
type Box struct {
	o       Options
	scratch string
	gone    chan struct{}

	mu       sync.Mutex
	closed   bool
	children map[*Child]struct{}
}

var errClosed = errors.New("the sandbox is closed")

// Open readies a box.
func Open(_ context.Context, o Options) (*Box, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(seatbeltProgram); err != nil {
		return nil, &unavailable{seatbeltProgram + " is missing", "It is part of macOS: use a version that has it"}
	}
	dir, err := os.MkdirTemp("", "astrid-")
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	return &Box{o: o, scratch: dir, gone: make(chan struct{}), children: map[*Child]struct{}{}}, nil
}

// Dir is not used where children do not share the session's files.
func (b *Box) Dir() string { return b.o.Workspace }

// Gone is closed when the box is.
func (b *Box) Gone() <-chan struct{} { return b.gone }

// Refresh has nothing to do: children see the workspace itself.
func (b *Box) Refresh() error { return nil }

// Start starts a program. It runs until it ends, is killed, or the box is closed.
func (b *Box) Start(c Command) (*Child, error) {
	if err := checkCommand(&c); err != nil {
		return nil, err
	}
	for _, cover := range c.Covered {
		if err := checkPath("covered path", cover.Path); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	leader, endLeader, err := startKeeper()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := pipes()
	if err != nil {
		endLeader()
		return nil, err
	}
	cmd := exec.Command(seatbeltProgram, append([]string{"-p", b.o.seatbelt(&c, b.scratch), c.Path}, args(&c)...)...)
	cmd.Env = slices.DeleteFunc(b.o.childEnv(), func(kv string) bool {
		return strings.HasPrefix(kv, "HOME=") || strings.HasPrefix(kv, "TMPDIR=")
	})
	cmd.Env = append(cmd.Env, "HOME="+b.scratch, "TMPDIR="+b.scratch)
	if c.Bare {
		cmd = exec.Command(c.Path, args(&c)...)
		cmd.Env = b.o.bareEnv()
	}
	cmd.Dir = b.o.Workspace
	child := &Child{done: make(chan struct{})}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(c.Stdin), theirs[0], theirs[1]
	if c.Interactive {
		in, err := child.converse(c.Stdin)
		if err != nil {
			closeAll(append(ours, theirs...))
			endLeader()
			return nil, err
		}
		cmd.Stdin, theirs = in, append(theirs, in)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: leader}
	err = cmd.Start()
	closeAll(theirs)
	if err != nil {
		closeAll(ours)
		child.hangUp()
		endLeader()
		return nil, err
	}
	var once sync.Once
	killed := false
	end := func() { once.Do(endLeader) }
	child.kill = func() { b.mu.Lock(); killed = true; b.mu.Unlock(); end() }
	b.children[child] = struct{}{}
	child.drink(ours)
	go func() {
		err := cmd.Wait()
		end() // what it left behind ends with it
		child.copies.Wait()
		b.mu.Lock()
		delete(b.children, child)
		child.exit = exitOf(cmd, err, killed)
		b.mu.Unlock()
		child.hangUp()
		close(child.done)
	}()
	return child, nil
}

func args(c *Command) []string {
	if len(c.Argv) == 0 {
		return nil
	}
	return c.Argv[1:]
}

func exitOf(cmd *exec.Cmd, err error, killed bool) Exit {
	var exit *exec.ExitError
	switch {
	case killed:
		return Exit{Code: -1}
	case err != nil && !errors.As(err, &exit):
		return Exit{Code: -1, Err: err}
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return Exit{Code: 128 + int(ws.Signal())}
	}
	return Exit{Code: cmd.ProcessState.ExitCode()}
}

// startKeeper starts the leader of a process group. end ends the group.
func startKeeper() (pid int, end func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	cmd := &exec.Cmd{Path: self, Args: []string{keeperName}, Dir: "/", ExtraFiles: []*os.File{r}, SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	err = cmd.Start()
	r.Close()
	if err != nil {
		w.Close()
		return 0, nil, err
	}
	pid = cmd.Process.Pid
	return pid, func() {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		w.Close()
		_ = cmd.Wait()
	}, nil
}

// Close ends all children and deletes what they wrote.
func (b *Box) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	var children []*Child
	for c := range b.children {
		children = append(children, c)
	}
	b.mu.Unlock()
	for _, c := range children {
		c.Kill()
		<-c.Done()
	}
	close(b.gone)
	return os.RemoveAll(b.scratch)
}

// Probe tries the sandbox out.
func Probe(ctx context.Context) Report {
	r := Report{Kind: "seatbelt", Program: seatbeltProgram}
	out, err := exec.CommandContext(ctx, seatbeltProgram, "-p", "(version 1)(allow default)", "/usr/bin/true").CombinedOutput()
	if err != nil {
		r.Problem, r.Remedy = err.Error()+" "+string(out), "sandbox-exec must be able to run: look into the system's log"
		return r
	}
	r.Available = true
	return r
}
