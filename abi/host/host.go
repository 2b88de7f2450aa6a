package host

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// Gate decides and records every call. It is implemented by approval.Interceptor.
type Gate interface {
	Intercept(ctx context.Context, s approval.Subject, a approval.Action) (approval.Grant, error)
	// Conceals tells whether the policy keeps agents from a path in a workspace, so that no list shows it.
	Conceals(workspace, file string) bool
}

// Publisher puts messages on the bus, through the guards.
type Publisher interface {
	Publish(ctx context.Context, m *ipc.Message) error
	// Trigger calls every other capsule with an interceptor on hook and gathers the JSON answers.
	Trigger(ctx context.Context, from *Instance, call *Call, hook string, payload []byte) ([]json.RawMessage, error)
}

// Subscriber opens bus subscriptions. It is implemented by ipc.Bus.
type Subscriber interface {
	Subscribe(pattern string, o ipc.SubscribeOptions) (*ipc.Subscription, error)
}

// Space is the key-value namespace of one capsule and principal.
type Space interface {
	Get(ctx context.Context, key string) ([]byte, error) // an error matching fs.ErrNotExist or abi.ErrNotFound when absent
	Put(ctx context.Context, key string, val []byte) error
	Delete(ctx context.Context, key string) error
	List(ctx context.Context, prefix string) ([]string, error)
	ClearPrefix(ctx context.Context, prefix string) (int, error)
}

// Secrets keeps what guests may have without seeing where it lies. A secret that is not there is an fs.ErrNotExist.
// It is implemented by kernel/secrets.Store.
type Secrets interface {
	Get(principal, capsule, name string) (string, error)
	Has(principal, capsule, name string) (bool, error)
	Set(principal, capsule, name, value string) error
	CheckName(name string) error
}

// Sockets opens the sockets of capsules.
type Sockets interface {
	// Listen opens a capsule's socket of that name, in place of one that a daemon which was killed has left. Only
	// connections of the user who runs the daemon come out of the listener. In use already, it is an abi.ErrExists.
	Listen(capsule, name string) (net.Listener, error)
}

// Files finds the file trees of a call.
type Files interface {
	// Workspace is the tree of cwd://. It is not used after release, which must be called.
	Workspace(ctx context.Context, principal, session string) (tree vfs.Vfs, release func(), err error)
	Home(ctx context.Context, principal string) (vfs.Vfs, error) // home://
	Tmp(ctx context.Context, principal string) (vfs.Vfs, error)  // /tmp
	// WorkspaceOf is the absolute directory that the session works in: grants for a
	// workspace are tied to it.
	WorkspaceOf(ctx context.Context, principal, session string) (string, error)
	// ProjectTrusted tells whether the user agreed to what the project in a workspace tells agents, and a session has left it
	// as it is.
	ProjectTrusted(principal, session, workspace string) bool
}

// LogSink takes the log lines of capsules.
type LogSink interface {
	CapsuleLog(principal, capsule string, level slog.Level, text string)
}

// Directory answers questions about other capsules.
type Directory interface {
	HasCapability(sourceUUID, capability string) bool
}

// HTTPLimits bound the requests of capsules. Zero fields have the stated defaults.
type HTTPLimits struct {
	Timeout     time.Duration // of a whole request, or until a stream's headers arrive; abi.HTTPTimeout
	StreamIdle  time.Duration // for the next piece of a stream; abi.HTTPChunkTimeout
	MaxResponse int64         // bytes of a body that is not streamed; abi.MaxValue
}

// Services are what the host functions act on. All fields are required but HTTP, Transport and Now.
type Services struct {
	Gate       Gate
	Publisher  Publisher
	Bus        Subscriber
	KV         func(principal, capsule string) Space
	Secrets    Secrets
	Sockets    Sockets
	Identities Identities
	Asker      Asker
	Files      Files
	Log        LogSink
	Directory  Directory
	Processes  Processes
	HTTP       HTTPLimits
	Transport  http.RoundTripper // in place of the network; default each capsule's own connections, whose addresses are checked
	Now        func() time.Time  // default time.Now
}

// Host serves the table to guests.
type Host struct {
	svc     Services
	table   [abi.FunctionCount]row
	actions [abi.FunctionCount]approval.Action // of rows without a plan: always the same
	calls   [abi.FunctionCount]atomic.Uint64
	yield   func(context.Context) // of Extism guests, when a function takes long
	running runningCalls
}

// New returns a host with all 49 rows.
func New(svc Services) *Host {
	if svc.Now == nil {
		svc.Now = time.Now
	}
	if svc.HTTP.Timeout <= 0 {
		svc.HTTP.Timeout = abi.HTTPTimeout
	}
	if svc.HTTP.StreamIdle <= 0 {
		svc.HTTP.StreamIdle = abi.HTTPChunkTimeout
	}
	if svc.HTTP.MaxResponse <= 0 {
		svc.HTTP.MaxResponse = abi.MaxValue
	}
	h := &Host{svc: svc}
	h.table = h.rows()
	for fn := range h.table {
		r := &h.table[fn]
		h.actions[fn] = approval.Action{Kind: r.kind, Class: r.class, Function: abi.Function(fn).String()}
	}
	return h
}

// Calls returns how often each function was called since boot.
func (h *Host) Calls() map[string]uint64 {
	m := make(map[string]uint64)
	for i := range h.calls {
		if n := h.calls[i].Load(); n > 0 {
			m[abi.Function(i).String()] = n
		}
	}
	return m
}

// Capsule is one loaded capsule as the host functions see it.
type Capsule struct {
	ID           string
	SourceID     string // UUID of this load
	Principal    string // the principal it was loaded for
	Bounds       *Bounds
	Config       map[string]string // what astrid_get_config answers
	SecretKeys   []string          // of these, what Secrets has goes before Config
	Interceptors []AutoSubscription
	Ready        func() // called by astrid_signal_ready; may be nil

	processes processTable
}

// AutoSubscription is an interceptor of a run-loop capsule, delivered as a subscription.
type AutoSubscription struct {
	Topic  string
	Action string
}
