package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/kernel/sandbox"
)

const (
	// maxPrograms bounds what runs for one principal at a time, over all sessions and capsules.
	maxPrograms = 64
	// roomLinger is how long a session's mount stays after its last program, so that the next one starts quickly.
	roomLinger = 10 * time.Second
)

// processes runs programs for capsules, each session's in a room of its own. It implements host.Processes.
type processes struct {
	files  *files
	hidden []string
	bare   func(key sessionKey, workspace string) bool                      // whether programs run outside of the sandbox there
	config func(workspace string) (*config.Config, error)                   // what holds there, now
	policy func(key sessionKey, workspace string) (*approval.Policy, error) // the same

	mu       sync.Mutex
	rooms    map[sessionKey]*room
	programs map[string]int // running, by principal
	closed   bool
}

func (k *Kernel) newProcesses() *processes {
	return &processes{
		files: k.files, rooms: make(map[sessionKey]*room), programs: make(map[string]int),
		hidden: realPaths(k.opts.Home.Root()),
		bare: func(key sessionKey, workspace string) bool {
			return k.policyOf(key, workspace).Mode() == approval.Yolo
		},
		config: k.policies.load,
		policy: func(key sessionKey, workspace string) (*approval.Policy, error) {
			err := k.refreshWorkspace(workspace, false) // the user may have protected something just now
			return k.policyOf(key, workspace), err
		},
	}
}

// options describes the room of a session over its workspace, and tells whether its programs may use the network. A
// configuration that cannot be read is an error: what it would forbid is not known.
func (p *processes) options(workspace string) (sandbox.Options, bool, error) {
	cfg, err := p.config(workspace)
	if err != nil {
		return sandbox.Options{}, false, fmt.Errorf("configuration: %w", err)
	}
	c := &cfg.Sandbox
	o := sandbox.Options{
		Workspace: workspace, Hidden: p.hidden,
		Limits: sandbox.Limits{Memory: c.MemoryBytes, Processes: c.Processes, CPU: c.CPU},
	}
	for _, it := range c.Read {
		o.Readable = append(o.Readable, realPaths(it.Value)...)
	}
	return o, c.Network, nil
}

// Find implements host.Processes. A path in the workspace is a file of the session; what else has a slash must be absolute.
func (p *processes) Find(ctx context.Context, principal, session, name string) (host.Program, error) {
	tree, release, err := p.files.Workspace(ctx, principal, session)
	if err != nil {
		return host.Program{}, err
	}
	defer release()
	root := tree.Root()
	rel, inside := name, strings.Contains(name, "/") && !filepath.IsAbs(name)
	if filepath.IsAbs(name) {
		var err error
		rel, err = filepath.Rel(root, filepath.Clean(name))
		inside = err == nil && filepath.IsLocal(rel)
	}
	if inside {
		return findIn(tree, root, rel)
	}
	o, _, err := p.options(root)
	if err != nil {
		return host.Program{}, err
	}
	path, real, err := o.Find(name, p.bare(sessionKey{principal, session}, root))
	return host.Program{Path: path, Real: real}, err
}

// findIn finds a program in the session's files. A link that leads out of them is followed by the program loader as by anybody
// in the sandbox, so it must lead to what programs may be elsewhere.
func findIn(tree interface {
	Resolve(string) (string, error)
	Stat(string) (fs.FileInfo, error)
}, root, rel string) (host.Program, error) {
	real, err := tree.Resolve(rel)
	if err != nil {
		return host.Program{}, err
	}
	fi, err := tree.Stat(rel)
	switch {
	case err != nil:
		return host.Program{}, err
	case !fi.Mode().IsRegular() || fi.Mode()&0o111 == 0:
		return host.Program{}, abi.Errorf(abi.CodeInvalid, "%s is not a program: it is not an executable file", real)
	}
	return host.Program{Path: filepath.Join(root, rel), Real: real}, nil
}

