package wasm

import (
	"context"
	"errors"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sync/errgroup"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
)

// Precompile fills the cache that a [Runtime] with the same CacheDir loads from, so that the first
// boot after an installation is as quick as the others: it notes what it knows of each, too. compiled is told the index of each
// binary that is done, one at a time; it may be nil. What cannot be compiled does not keep
// the others from being compiled.
func Precompile(ctx context.Context, cacheDir string, binaries [][]byte, compiled func(i int)) error {
	cache, err := openCache(cacheDir)
	if err != nil {
		return err
	}
	// The key of the cache is the module and the features: they must be those of NewRuntime.
	rt := wazero.NewRuntimeWithConfig(ctx, features(wazero.NewRuntimeConfig()).WithCompilationCache(cache))
	r := &Runtime{rt: rt, cache: cache, host: host.New(host.Services{}), opts: Options{CacheDir: cacheDir}, memory: int64(abi.MaxMemoryPages) << 16}
	if err := r.findPlace(ctx); err != nil {
		return errors.Join(err, r.Close(ctx))
	}
	if err := r.link(ctx); err != nil {
		return errors.Join(err, r.Close(ctx))
	}
	r.offer = r.fingerprint()
	ctx = Interruptible(ctx)
	var mu sync.Mutex
	errs := make([]error, len(binaries))
	var g errgroup.Group
	g.SetLimit(2) // each takes a few hundred megabytes
	for i, b := range binaries {
		g.Go(func() error {
			if errs[i] = r.precompile(ctx, b); errs[i] == nil && compiled != nil {
				mu.Lock()
				defer mu.Unlock()
				compiled(i)
			}
			return nil
		})
	}
	_ = g.Wait() // failures are per binary
	return errors.Join(append(errs, r.Close(ctx))...)
}

// Interruptible makes [Runtime.Load] end soon after ctx is done: wazero looks at it between
// functions, but only when it compiles with more than one worker.
func Interruptible(ctx context.Context) context.Context {
	return experimental.WithCompilationWorkers(ctx, 2)
}

func (r *Runtime) precompile(ctx context.Context, binary []byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m, err := r.build(ctx, binary)
	if err != nil {
		return err
	}
	if c, err := r.check(m); err == nil { // else the daemon refuses it, by its name
		r.remember(binary, c)
	}
	return m.Close(ctx)
}
