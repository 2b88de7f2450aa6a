package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// Processes runs programs in the files of a session.
type Processes interface {
	// Find says which program a name means for a session. An error that matches fs.ErrNotExist says that there is none.
	Find(ctx context.Context, principal, session, name string) (Program, error)
	// Start starts a program in the session's sandbox. An error that matches abi.ErrUnsupported says that the system has
	// none, and what to do about it.
	Start(ctx context.Context, c ProcessCommand) (Process, error)
}

// Program is a program that was found.
type Program struct {
	Path string // absolute, as it is started
	Real string // the file behind all links: what is decided about
}

// ProcessCommand is what is to be started, as it was decided.
type ProcessCommand struct {
	Principal, Session, Capsule string
	Program                     Program
	Argv                        []string
	Stdin                       []byte
	Background                  bool
	Interactive                 bool // its input stays open
}

// Process is a started program with everything that it starts.
type Process interface {
	Done() <-chan struct{}             // closed when all of it has ended
	Exit() (code int, err error)       // after Done
	Output() (stdout, stderr Captured) // since the last call
	Kill()
	// Write adds to the input of an interactive program. An error that matches os.ErrClosed says that it reads no more, one
	// that matches os.ErrDeadlineExceeded that it does not read.
	Write(p []byte) error
	// Wrote is closed when the program writes something that Output has not handed out.
	Wrote() <-chan struct{}
}

// Captured is the end of what a program wrote to a stream.
type Captured struct {
	Bytes   []byte
	Dropped int64 // bytes before it that were not kept
}

func (c Captured) text() string { return strings.ToValidUTF8(string(c.Bytes), "\uFFFD") }

// kindProcess names the calls about programs that the capsule has started.
const kindProcess approval.Kind = "process"

// command is a decoded request to start a program.
type command struct {
	abi.ProcessRequest
	argv    []string
	program Program
}

func (h *Host) decodeProcess(ctx context.Context, f *frame, raw []byte, background bool) (*command, error) {
	c := &command{}
	if err := decode(raw, &c.ProcessRequest, "process"); err != nil {
		return nil, err
	}
	if c.Interactive && !background {
		return nil, abi.Errorf(abi.CodeInvalid, "invalid process request: only a program in the background can be interactive")
	}
	c.argv = append([]string{c.Cmd}, c.Args...)
	for _, s := range append(c.argv, c.Stdin) {
		if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
			return nil, abi.Errorf(abi.CodeInvalid, "invalid process request: %q is not UTF-8 without NUL", s)
		}
	}
	if strings.TrimSpace(c.Cmd) == "" {
		return nil, abi.Errorf(abi.CodeInvalid, "invalid process request: cmd is empty")
	}
	if _, err := f.inst.capsule.Bounds.process(c.argv)(); err != nil {
		c.program = Program{Path: c.Cmd, Real: c.Cmd} // the gate refuses it; what exists is none of the capsule's business
		return c, nil
	}
	var err error
	if c.program, err = h.svc.Processes.Find(ctx, f.call.Principal, f.call.Session, c.Cmd); err != nil {
		return nil, err
	}
	return c, nil
}

// process checks a program against host_process: an entry is its name as the capsule calls it, and may go on with the
// arguments that must come first.
func (b *Bounds) process(argv []string) permit {
	return func() (string, error) {
		for _, e := range b.g.HostProcess {
			words := strings.Fields(e)
			if len(words) == 0 || len(words) > len(argv) {
				continue
			}
			match := true
			for i, w := range words {
				match = match && argv[i] == w
			}
			if match {
				return "host_process " + e, nil
			}
		}
		return "", b.deny("running '%s'", argv[0])
	}
}

// talk stands for the input that an interactive program will get. Whoever is asked sees it, and nothing that was granted to the
// program without it covers it.
const talk = "[and whatever the capsule says to it later]"

func (c *command) action() approval.Action {
	n := int64(len(c.Stdin))
	for _, a := range c.Args {
		n += int64(len(a))
	}
	stdin := c.Stdin
	if c.Interactive {
		stdin += talk
	}
	return approval.Action{Kind: approval.Exec, Path: c.program.Real, Argv: c.argv, Stdin: stdin, Size: n}
}

// start starts what was decided, if the name still means that program.
func (h *Host) start(ctx context.Context, f *frame, c *command, background bool) (Process, error) {
	now, err := h.svc.Processes.Find(ctx, f.call.Principal, f.call.Session, c.Cmd)
	if err != nil {
		return nil, &undone{err}
	}
	if now != c.program {
		return nil, &undone{abi.Errorf(abi.CodeDenied, "%s became another program while it was being decided: nothing was started", c.Cmd)}
	}
	cmd := ProcessCommand{
		Principal: f.call.Principal, Session: f.call.Session, Capsule: f.inst.capsule.ID,
		Program: c.program, Argv: c.argv, Background: background, Interactive: c.Interactive,
	}
	if c.Stdin != "" {
		cmd.Stdin = []byte(c.Stdin)
	}
	p, err := h.svc.Processes.Start(ctx, cmd)
	if err != nil {
		return nil, &undone{err}
	}
	return p, nil
}

func (h *Host) planSpawn(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	c, err := h.decodeProcess(ctx, f, args[0], false)
	if err != nil {
		return plan{}, err
	}
	return plan{
		action: c.action(), bounds: f.inst.capsule.Bounds.process(c.argv),
		do: func(ctx context.Context, _ approval.Grant) ([]byte, error) {
			p, err := h.start(ctx, f, c, false)
			if err != nil {
				return nil, err
			}
			return h.await(ctx, f, c, p)
		},
	}, nil
}

