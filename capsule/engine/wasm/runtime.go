package wasm

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
)

// InitDeadline bounds the start function and _initialize of an instance, as Options.CallDeadline does if
// it is shorter.
const InitDeadline = 30 * time.Second

// Options configures a [Runtime].
type Options struct {
	// CacheDir keeps rewritten and compiled modules between runs; empty keeps nothing.
	// Whoever can write to it can run native code in the daemon, so it is made with
	// mode 0700 and refused when others can write to it.
	CacheDir string
	// CallDeadline bounds one call; default abi.CallDeadline.
	CallDeadline time.Duration
	// MemoryLimit bounds the memory of one instance, in bytes, the initial size included;
	// default 64 MiB (abi.MaxMemoryPages). It is rounded down to whole pages of 64 KiB and
	// is at least one of them, at most 4 GiB.
	MemoryLimit int64
	// CPUPercent is the share of one processor that a capsule gets for one principal in the long run; 0 is no limit.
	CPUPercent int
	// CPUBurst is the guest time that may be used at once before that counts; default 10 s.
	CPUBurst time.Duration

	// Interpret runs guests without making machine code of them: soon ready, slow, without a cache. It is
	// for looking at a module once.
	Interpret bool

	yield func(context.Context) // for tests: instead of yield
}

// Runtime compiles and runs capsules.
type Runtime struct {
	rt    wazero.Runtime
	cache wazero.CompilationCache
	host  *host.Host
	opts  Options

	memory int64    // bytes that an instance may have
	filing sync.Map // of *sync.Mutex by the path of a record, see cached
	place  string   // see findPlace
	offer  string   // see fingerprint
}

// NewRuntime prepares the compiler and links the host modules.
func NewRuntime(ctx context.Context, h *host.Host, o Options) (*Runtime, error) {
	if o.CallDeadline <= 0 {
		o.CallDeadline = abi.CallDeadline
	}
	if o.CPUBurst <= 0 {
		o.CPUBurst = cpuBurst
	}
	pages := int64(abi.MaxMemoryPages)
	if o.MemoryLimit > 0 {
		pages = min(max(o.MemoryLimit>>16, 1), 1<<16)
	}
	r := &Runtime{host: h, opts: o, memory: pages << 16}
	base := wazero.NewRuntimeConfig()
	if o.Interpret {
		base = wazero.NewRuntimeConfigInterpreter()
	}
	cfg := features(base).WithMemoryLimitPages(uint32(pages))
	if o.CacheDir != "" {
		var err error
		if r.cache, err = openCache(o.CacheDir); err != nil {
			return nil, err
		}
		cfg = cfg.WithCompilationCache(r.cache)
		if err := r.findPlace(ctx); err != nil {
			return nil, errors.Join(err, r.cache.Close(ctx))
		}
	}
	r.rt = wazero.NewRuntimeWithConfig(ctx, cfg)
	if err := r.link(ctx); err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	r.offer = r.fingerprint()
	return r, nil
}

// features is what guests may use of WebAssembly. The compile cache is keyed by it.
func features(c wazero.RuntimeConfig) wazero.RuntimeConfig {
	return c.WithCoreFeatures(api.CoreFeaturesV2).WithMemoryLimitPages(abi.MaxMemoryPages)
}

// link instantiates all modules that guests may import.
func (r *Runtime) link(ctx context.Context) error {
	yield := yield
	if r.opts.yield != nil {
		yield = r.opts.yield
	}
	if err := linkWASI(ctx, r.rt, yield); err != nil {
		return err
	}
	if err := r.host.LinkNative(ctx, r.rt, yield); err != nil {
		return fmt.Errorf("link host functions: %w", err)
	}
	if err := r.host.LinkExtism(ctx, r.rt, yield); err != nil {
		return fmt.Errorf("link host functions: %w", err)
	}
	return nil
}

// Close ends everything the runtime holds. Instances must be closed before.
func (r *Runtime) Close(ctx context.Context) error {
	err := r.rt.Close(ctx)
	if r.cache != nil {
		err = errors.Join(err, r.cache.Close(ctx))
	}
	return err
}

// ended is what yield panics with; it carries why the call's context is done.
type ended struct{ cause error }

func (e *ended) Error() string { return "guest ended: " + e.cause.Error() }
func (e *ended) Unwrap() error { return e.cause }

// yield is called by metered guest code at least every millisecond.
func yield(ctx context.Context) {
	if i, ok := ctx.Value(instanceKey{}).(*Instance); ok {
		defer i.host.Blocked()()
		i.charge()
		i.throttle(ctx)
		// Two memories share one limit, which wazero cannot hold them to.
		if i.e.extism && i.size > i.e.r.memory {
			panic(fmt.Errorf("oom: its memory and its Extism memory have %d bytes together, the limit is %d", i.size, i.e.r.memory))
		}
	}
	if ctx.Err() != nil {
		panic(&ended{context.Cause(ctx)})
	}
	// Guest code cannot be preempted: this is where the collector and others get their turn.
	runtime.Gosched()
}