// Start implements host.Processes.
func (p *processes) Start(ctx context.Context, c host.ProcessCommand) (host.Process, error) {
	if c.Session == "" {
		c.Session = defaultSession
	}
	r, err := p.enter(sessionKey{c.Principal, c.Session})
	if err != nil {
		return nil, err
	}
	prog, err := r.start(ctx, c)
	if err != nil {
		p.leave(r)
		return nil, err
	}
	go func() {
		<-prog.Done()
		r.forget(prog)
		p.leave(r)
	}()
	return prog, nil
}

// enter finds or makes the room of a session and counts a program for it.
func (p *processes) enter(key sessionKey) (*room, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, abi.Errorf(abi.CodeCanceled, "the daemon is shutting down")
	}
	if n := p.programs[key.principal]; n >= maxPrograms {
		return nil, abi.Errorf(abi.CodeLimit, "%d programs are running, which is the limit: end some", n)
	}
	p.programs[key.principal]++
	return p.holdLocked(key), nil
}

func (p *processes) holdLocked(key sessionKey) *room {
	r := p.rooms[key]
	if r == nil {
		r = &room{p: p, key: key, programs: make(map[*program]struct{})}
		p.rooms[key] = r
	}
	r.users++
	return r
}

// leave counts a program less. Its room is given up a while after the last one.
func (p *processes) leave(r *room) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.programs[r.key.principal]--; p.programs[r.key.principal] == 0 {
		delete(p.programs, r.key.principal)
	}
	if r.users--; r.users == 0 && !p.closed {
		time.AfterFunc(roomLinger, func() { p.expire(r) })
	}
}

// expire gives up a room that nobody has used for a while.
func (p *processes) expire(r *room) {
	p.mu.Lock()
	busy := r.users > 0 || p.rooms[r.key] != r
	if !busy {
		r.users++
	}
	p.mu.Unlock()
	if busy {
		return
	}
	r.vacate()
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.users--; r.users == 0 {
		delete(p.rooms, r.key)
	}
}

// vacate unmounts a session's files for somebody who is going to change their layers. It fails when programs run in them; those
// in the foreground have until ctx ends.
func (p *processes) vacate(ctx context.Context, key sessionKey) error {
	for {
		p.mu.Lock()
		r := p.rooms[key]
		if r == nil {
			p.mu.Unlock()
			return nil
		}
		r.users++
		p.mu.Unlock()
		running := r.vacate()
		p.mu.Lock()
		r.users--
		if r.users == 0 && len(running) == 0 {
			delete(p.rooms, key)
		}
		p.mu.Unlock()
		if len(running) == 0 {
			return nil
		}
		i := slices.IndexFunc(running, func(q *program) bool { return q.background })
		if i >= 0 {
			return busyError(running[i])
		}
		select {
		case <-running[0].Done():
		case <-ctx.Done():
			return busyError(running[0])
		}
	}
}

func busyError(q *program) error {
	return fmt.Errorf("a program of the session is still running: %s (capsule %s, since %s): let it end, or end it, and try again",
		approval.Display(strings.Join(q.argv, " ")), q.capsule, q.started.Format(time.TimeOnly))
}

// end ends all programs of a session.
func (p *processes) end(key sessionKey, why error) {
	p.mu.Lock()
	r := p.rooms[key]
	p.mu.Unlock()
	if r != nil {
		r.endAll(why)
	}
}

// Close ends everything and unmounts all sessions' files.
func (p *processes) Close() error {
	p.mu.Lock()
	p.closed = true
	rooms := make([]*room, 0, len(p.rooms))
	for _, r := range p.rooms {
		rooms = append(rooms, r)
	}
	p.mu.Unlock()
	var errs []error
	for _, r := range rooms {
		errs = append(errs, r.close())
	}
	return errors.Join(errs...)
}

// unsupported gives a missing sandbox the code that says so.
func unsupported(err error) error {
	if errors.Is(err, sandbox.ErrUnavailable) || errors.Is(err, exec.ErrNotFound) {
		return abi.Errorf(abi.CodeUnsupported, "%v", err)
	}
	return err
}
