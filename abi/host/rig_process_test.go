package host

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// rigPrograms starts real programs, without a sandbox: that is the kernel's. They are told to be in /programs, so that
// transcripts do not depend on where a machine keeps them.
type rigPrograms struct {
	*rig
	mu       sync.Mutex
	moved    bool  // every name means another program from now on
	fail     error // of the next start
	commands []ProcessCommand
}

func (p *rigPrograms) Find(_ context.Context, _, _, name string) (Program, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path, err := exec.LookPath(name)
	if err != nil {
		return Program{}, &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
	}
	real := "/programs/" + name
	if p.moved {
		real = "/elsewhere/" + name
	}
	return Program{Path: path, Real: real}, nil
}

func (p *rigPrograms) Start(_ context.Context, c ProcessCommand) (Process, error) {
	p.note("effect spawn")
	p.mu.Lock()
	p.commands = append(p.commands, c)
	err := p.fail
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	q := &rigProcess{done: make(chan struct{})}
	q.cmd = &exec.Cmd{Path: c.Program.Path, Args: c.Argv, Stdin: bytes.NewReader(c.Stdin), Stdout: &q.out, Stderr: &q.errs,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	if c.Interactive {
		q.cmd.Stdin = nil
		in, err := q.cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		q.in = in
	}
	if err := q.cmd.Start(); err != nil {
		return nil, abi.Errorf(abi.CodeIO, "%v", err)
	}
	go func() {
		_ = q.cmd.Wait()
		close(q.done)
	}()
	if q.in != nil && len(c.Stdin) > 0 {
		return q, q.Write(c.Stdin)
	}
	return q, nil
}

type rigProcess struct {
	cmd       *exec.Cmd
	in        io.WriteCloser // nil: its input is over
	out, errs locked
	done      chan struct{}
}

func (q *rigProcess) Done() <-chan struct{}        { return q.done }
func (q *rigProcess) Exit() (int, error)           { return q.cmd.ProcessState.ExitCode(), nil }
func (q *rigProcess) Output() (Captured, Captured) { return q.out.take(), q.errs.take() }
func (q *rigProcess) Kill()                        { _ = syscall.Kill(-q.cmd.Process.Pid, syscall.SIGKILL) }

func (q *rigProcess) Write(b []byte) error {
	if q.in == nil {
		return os.ErrClosed
	}
	_, err := q.in.Write(b)
	return err
}

// Wrote looks again and again: nothing here is about speed.
func (q *rigProcess) Wrote() <-chan struct{} {
	wrote := make(chan struct{})
	go func() {
		for {
			q.out.mu.Lock()
			n := len(q.out.buf)
			q.out.mu.Unlock()
			select {
			case <-q.done:
				return
			case <-time.After(time.Millisecond):
			}
			if n > 0 {
				close(wrote)
				return
			}
		}
	}()
	return wrote
}

type locked struct {
	mu  sync.Mutex
	buf []byte
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, b...)
	return len(b), nil
}

func (l *locked) take() Captured {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buf
	l.buf = nil
	return Captured{Bytes: b}
}
