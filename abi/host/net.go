package host

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// pollAccept is how long astrid_net_poll_accept waits for a connection.
const pollAccept = 10 * time.Millisecond

// netListener is a socket of the capsule's own. Accepted connections wait in pending; which of them the guest gets, the gate decides.
type netListener struct {
	ln        net.Listener
	name      string
	principal string // for whom it was bound: calls for others do not find it
	pending   chan net.Conn
	done      chan struct{}
	close     func()

	mu   sync.Mutex
	next net.Conn // taken from pending, about to be decided
}

// take forgets the connection that was about to be decided and returns it; nil when the listener was closed.
func (s *netListener) take() net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.next
	s.next = nil
	return c
}

// wait makes sure that there is a connection to decide about.
func (s *netListener) wait(ctx context.Context, late <-chan time.Time) error {
	s.mu.Lock()
	have := s.next != nil
	s.mu.Unlock()
	if have {
		return nil
	}
	select {
	case c := <-s.pending:
		s.mu.Lock()
		s.next = c
		s.mu.Unlock()
		return nil
	case <-late:
		return errNobodyCame
	case <-s.done:
		return abi.Errorf(abi.CodeClosed, "socket %s is closed", s.name)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errNobodyCame ends a wait that has a limit.
var errNobodyCame = errors.New("nobody has connected")

// serve accepts: one connection waits here, more in the operating system's backlog.
func (s *netListener) serve() {
	defer close(s.done)
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return // it is closed
		}
		s.pending <- c
	}
}

// end closes the listener and whoever waits for it.
func (s *netListener) end() {
	_ = s.ln.Close() // nothing can be done about it
	for {
		select {
		case c := <-s.pending:
			_ = c.Close()
		case <-s.done:
			if c := s.take(); c != nil {
				_ = c.Close()
			}
			select {
			case c := <-s.pending:
				_ = c.Close()
			default:
			}
			return
		}
	}
}

// SocketResource is the resource that binding a capsule's socket is decided as, of an entry of net_bind; "" for a wildcard and for
// what names no socket.
func SocketResource(capsule, entry string) string {
	text := strings.TrimPrefix(entry, "unix:")
	name, err := socketName(text)
	if text == "" || text == "*" || err != nil {
		return ""
	}
	return bindAction(capsule, name).Resource
}

// socketName is what a guest calls its socket: the last element of the path it gives, without ".sock". Nothing is "main".
func socketName(path string) (string, error) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	if name = strings.TrimSuffix(name, ".sock"); name == "" {
		name = "main"
	}
	if len(name) > abi.MaxSocketName || name[0] == '.' || strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	}) {
		return "", abi.Errorf(abi.CodeInvalid, "socket name %q: want 1 to %d characters of a-z, A-Z, 0-9, '-', '_' and '.', the first no '.'", name, abi.MaxSocketName)
	}
	return name, nil
}

// bindPermit checks net_bind: each entry is "*", or names a socket as astrid_net_bind_unix does; "unix:" may stand before it.
func (b *Bounds) bindPermit(name string) permit {
	return func() (string, error) {
		for _, e := range b.g.NetBind {
			text := strings.TrimPrefix(e, "unix:")
			if n, err := socketName(text); text != "" && (text == "*" || err == nil && n == name) {
				return "net_bind " + e, nil
			}
		}
		return "", b.deny("net_bind '%s'", name)
	}
}

// bindAction is what binding, and each accepted connection, is decided as.
func bindAction(capsule, name string) approval.Action {
	return approval.Action{Kind: approval.NetBind, Resource: "net:bind:" + capsule + "/" + name}
}

