package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another process holds the lock.
var ErrLocked = errors.New("another astrid-daemon is running")

// LockedError tells who holds a lock. It is an ErrLocked.
type LockedError struct {
	Path string
	PID  int // 0 if unknown
}

func (e *LockedError) Error() string {
	who := ""
	if e.PID > 0 {
		who = fmt.Sprintf(" as process %d", e.PID)
	}
	return fmt.Sprintf("%v%s (it holds %s): use it, or end it with `astrid stop`", ErrLocked, who, e.Path)
}

func (e *LockedError) Unwrap() error { return ErrLocked }

// lookWait is how long a process that only looks may be in the way; it takes microseconds, unless it was stopped.
const lookWait = 2 * time.Second

// Lock is a held lock file. The operating system lets go of it when the process ends, however it ends: a file that is
// there but not locked means nothing, so there are no stale locks.
type Lock struct{ f *os.File }

// AcquireLock takes the lock at path for this process and writes the process id into the file, or returns a *LockedError.
func AcquireLock(path string) (*Lock, error) {
	for deadline := time.Now().Add(lookWait); ; {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, explain("open", path, err)
		}
		err = flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			// Somebody holds it: a daemon, or a HolderOf that is just looking and is about to let go. Only the former
			// keeps us from looking too.
			err = flock(f, unix.LOCK_SH|unix.LOCK_NB)
			pid := readPID(f)
			f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) || err == nil && time.Now().After(deadline) {
				return nil, &LockedError{Path: path, PID: pid}
			}
			if err == nil {
				time.Sleep(time.Millisecond)
				continue
			}
		}
		if err != nil {
			f.Close()
			return nil, explain("lock", path, err)
		}
		if !sameFile(f, path) { // removed by hand between open and lock: our lock would guard nothing
			f.Close()
			continue
		}
		if err := writePID(f); err != nil {
			f.Close()
			return nil, explain("write", path, err)
		}
		return &Lock{f: f}, nil
	}
}

// Release lets go of the lock. The file stays: removing it would race with the next holder.
func (l *Lock) Release() error {
	err := l.f.Truncate(0)
	return errors.Join(err, l.f.Close())
}

// HolderOf tells whether a process holds the lock at path and which one; pid is 0 if it cannot tell.
func HolderOf(path string) (pid int, held bool, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, explain("open", path, err)
	}
	defer f.Close()
	switch err := flock(f, unix.LOCK_SH|unix.LOCK_NB); {
	case err == nil:
		return 0, false, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return readPID(f), true, nil
	default:
		return 0, false, explain("lock", path, err)
	}
}

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func sameFile(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Lstat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func readPID(f *os.File) int {
	buf := make([]byte, 32)
	n, _ := f.ReadAt(buf, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
