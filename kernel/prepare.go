package kernel

import (
	"context"
	"log/slog"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// prepare makes the code of all capsules ready that were loaded without it: clients are served meanwhile, and a capsule that
// is needed at once does not wait for the others.
func (k *Kernel) prepare(ctx context.Context) {
	g := new(errgroup.Group)
	g.SetLimit(2)
	for _, c := range k.byNeed() {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			if err := engineOf(c).Prepare(ctx); err != nil && ctx.Err() == nil {
				k.refuse(ctx, c, err)
			}
			return nil
		})
	}
	_ = g.Wait() // failures are per capsule
	// Loading decodes whole modules: what that left behind is not needed any more.
	debug.FreeOSMemory()
}

// refuse takes a capsule out that was loaded and cannot run, unless another has taken its place.
func (k *Kernel) refuse(ctx context.Context, c *capsule.Capsule, why error) {
	k.loadMu.Lock()
	defer k.loadMu.Unlock()
	if k.registry.Get(c.ID()) != c {
		return
	}
	slog.Warn("Capsule not loaded", "capsule", c.ID(), "dir", c.Manifest().Dir, "reason", why)
	k.unload(ctx, c.ID())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refused = append(k.refused, refusal{name: c.ID(), version: c.Manifest().Package.Version.String(), dir: c.Manifest().Dir, reason: why.Error()})
}
