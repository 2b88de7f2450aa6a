package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/wire"
)

// MaxClients is how many clients may be connected at one time.
const MaxClients = 256

// server accepts clients on the daemon's socket. Each has its own goroutines, so that a
// slow or hostile one disturbs nobody else.
type server struct {
	k     *Kernel
	ln    *net.UnixListener
	token home.Token

	mu      sync.Mutex
	clients map[*client]struct{}
	pending map[*net.UnixConn]struct{} // connections in the handshake
	retired bool                       // nobody is admitted any more
	wg      sync.WaitGroup
	left    chan struct{} // signalled when a client leaves
}

// listen binds the socket. The daemon's lock is held, so whatever is at the path is stale.
func listen(path string) (*net.UnixListener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("stale socket: %w", err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	// The directory is closed to others already; this is the second fence.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

func newServer(k *Kernel, ln *net.UnixListener, token home.Token) *server {
	return &server{k: k, ln: ln, token: token, clients: make(map[*client]struct{}), pending: make(map[*net.UnixConn]struct{}), left: make(chan struct{}, 1)}
}

// serve accepts clients until the listener is closed.
func (s *server) serve(ctx context.Context) {
	for {
		conn, err := s.ln.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, most likely: let some be freed
			slog.Error("Accepting a client failed", "error", err)
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-ctx.Done():
				return
			}
		}
		if !s.admit(conn) {
			_ = conn.Close() // it has not been spoken to
			continue
		}
		s.wg.Go(func() { s.handle(conn) })
	}
}

func (s *server) admit(conn *net.UnixConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired {
		return false
	}
	if len(s.clients)+len(s.pending) >= MaxClients {
		slog.Warn("Too many clients", "limit", MaxClients)
		return false
	}
	s.pending[conn] = struct{}{}
	return true
}

// retire stops admitting clients if there is none, and tells whether it did. A client that
// comes later is turned away before it has said anything, and knows to start a new daemon.
func (s *server) retire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = s.retired || len(s.clients)+len(s.pending) == 0
	return s.retired
}

func (s *server) handle(conn *net.UnixConn) {
	defer conn.Close()
	c, err := s.greet(conn)
	s.mu.Lock()
	delete(s.pending, conn)
	if err == nil {
		s.clients[c] = struct{}{}
		if s.retired { // close did not see it
			c.finish()
		}
	}
	s.mu.Unlock()
	if err != nil {
		slog.Info("A client was turned away", "error", err)
	} else {
		c.run()
		s.mu.Lock()
		delete(s.clients, c)
		s.mu.Unlock()
	}
	select {
	case s.left <- struct{}{}:
	default: // a signal is waiting already
	}
}

func (s *server) greet(conn *net.UnixConn) (*client, error) {
	if err := sameUser(conn); err != nil {
		return nil, err
	}
	if _, err := wire.Accept(conn, s.k.opts.Version, func(sent string) bool {
		t, err := home.ParseToken(sent)
		return err == nil && t.Equal(s.token)
	}); err != nil {
		return nil, err
	}
	return newClient(s.k, conn), nil
}

// count returns how many clients are connected.
func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients)
}

// closeGrace is how long clients may take to get their last answers.
const closeGrace = time.Second

// close stops accepting, ends all clients and waits for them.
func (s *server) close() error {
	err := s.ln.Close()
	s.mu.Lock()
	s.retired = true
	for conn := range s.pending {
		_ = conn.Close() // it has not said who it is
	}
	for c := range s.clients {
		c.finish()
	}
	s.mu.Unlock()
	// One that waits for something (a full mailbox, the end of boot) is not waited for.
	late := time.AfterFunc(closeGrace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.clients {
			c.end("daemon is shutting down")
		}
	})
	defer late.Stop()
	s.wg.Wait()
	return err
}
