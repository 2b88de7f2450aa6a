package kernel

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/vfs"
)

// overlayLinger is how long an overlay stays open after a capsule's last call: it is six open files, and a daemon may see
// thousands of sessions.
const overlayLinger = time.Minute

// Workspace returns the session's overlay. It implements host.Files.
func (f *files) Workspace(ctx context.Context, principal, session string) (vfs.Vfs, func(), error) {
	if session == "" {
		session = defaultSession
	}
	key := sessionKey{principal, session}
	o, err := f.acquire(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	return o.fs, sync.OnceFunc(func() { f.leave(key, o) }), nil
}

// leave ends a capsule's use of an overlay: its next call is likely to come soon.
func (f *files) leave(key sessionKey, o *overlay) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o.users--
	o.left = time.Now()
	if f.overlays[key] == o && f.sweeper == nil {
		f.sweeper = time.AfterFunc(overlayLinger, func() { f.sweep(time.Now()) })
	}
}

// release ends another use of an overlay. One that no capsule is likely to come back to is closed.
func (f *files) release(key sessionKey, o *overlay) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o.users--; o.users > 0 || !o.left.IsZero() || f.overlays[key] != o {
		return nil
	}
	delete(f.overlays, key)
	return f.shut(key, o.fs)
}

// sweep closes what capsules have left long ago.
func (f *files) sweep(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sweeper = nil
	next := time.Duration(0)
	for key, o := range f.overlays {
		if o.left.IsZero() {
			continue
		}
		switch wait := overlayLinger - now.Sub(o.left); {
		case o.users > 0:
			next = max(next, overlayLinger)
		case wait > 0:
			next = max(next, wait)
		default:
			delete(f.overlays, key)
			if err := f.shut(key, o.fs); err != nil {
				slog.Error("A session's files could not be closed", "session", key.session, "error", err)
			}
		}
	}
	if next > 0 {
		f.sweeper = time.AfterFunc(next, func() { f.sweep(time.Now()) })
	}
}

// shut closes an overlay. One in which nothing is, and of which nothing is kept, leaves nothing behind.
func (f *files) shut(key sessionKey, v *vfs.OverlayVfs) error {
	names, err := os.ReadDir(v.UpperDir())
	kept, cerr := v.Checkpoints()
	err = errors.Join(err, cerr, v.Close())
	if err == nil && len(names) == 0 && len(kept) == 0 {
		err = f.forget(key)
	}
	return err
}
