package kernel

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/engine/wasm"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/identity"
	"github.com/unicity-astrid/astrid-go/kernel/secrets"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
	"github.com/unicity-astrid/astrid-go/kernel/telemetry"
)

// kernelSourceID is the source_id of the kernel's own messages: the system session.
const kernelSourceID = "00000000-0000-0000-0000-000000000000"

// shutdownTimeout bounds the end of all capsules together.
const shutdownTimeout = 20 * time.Second

// Options configures a daemon.
type Options struct {
	Home      home.Home
	Workspace string         // absolute directory of sessions that name none
	Config    *config.Config // without what a workspace says; nil: as LoadConfig reads it
	Ephemeral bool           // leave when the last client left
	Version   string
	// LoadConfig reads the configuration again, with what a workspace says or, for "", without.
	// nil: the files of the machine, of Home and of the workspace, and the environment.
	LoadConfig func(workspace string) (*config.Config, error)
	Now        func() time.Time // default time.Now

	// IdleTimeout is how long an ephemeral daemon without clients stays; default 30 s.
	IdleTimeout time.Duration
	// WriteTimeout is how long a client may take to take one frame; default 10 s.
	WriteTimeout time.Duration
}

// Kernel is a booted daemon.
type Kernel struct {
	opts    Options
	now     func() time.Time
	pid     int
	started time.Time

	bootTook time.Duration
	ctx      context.Context
	cancel   context.CancelCauseFunc
	endBoot  context.CancelCauseFunc

	lock       *home.Lock
	local      identity.User // who is at the socket's other end
	store      storage.Engine
	gate       *gate
	bus        *ipc.Bus
	files      *files
	secrets    *secrets.Store
	questions  questions
	lacking    lacking
	complaints sync.Map // last words of guests that died, by capsule id
	processes  *processes
	spaces     spaces
	policies   policies
	presence   presence
	logs       *telemetry.CapsuleLogs
	host       *host.Host
	runtime    *wasm.Runtime
	registry   *capsule.Registry
	dispatcher *capsule.Dispatcher
	server     *server

	loadMu  sync.Mutex
	mu      sync.Mutex
	refused []refusal         // capsules that were not loaded
	loaded  map[string]string // fingerprint by capsule id
	seen    string            // installed() at the last load
	ready   chan struct{}     // closed when the capsules are loaded
	stop    chan string       // a client's wish to shut down
	tasks   sync.WaitGroup    // background goroutines
}

// refusal is a capsule that was found but not loaded.
type refusal struct {
	name, version, dir, reason string
	state                      string // "": refused
}

func (r refusal) status() string { return cmp.Or(r.state, "refused") }

// Run boots a daemon, serves until ctx is done or a client asks it to stop, and shuts down.
// ready is called when clients are served; it may be nil.
func Run(ctx context.Context, o Options, ready func(*Kernel)) error {
	k, err := Boot(ctx, o)
	if errors.Is(err, errStopped) || err != nil && ctx.Err() != nil {
		slog.Info("Stopped while booting")
		return nil
	}
	if err != nil {
		return err
	}
	if ready != nil {
		ready(k)
	}
	reason := "signal"
	select {
	case <-ctx.Done():
	case reason = <-k.stop:
	}
	slog.Info("Shutting down", "reason", reason)
	return k.Shutdown(reason)
}

// errStopped says that a client asked a daemon to stop that was still booting.
var errStopped = errors.New("stopped while booting")

// requestShutdown makes Run return. A boot is given up.
func (k *Kernel) requestShutdown(reason string) {
	select {
	case k.stop <- reason:
	default: // one is waiting already
	}
	k.endBoot(errStopped)
}

func (o *Options) setDefaults() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = 30 * time.Second
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = 10 * time.Second
	}
	if o.LoadConfig == nil {
		o.LoadConfig = func(workspace string) (*config.Config, error) {
			return config.Load(config.Options{UserFile: o.Home.ConfigFile(), WorkspaceRoot: workspace})
		}
	}
	if o.Workspace == "" {
		o.Workspace, _ = os.Getwd() // Boot refuses an empty one
	}
}
