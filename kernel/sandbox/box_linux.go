package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// SharesFiles: children see the session's own files and change them.
const SharesFiles = true

// Box is the sandbox of one session: a keeper that holds the overlay mount, and the children in it. It is safe for
// concurrent use.
type Box struct {
	o     Options
	bwrap string
	link  link
	root  *os.File // the mounted directory, from outside of its namespace
	gone  chan struct{}
	kill  func()

	mu        sync.Mutex
	next      uint64
	closed    bool
	children  map[uint64]*Child
	starting  map[uint64]chan error
	refreshes map[uint64]chan error
}

// Open mounts the overlay and readies a box. An error that matches ErrUnavailable says what this system lacks.
func Open(ctx context.Context, o Options) (*Box, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	for _, h := range o.Hidden {
		if below(o.Workspace, h) {
			return nil, fmt.Errorf("the workspace %s lies in %s, which programs must not see", o.Workspace, h)
		}
	}
	if _, err := auditArch(); err != nil {
		return nil, &unavailable{err.Error(), "Use a machine with an amd64 or arm64 processor"}
	}
	bwrap, err := findBwrap()
	if err != nil {
		return nil, err
	}
	b := &Box{o: o, bwrap: bwrap, gone: make(chan struct{}), children: map[uint64]*Child{}, starting: map[uint64]chan error{},
		refreshes: map[uint64]chan error{}}
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// start runs the keeper and waits until it is ready.
func (b *Box) start(ctx context.Context) error {
	mine, theirs, err := newLinks()
	if err != nil {
		return err
	}
	b.link = mine
	started := make(chan error, 1)
	go b.keeper(theirs, started)
	if err := <-started; err != nil {
		mine.conn.Close()
		return cannotIsolate(err)
	}
	stop := context.AfterFunc(ctx, b.kill)
	err = b.link.send(message{Op: opOpen, Workspace: b.o.Workspace, Upper: b.o.Upper, Work: b.o.Work, Limits: b.o.Limits})
	var m message
	var files []*os.File
	if err == nil {
		m, files, err = b.link.receive()
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err == nil && m.Err != "" {
		err = errors.New(m.Err)
		if m.Denied {
			err = cannotIsolate(err)
		}
	}
	if err == nil && len(files) != 1 {
		err = errors.New("the keeper sent no directory")
	}
	if err != nil {
		closeAll(files)
		b.kill()
		<-b.gone
		mine.conn.Close()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("sandbox of %s: %w", b.o.Workspace, err)
	}
	b.root = files[0]
	go b.receive()
	return nil
}

// keeper runs the keeper process to its end. It has a thread to itself: when that ends, the kernel kills the keeper.
func (b *Box) keeper(theirs *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{keeperName}, Env: []string{"GOMAXPROCS=1"}, Dir: "/",
		ExtraFiles:  []*os.File{theirs}, // keeperFD
		SysProcAttr: keeperAttr(),
	}
	err := cmd.Start()
	theirs.Close()
	if err != nil {
		started <- err
		return
	}
	b.kill = func() { cmd.Process.Kill() }
	started <- nil
	_ = cmd.Wait() // how it ended does not matter: everything in it has
	close(b.gone)
}

// keeperAttr gives the keeper namespaces of its own. There it is root, of as many users as this process may map.
func keeperAttr() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true,
	}
	if os.Geteuid() == 0 {
		a.UidMappings, a.GidMappings = allIDs("/proc/self/uid_map"), allIDs("/proc/self/gid_map")
		return a
	}
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	return a
}

// allIDs maps every id that exists here to itself.
func allIDs(file string) []syscall.SysProcIDMap {
	f, err := os.Open(file)
	if err != nil {
		return []syscall.SysProcIDMap{{Size: 1}}
	}
	defer f.Close()
	var maps []syscall.SysProcIDMap
	for {
		var inside, outside, size int
		if _, err := fmt.Fscan(f, &inside, &outside, &size); err != nil {
			break
		}
		maps = append(maps, syscall.SysProcIDMap{ContainerID: inside, HostID: inside, Size: size})
	}
	return maps
}

// receive takes what the keeper says until it is gone, and then ends what was waiting for it.
func (b *Box) receive() {
	for {
		m, files, err := b.link.receive()
		closeAll(files)
		if err != nil {
			break
		}
		b.mu.Lock()
		switch m.Op {
		case opStarted:
			answer(b.starting, m)
		case opRefreshed:
			answer(b.refreshes, m)
		case opExited:
			if c := b.children[m.ID]; c != nil {
				delete(b.children, m.ID)
				go c.finish(m)
			}
		}
		b.mu.Unlock()
	}
	b.kill()
	<-b.gone
	b.mu.Lock()
	b.closed = true
	children, waiting := b.children, []map[uint64]chan error{b.starting, b.refreshes}
	b.children = map[uint64]*Child{}
	for _, list := range waiting {
		for id := range list {
			answer(list, message{ID: id, Err: errClosed.Error()})
		}
	}
	b.mu.Unlock()
	for _, c := range children {
		c.finish(message{Code: -1})
	}
	b.link.conn.Close()
}