// await waits for a program in the foreground. It ends with its call.
func (h *Host) await(ctx context.Context, f *frame, c *command, p Process) ([]byte, error) {
	cancelled, forget := h.running.add(f)
	defer forget()
	var timeout <-chan time.Time
	if c.TimeoutMS > 0 {
		t := time.NewTimer(time.Duration(min(c.TimeoutMS, uint64(abi.LifecycleDeadline/time.Millisecond))) * time.Millisecond)
		defer t.Stop()
		timeout = t.C
	}
	var r abi.ProcessResult
	end := func() { p.Kill(); <-p.Done() }
	select {
	case <-p.Done():
	case <-timeout:
		end()
		r.TimedOut = true
	case <-cancelled:
		end()
		return encode(abi.ProcessResult{Stderr: "process cancelled", ExitCode: -1})
	case <-ctx.Done():
		end()
		return nil, fmt.Errorf("%s was ended: %w", c.Cmd, context.Cause(ctx))
	}
	code, err := p.Exit()
	if err != nil {
		return nil, err
	}
	out, errs := p.Output()
	r.Stdout, r.StdoutDropped, r.Stderr, r.StderrDropped = out.text(), out.Dropped, errs.text(), errs.Dropped
	r.ExitCode = int32(code)
	return encode(r)
}

func (h *Host) planSpawnBackground(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	c, err := h.decodeProcess(ctx, f, args[0], true)
	if err != nil {
		return plan{}, err
	}
	return plan{
		action: c.action(), bounds: f.inst.capsule.Bounds.process(c.argv), holds: true,
		do: func(ctx context.Context, g approval.Grant) ([]byte, error) {
			id, err := f.inst.capsule.processes.reserve(f)
			if err != nil {
				return nil, &undone{err}
			}
			p, err := h.start(ctx, f, c, true)
			settled := make(chan struct{})
			if !f.inst.capsule.processes.put(id, p, settled) && err == nil {
				p.Kill()
				err = abi.Errorf(abi.CodeCanceled, "capsule is being unloaded")
			}
			if err != nil {
				return nil, err
			}
			go func() {
				settleAtEnd(p, g)
				close(settled)
			}()
			return encode(abi.ProcessHandle{ID: id})
		},
	}, nil
}

// settleAtEnd records how a background program ended.
func settleAtEnd(p Process, g approval.Grant) {
	<-p.Done()
	_, err := p.Exit()
	settle(g, approval.Outcome{Err: err}, abi.SpawnBackgroundHost)
}

func decodeHandle(raw []byte, what string) (uint64, error) {
	var req abi.ProcessHandle
	if err := json.Unmarshal(raw, &req); err != nil {
		return 0, abi.Errorf(abi.CodeInvalid, "failed to parse %s request: %v", what, err)
	}
	return req.ID, nil
}

func (h *Host) processLogs(ctx context.Context, f *frame, args [][]byte) ([]byte, error) {
	var req abi.ProcessRead
	if err := decode(args[0], &req, "read logs"); err != nil {
		return nil, err
	}
	e, err := f.inst.capsule.processes.get(f, req.ID, false)
	if err != nil {
		return nil, err
	}
	p := e.p
	if req.Stdin != "" {
		if err := tell(p, req.Stdin); err != nil {
			return nil, err
		}
	}
	if err := awaitOutput(ctx, p, time.Duration(min(req.WaitMS, uint64(abi.MaxRecv/time.Millisecond)))*time.Millisecond); err != nil {
		return nil, err
	}
	r := abi.ProcessLogs{Running: true}
	if code := ended(p); code != nil { // asked first: what it wrote before its end is not missed
		r.Running, r.ExitCode = false, code
	}
	out, errs := p.Output()
	r.Stdout, r.StdoutDropped, r.Stderr, r.StderrDropped = out.text(), out.Dropped, errs.text(), errs.Dropped
	return encode(r)
}

// tell adds to the input of a program.
func tell(p Process, text string) error {
	switch err := p.Write([]byte(text)); {
	case errors.Is(err, os.ErrClosed), errors.Is(err, syscall.EPIPE):
		return abi.Errorf(abi.CodeClosed, "the program reads no input, or no more: it must be started as interactive, and run")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return abi.Errorf(abi.CodeTimeout, "the program does not read its input")
	default:
		return err
	}
}

// awaitOutput waits until a program has written something or has ended, or for so long.
func awaitOutput(ctx context.Context, p Process, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-p.Wrote():
	case <-p.Done():
	case <-t.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

func (h *Host) processKill(_ context.Context, f *frame, args [][]byte) ([]byte, error) {
	id, err := decodeHandle(args[0], "kill")
	if err != nil {
		return nil, err
	}
	e, err := f.inst.capsule.processes.get(f, id, true)
	if err != nil {
		return nil, err
	}
	p := e.p
	r := abi.ProcessKilled{Killed: true, ExitCode: ended(p)}
	p.Kill()
	<-e.settled
	out, errs := p.Output()
	r.Stdout, r.StdoutDropped, r.Stderr, r.StderrDropped = out.text(), out.Dropped, errs.text(), errs.Dropped
	return encode(r)
}

// ended returns the exit status of a program that has ended by itself.
func ended(p Process) *int32 {
	select {
	case <-p.Done():
		code, _ := p.Exit()
		c := int32(code)
		return &c
	default:
		return nil
	}
}
