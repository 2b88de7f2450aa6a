package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// sockets are those of capsules, below run/capsules: 0600 in directories that only the user can enter.
type sockets struct {
	home home.Home

	mu   sync.Mutex
	open map[string]bool // by path
}

// Listen opens a capsule's socket. The daemon's lock is held, so one that is there and not ours is stale.
func (s *sockets) Listen(capsule, name string) (net.Listener, error) {
	link, path, err := s.home.CapsuleSocket(capsule, name, os.LookupEnv)
	if err != nil {
		return nil, abi.Errorf(abi.CodeIO, "socket %s: %v", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[path] {
		return nil, abi.Errorf(abi.CodeExists, "socket %s of %s is bound already", name, capsule)
	}
	if fi, err := os.Lstat(path); err == nil && fi.Mode().Type() != fs.ModeSocket {
		return nil, abi.Errorf(abi.CodeIO, "%s is there and no socket: remove it", path)
	}
	ln, err := listen(path)
	if err != nil {
		return nil, abi.Errorf(abi.CodeIO, "%v", err)
	}
	if s.open == nil {
		s.open = make(map[string]bool)
	}
	s.open[path] = true
	return &capsuleListener{UnixListener: ln, close: sync.OnceValue(func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, path)
		err := ln.Close() // which removes the socket
		if link != path {
			err = errors.Join(err, remove(link))
		}
		return err
	})}, nil
}

// capsuleListener admits the user who runs the daemon and nobody else.
type capsuleListener struct {
	*net.UnixListener
	close func() error
}

func (l *capsuleListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if err := sameUser(conn); err != nil {
			slog.Warn("A connection to a capsule's socket was turned away", "socket", l.Addr().String(), "error", err)
			_ = conn.Close() // it has not been spoken to
			continue
		}
		return conn, nil
	}
}

func (l *capsuleListener) Close() error { return l.close() }

// sameUser refuses a peer that is not the user who runs the daemon.
func sameUser(conn *net.UnixConn) error {
	uid, err := peerUID(conn)
	if err != nil {
		return fmt.Errorf("peer credentials: %w", err)
	}
	if uid != os.Geteuid() {
		return fmt.Errorf("peer is user %d, this daemon serves user %d", uid, os.Geteuid())
	}
	return nil
}
