package cli

import (
	"context"
	"fmt"

	"github.com/unicity-astrid/astrid-go/capsule/engine/wasm"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// compileAhead compiles what was installed into the daemon's cache, so that nobody waits for it later.
// A capsule that cannot be compiled is left to the daemon, which reports it with its status.
func compileAhead(ctx context.Context, sys System, h home.Home, installed []store.Installed) error {
	return compileWith(ctx, sys, h, installed, nil)
}

// compileWith is compileAhead with a bar for each capsule.
func compileWith(ctx context.Context, sys System, h home.Home, installed []store.Installed, bars *progressBars) error {
	var binaries [][]byte
	var names []string
	for _, c := range installed {
		if c.Manifest == nil || c.Manifest.Main() == nil {
			continue
		}
		b, err := store.VerifyBinary(c.Dir, c.Manifest, c.Meta, h.BinDir())
		if err != nil {
			return fmt.Errorf("capsule %s: %w", c.Name, err)
		}
		binaries, names = append(binaries, b), append(names, c.Name)
	}
	done := 0
	terminal := sys.draws()
	switch what := count(len(binaries), "capsule"); {
	case !terminal:
		fmt.Fprintf(sys.Stderr, "compiling %s\n", what)
	case bars == nil:
		fmt.Fprintf(sys.Stderr, "\r\x1b[Kcompiling %s", what)
	}
	err := wasm.Precompile(ctx, h.CacheDir(), binaries, func(i int) {
		done++
		bars.step(names[i], "done")
		if terminal && bars == nil {
			fmt.Fprintf(sys.Stderr, "\r\x1b[Kcompiled %d of %d: %s", done, len(binaries), names[i])
		}
	})
	if bars == nil {
		sys.progressDone()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		sys.notef("not everything could be compiled ahead: %v", err)
	}
	return nil
}
