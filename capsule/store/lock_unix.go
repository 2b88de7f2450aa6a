//go:build unix

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// nonblock keeps opening a planted pipe from hanging.
const nonblock = unix.O_NONBLOCK

// errLocked says that another change to the store is in progress.
var errLocked = errors.New("the store is locked")

// lock excludes other changes to the store, in this process and in others, until the returned function is
// called. The kernel releases it when the process dies.
func (s *Store) lock(ctx context.Context) (unlock func(), err error) {
	for {
		unlock, err := s.tryLock()
		if !errors.Is(err, errLocked) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("another installation is in progress in %s: %w", s.Dir, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tryLock is lock without waiting: it returns errLocked instead.
func (s *Store) tryLock() (unlock func(), err error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(s.Dir, ".lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err == nil {
		return func() { f.Close() }, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
}
