package host

import (
	"bytes"
	"context"
	"io/fs"
	"os/exec"
	"sync"
	"syscall"

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
	if err := q.cmd.Start(); err != nil {
		return nil, abi.Errorf(abi.CodeIO, "%v", err)
	}
	go func() {
		_ = q.cmd.Wait()
		close(q.done)
	}()
	return q, nil
}

type rigProcess struct {
	cmd       *exec.Cmd
	out, errs locked
	done      chan struct{}
}

func (q *rigProcess) Done() <-chan struct{}        { return q.done }
func (q *rigProcess) Exit() (int, error)           { return q.cmd.ProcessState.ExitCode(), nil }
func (q *rigProcess) Output() (Captured, Captured) { return q.out.take(), q.errs.take() }
func (q *rigProcess) Kill()                        { _ = syscall.Kill(-q.cmd.Process.Pid, syscall.SIGKILL) }

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
