package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keeperName is the argv[0] that turns this program into a keeper.
const keeperName = "astrid-keeper"

// keeperFD is the keeper's end of the link.
const keeperFD = 3

// init makes every program that links this package able to be a keeper: the daemon, and each test that boots one. A program
// that was started under the keeper's name but forgot to look for it would run as itself, once for each box.
func init() {
	if len(os.Args) == 1 && os.Args[0] == keeperName {
		os.Exit(keep())
	}
}

// keeper holds the overlay mount of one box and starts its children. It is process 1 of a process namespace of its own, so
// that its end is the end of all of them; it has the capabilities of its own user namespace and nothing else of worth.
type keeper struct {
	link link
	dir  string // where the overlay is mounted

	mu       sync.Mutex
	children map[uint64]*keptChild
}

type keptChild struct {
	cmd   *exec.Cmd
	inner int  // pidfd of process 1 of the child's namespace; -1 while it is not known
	kill  bool // it is to end
}

func keep() int {
	// Death signals come when the thread that started a process ends, so all are started by one that does not.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return 1
	}
	// What the daemon was started with is not for children.
	if err := unix.CloseRange(keeperFD+1, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return 1
	}
	unix.CloseOnExec(keeperFD)
	l, err := newLink(os.NewFile(keeperFD, "daemon"))
	if err != nil {
		return 1
	}
	m, _, err := l.receive()
	if err != nil || m.Op != opOpen {
		return 1 // the daemon is gone
	}
	k := &keeper{link: l, dir: m.Workspace, children: map[uint64]*keptChild{}}
	root, err := k.setup(m)
	if err != nil {
		l.send(message{Op: opReady, Err: err.Error(), Denied: isDenied(err)})
		return 1
	}
	err = l.send(message{Op: opReady}, root)
	root.Close()
	for err == nil {
		var files []*os.File
		if m, files, err = l.receive(); err == nil {
			k.handle(m, files)
		}
	}
	return 0 // the daemon is gone, or done; the kernel ends the children
}

func isDenied(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
}

// setup makes the view: everything as it is, private to this namespace, the overlay over the workspace, and a /proc that shows
// this namespace's processes only. It returns the mounted directory.
func (k *keeper) setup(m message) (*os.File, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("make mounts private: %w", err)
	}
	// By descriptor, because commas and colons in a path are part of the language of mount options.
	var fds []int
	for _, dir := range []string{m.Workspace, m.Upper, m.Work} {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", dir, err)
		}
		defer unix.Close(fd)
		fds = append(fds, fd)
	}
	opts := fmt.Sprintf("lowerdir=/proc/self/fd/%d,upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d,userxattr", fds[0], fds[1], fds[2])
	if err := unix.Mount("overlay", k.dir, "overlay", unix.MS_NODEV|unix.MS_NOSUID, opts); err != nil {
		return nil, fmt.Errorf("mount the overlay on %s: %w", k.dir, err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NODEV|unix.MS_NOSUID|unix.MS_NOEXEC, ""); err != nil {
		return nil, fmt.Errorf("mount /proc: %w", err)
	}
	if err := stageEtc(m.Upper); err != nil {
		return nil, err
	}
	if err := m.Limits.set(); err != nil {
		return nil, err
	}
	return os.Open(k.dir)
}

// set bounds this process and all that it starts.
func (l Limits) set() error {
	for _, r := range []struct {
		what int
		max  uint64
	}{
		{unix.RLIMIT_CORE, 0}, {unix.RLIMIT_DATA, l.Memory}, {unix.RLIMIT_FSIZE, l.FileSize},
		{unix.RLIMIT_CPU, uint64(l.CPU / time.Second)}, {unix.RLIMIT_NPROC, l.Processes}, {unix.RLIMIT_NOFILE, l.OpenFiles},
	} {
		var now unix.Rlimit
		if err := unix.Getrlimit(r.what, &now); err != nil {
			return fmt.Errorf("getrlimit: %w", err)
		}
		max := min(r.max, now.Max) // another one's limit may be lower
		if err := unix.Setrlimit(r.what, &unix.Rlimit{Cur: max, Max: max}); err != nil {
			return fmt.Errorf("setrlimit %d: %w", r.what, err)
		}
	}
	// Root is exempt from RLIMIT_NPROC. Since Linux 6.14 each process namespace has a pid_max of its own; before, this
	// would be the one of the machine.
	if kernelAtLeast(6, 14) {
		if err := os.WriteFile("/proc/sys/kernel/pid_max", fmt.Appendf(nil, "%d", l.Processes+reservedPids), 0); err != nil {
			return fmt.Errorf("limit the number of processes: %w", err)
		}
	}
	return nil
}