var errClosed = errors.New("the sandbox is closed")

func answer(list map[uint64]chan error, m message) {
	if ch := list[m.ID]; ch != nil {
		delete(list, m.ID)
		if m.Err != "" {
			ch <- errors.New(m.Err)
		}
		close(ch)
	}
}

// expect registers a wait for the keeper's answer.
func (b *Box) expect(list map[uint64]chan error) (id uint64, ch chan error, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, nil, errClosed
	}
	b.next++
	ch = make(chan error, 1)
	list[b.next] = ch
	return b.next, ch, nil
}

// Dir is a directory that shows what the children see of the workspace. It is valid until Close.
func (b *Box) Dir() string { return fmt.Sprintf("/proc/self/fd/%d", b.root.Fd()) }

// Gone is closed when the keeper has ended, and with it all children.
func (b *Box) Gone() <-chan struct{} { return b.gone }

// Refresh makes changes show that were made to the workspace itself since it was last looked at. Start does so, too.
func (b *Box) Refresh() error {
	id, ch, err := b.expect(b.refreshes)
	if err != nil {
		return err
	}
	if err := b.link.send(message{Op: opRefresh, ID: id}); err != nil {
		return err
	}
	return <-ch
}

// Start starts a program. It runs until it ends, is killed, or the box is closed.
func (b *Box) Start(c Command) (_ *Child, err error) {
	if err := checkCommand(&c); err != nil {
		return nil, err
	}
	if err := b.Refresh(); err != nil {
		return nil, err
	}
	env := b.o.childEnv()
	if c.Bare {
		env = b.o.bareEnv()
	}
	raw, err := json.Marshal(record{Argv: b.o.bwrapArgs(b.bwrap, &c, os.Geteuid(), os.Getegid()), Env: env})
	if err != nil {
		return nil, err
	}
	var theirs []*os.File
	defer func() { closeAll(theirs) }()
	give := func(f *os.File, err error) error {
		if err == nil {
			theirs = append(theirs, f)
		}
		return err
	}
	child := &Child{done: make(chan struct{})}
	defer func() {
		if err != nil {
			child.hangUp()
		}
	}()
	if err := give(memFile("command", raw)); err != nil {
		return nil, err
	}
	switch {
	case c.Interactive:
		err = give(child.converse(c.Stdin))
	case c.Stdin == nil:
		err = give(os.Open(os.DevNull))
	default:
		err = give(memFile("stdin", c.Stdin))
	}
	if err != nil {
		return nil, err
	}
	ours, outs, err := pipes()
	if err != nil {
		return nil, err
	}
	theirs = append(theirs, outs...)
	if !c.Bare {
		prog, err := seccompProgram(c.Network)
		if err == nil {
			err = give(memFile("filter", prog))
		}
		if err != nil {
			closeAll(ours)
			return nil, err
		}
	}
	return b.spawn(child, ours, theirs)
}

func (b *Box) spawn(child *Child, ours, theirs []*os.File) (*Child, error) {
	id, ch, err := b.expect(b.starting)
	if err == nil {
		child.id = id
		child.kill = func() { b.end(id) }
		b.mu.Lock()
		b.children[id] = child
		b.mu.Unlock()
		child.drink(ours)
		if err = b.link.send(message{Op: opSpawn, ID: id}, theirs...); err == nil {
			err = <-ch
		}
	} else {
		closeAll(ours)
	}
	if err != nil {
		b.mu.Lock()
		delete(b.children, id)
		b.mu.Unlock()
		return nil, fmt.Errorf("start: %w", err)
	}
	return child, nil
}

// finish notes how a child ended, once all that it wrote is here.
func (c *Child) finish(m message) {
	c.copies.Wait()
	c.exit = Exit{Code: m.Code}
	if m.Err != "" {
		c.exit = Exit{Code: -1, Err: errors.New(m.Err)}
	} else if why, failed := setupFailure(m.Code, c.stderr.peek(4096)); failed {
		c.exit.Err = fmt.Errorf("the sandbox could not start the program: %s", why)
	}
	c.hangUp()
	close(c.done)
}

// end makes the keeper kill a child.
func (b *Box) end(id uint64) {
	if err := b.link.send(message{Op: opKill, ID: id}); err != nil {
		b.kill() // a keeper that does not listen cannot be trusted to keep
	}
}

// Close ends all children and unmounts the overlay. When it returns, nothing of the box is left.
func (b *Box) Close() error {
	b.kill()
	<-b.gone
	b.mu.Lock()
	first := !b.closed || b.root != nil
	root := b.root
	b.root = nil
	b.mu.Unlock()
	if !first || root == nil {
		return nil
	}
	return root.Close()
}

// kernelVersion is what uname says, for reports.
func kernelVersion() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}
