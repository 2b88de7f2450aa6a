package client

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// patience ends ctx with err once nothing has moved for a time: the daemon puts each capsule that it has compiled into
// its cache, and how long compiling all of them takes is up to the machine.
func patience(ctx context.Context, h home.Home, limit time.Duration, err error) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(limit / 16)
		defer tick.Stop()
		seen, at := lastCompiled(h), time.Now()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if now := lastCompiled(h); now.After(seen) {
				seen, at = now, time.Now()
			}
			if time.Since(at) > limit {
				cancel(err)
				return
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// lastCompiled is when something was put into the compile cache, below any of its directories.
func lastCompiled(h home.Home) (last time.Time) {
	dirs, _ := filepath.Glob(filepath.Join(h.CacheDir(), "*")) // the pattern is right
	for _, dir := range dirs {
		if fi, err := os.Stat(dir); err == nil && fi.ModTime().After(last) {
			last = fi.ModTime()
		}
	}
	return last
}