func (h *Host) planBind(_ context.Context, f *frame, args [][]byte) (plan, error) {
	name, err := socketName(string(args[0]))
	if err != nil {
		return plan{}, err
	}
	c := f.inst.capsule
	if n := f.inst.openListeners(); n >= abi.MaxNetListeners {
		return plan{}, abi.Errorf(abi.CodeLimit, "socket limit reached (%d per instance)", n)
	}
	return plan{
		action: bindAction(c.ID, name),
		bounds: c.Bounds.bindPermit(name),
		do: func(context.Context, approval.Grant) ([]byte, error) {
			ln, err := h.svc.Sockets.Listen(c.ID, name)
			if err != nil {
				return nil, err
			}
			l := &netListener{ln: ln, name: name, principal: f.call.Principal, pending: make(chan net.Conn, 1), done: make(chan struct{})}
			l.close = sync.OnceFunc(l.end)
			go l.serve()
			id, err := f.inst.addListener(l)
			if err != nil {
				l.close()
				return nil, err
			}
			return strconv.AppendUint(nil, id, 10), nil
		},
	}, nil
}

func (h *Host) planAccept(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	return h.acceptPlan(ctx, f, args[0], 0)
}

func (h *Host) planPollAccept(ctx context.Context, f *frame, args [][]byte) (plan, error) {
	return h.acceptPlan(ctx, f, args[0], pollAccept)
}

// acceptPlan waits for somebody to connect; then there is something to decide. With a limit, nobody in that time is an answer.
func (h *Host) acceptPlan(ctx context.Context, f *frame, handle []byte, limit time.Duration) (plan, error) {
	l, err := f.listener(handle)
	if err != nil {
		return plan{}, err
	}
	if n := f.inst.openConns(); n >= abi.MaxNetStreams {
		if limit > 0 {
			return plan{idle: true}, nil
		}
		return plan{}, abi.Errorf(abi.CodeLimit, "connection cap reached (%d/%d)", n, abi.MaxNetStreams)
	}
	var late <-chan time.Time
	if limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		late = t.C
	}
	if err := l.wait(ctx, late); errors.Is(err, errNobodyCame) {
		return plan{idle: true}, nil
	} else if err != nil {
		return plan{}, err
	}
	return plan{
		action: bindAction(f.inst.capsule.ID, l.name),
		bounds: f.inst.capsule.Bounds.bindPermit(l.name),
		do: func(context.Context, approval.Grant) ([]byte, error) {
			conn := l.take()
			if conn == nil {
				return nil, abi.Errorf(abi.CodeClosed, "socket %s is closed", l.name)
			}
			id, err := f.inst.addConn(&netConn{conn: conn, principal: f.call.Principal})
			if err != nil {
				_ = conn.Close()
				return nil, err
			}
			return strconv.AppendUint(nil, id, 10), nil
		},
		refused: func(error) ([]byte, bool) { // whoever knocked is not left waiting
			if conn := l.take(); conn != nil {
				_ = conn.Close()
			}
			return nil, false
		},
	}, nil
}

// listener finds a listener of the call's principal. No handle means the only one: guests of the Extism convention know no other.
func (f *frame) listener(handle []byte) (*netListener, error) {
	i := f.inst
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(handle) == 0 && len(i.listeners) == 1 {
		for _, l := range i.listeners {
			if l.principal == f.call.Principal {
				return l, nil
			}
		}
	}
	if len(handle) == 0 {
		return nil, abi.Errorf(abi.CodeHandle, "no listener is named, and the instance has not bound exactly one")
	}
	id, err := strconv.ParseUint(string(handle), 10, 64)
	if err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "listener handle %q is not a number", handle)
	}
	l := i.listeners[id]
	if l == nil || l.principal != f.call.Principal {
		return nil, abi.Errorf(abi.CodeHandle, "listener handle %d not found", id)
	}
	return l, nil
}

func (i *Instance) openListeners() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.listeners)
}

func (i *Instance) addListener(l *netListener) (uint64, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return 0, abi.Errorf(abi.CodeCanceled, "capsule is being unloaded")
	}
	i.nextNet++
	i.listeners[i.nextNet] = l
	return i.nextNet, nil
}