// reservedPids are not given out again once the numbers have gone round (RESERVED_PIDS in the kernel's kernel/pid.c).
const reservedPids = 300

func kernelAtLeast(major, minor int) bool {
	var a, b int
	if n, _ := fmt.Sscanf(kernelVersion(), "%d.%d", &a, &b); n != 2 {
		return false
	}
	return a > major || a == major && b >= minor
}

func (k *keeper) handle(m message, files []*os.File) {
	defer closeAll(files)
	switch m.Op {
	case opSpawn:
		answer := message{Op: opStarted, ID: m.ID}
		if err := k.spawn(m.ID, files); err != nil {
			answer.Err = err.Error()
		}
		k.link.send(answer)
	case opKill:
		k.mu.Lock()
		if c := k.children[m.ID]; c != nil {
			c.kill = true
			c.end()
		}
		k.mu.Unlock()
	case opRefresh:
		answer := message{Op: opRefreshed, ID: m.ID}
		// A remount forgets the names that the overlay has looked up, so that what has changed below it shows.
		if err := unix.Mount("overlay", k.dir, "overlay", unix.MS_REMOUNT|unix.MS_NODEV|unix.MS_NOSUID, ""); err != nil {
			answer.Err = fmt.Sprintf("refresh the overlay on %s: %v", k.dir, err)
		}
		k.link.send(answer)
	}
}

// end kills a child, when it is known how. Process 1 of its namespace takes all others with it.
func (c *keptChild) end() {
	if c.inner >= 0 {
		unix.PidfdSendSignal(c.inner, unix.SIGKILL, nil, 0)
	}
}

func (k *keeper) spawn(id uint64, files []*os.File) error {
	if len(files) != 4 && len(files) != 5 {
		return fmt.Errorf("spawn with %d files", len(files))
	}
	var r record
	if err := json.NewDecoder(files[0]).Decode(&r); err != nil {
		return err
	}
	status, statusEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	defer statusEnd.Close()
	c := &keptChild{inner: -1, cmd: &exec.Cmd{
		Path: r.Argv[0], Args: r.Argv, Env: r.Env, Dir: "/", Stdin: files[1], Stdout: files[2], Stderr: files[3],
		ExtraFiles:  append([]*os.File{statusEnd}, files[4:]...), // statusFD, seccompFD
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true},
	}}
	if err := c.cmd.Start(); err != nil {
		status.Close()
		return err
	}
	k.mu.Lock()
	k.children[id] = c
	k.mu.Unlock()
	go k.watch(id, c, status)
	return nil
}

// watch follows a child to its end.
func (k *keeper) watch(id uint64, c *keptChild, status *os.File) {
	// The first line comes as soon as the process exists, long before the program runs. It is cut off when bubblewrap fails.
	lines := bufio.NewReader(io.LimitReader(status, 64<<10))
	line, _ := lines.ReadString('\n')
	var child struct {
		PID int `json:"child-pid"`
	}
	if json.Unmarshal([]byte(strings.TrimSpace(line)), &child) == nil && child.PID > 1 {
		fd, err := unix.PidfdOpen(child.PID, 0)
		k.mu.Lock()
		if err == nil {
			c.inner = fd
		}
		if c.kill {
			c.end()
		}
		k.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, lines)
	status.Close()
	err := c.cmd.Wait()
	// Bubblewrap leaves as soon as it knows the status. What the program left behind is process 1's then, which is ours.
	k.mu.Lock()
	killed := c.kill
	c.end()
	delete(k.children, id)
	k.mu.Unlock()
	if c.inner >= 0 {
		for unix.Waitid(unix.P_PIDFD, c.inner, nil, unix.WEXITED, nil) == unix.EINTR {
		}
		unix.Close(c.inner)
	}
	answer := message{Op: opExited, ID: id, Code: c.cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	switch {
	case killed:
		answer.Code = -1
	case err != nil && !errors.As(err, &exit):
		answer.Err = err.Error()
	}
	k.link.send(answer)
}
