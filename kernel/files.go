package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
	"github.com/unicity-astrid/astrid-go/vfs"
)

// defaultSession names the overlay of calls that belong to no session.
const defaultSession = "default"

// files gives calls their file trees: one overlay for each principal and session over the
// session's workspace, and the principal's home and tmp directories. It implements host.Files.
type files struct {
	home      home.Home
	store     storage.Engine
	workspace string // of sessions that named none
	quota     int64  // bytes of one overlay's upper layer
	now       func() time.Time
	links     func(workspace string) vfs.HardLinks // nil: vfs.LinksPublic

	mu       sync.Mutex
	overlays map[sessionKey]*overlay
	sweeper  *time.Timer             // set while overlays stay open that nobody uses
	trees    map[string]*vfs.HostVfs // home and tmp, by path

	trusted sync.Map // workspace → trust.Status of its project's files for agents, as of the last message from there
}

type sessionKey struct{ principal, session string }

// overlay is opened once, by the first call that needs it; others wait for that.
type overlay struct {
	once sync.Once
	fs   *vfs.OverlayVfs
	err  error

	// Guarded by files.mu.
	users int       // calls and rooms that use it now
	left  time.Time // by the last call of a capsule: it stays open for a while
}

// sessionRecord is what is kept of a session: where it works and when it was used.
type sessionRecord struct {
	Workspace string    `json:"workspace"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UsedAt    time.Time `json:"used_at,omitzero"` // by a client
	// Implied: no client named the workspace; it goes with an overlay that was left empty.
	Implied bool `json:"implied,omitempty"`
	// Mode is the freest mode that the session may have; "" leaves it to the workspace.
	Mode string `json:"mode,omitempty"`
}

func newFiles(h home.Home, store storage.Engine, workspace string, quota int64, now func() time.Time) *files {
	return &files{
		home: h, store: store, workspace: workspace, quota: quota, now: now,
		overlays: make(map[sessionKey]*overlay), trees: make(map[string]*vfs.HostVfs),
	}
}

func sessionRecordKey(principal, session string) string {
	return "kernel/session/" + principal + "/" + session
}

// bind ties a session to the project it was first used in, durably, and notes that it is
// used. A client names the directory that somebody is in: what the project around it says holds there, too. Later uses from elsewhere keep the first workspace: a session's history and its
// overlay belong to one tree.
func (f *files) bind(ctx context.Context, principal, session, workspace string) error {
	if workspace == "" || session == "" {
		return nil
	}
	old, rec, err := f.record(ctx, principal, session)
	if err != nil {
		return err
	}
	if old != nil {
		rec.UsedAt, rec.Implied = f.now(), false
		return f.note(ctx, principal, session, old, rec)
	}
	w, err := home.DetectWorkspace(workspace, f.home)
	if err != nil {
		return err
	}
	if err := f.home.Apart(w.Root()); err != nil {
		return err
	}
	now := f.now()
	return f.note(ctx, principal, session, nil, sessionRecord{Workspace: w.Root(), CreatedAt: now, UsedAt: now})
}

// record reads what is kept of a session; old is its stored form, nil when there is none.
func (f *files) record(ctx context.Context, principal, session string) (old []byte, rec sessionRecord, err error) {
	old, err = f.store.Get(ctx, sessionRecordKey(principal, session))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, rec, nil
	}
	if err == nil {
		err = json.Unmarshal(old, &rec)
	}
	if err != nil {
		return nil, rec, fmt.Errorf("record of session %q: %w", session, err)
	}
	return old, rec, nil
}

// note replaces the record old by rec. Another client of the session may be first: its note
// is as good.
func (f *files) note(ctx context.Context, principal, session string, old []byte, rec sessionRecord) error {
	b, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if err := f.store.CompareAndSwap(ctx, sessionRecordKey(principal, session), old, b); !errors.Is(err, storage.ErrConflict) {
		return err
	}
	return nil
}

// WorkspaceOf returns the directory a session works in.
func (f *files) WorkspaceOf(ctx context.Context, principal, session string) (string, error) {
	old, rec, err := f.record(ctx, principal, session)
	if err == nil && old == nil {
		return f.workspace, nil
	}
	return rec.Workspace, err
}

// place tells the gate where a session works, and how freely. What cannot be found out is left
// empty: then nothing that depends on it is allowed, in the strictest mode.
func (f *files) place(principal, session string) approval.Place {
	var p approval.Place
	old, rec, err := f.record(context.Background(), principal, session)
	switch {
	case err == nil && old == nil:
		p.Workspace = f.workspace
	case err == nil:
		p.Workspace = rec.Workspace
	}
	if err != nil || rec.Mode != "" {
		m, _ := approval.ParseMode(rec.Mode) // Safe, if it is none
		p.Mode = &m
	}
	if h, err := f.home.Principal(principal); err == nil {
		p.Home = h.Root()
	}
	return p
}

// acquire opens an overlay, or finds it open, and counts a user of it.
func (f *files) acquire(ctx context.Context, key sessionKey) (*overlay, error) {
	f.mu.Lock()
	o := f.overlays[key]
	if o == nil {
		o = new(overlay)
		f.overlays[key] = o
	}
	o.users++
	f.mu.Unlock()
	o.once.Do(func() { o.fs, o.err = f.open(context.WithoutCancel(ctx), key.principal, key.session) })
	if o.err != nil {
		f.mu.Lock()
		if f.overlays[key] == o { // let a later call try again
			delete(f.overlays, key)
		}
		f.mu.Unlock()
		return nil, o.err
	}
	return o, nil
}

func (f *files) open(ctx context.Context, principal, session string) (*vfs.OverlayVfs, error) {
	old, rec, err := f.record(ctx, principal, session)
	if err == nil && old == nil {
		rec = sessionRecord{Workspace: f.workspace, CreatedAt: f.now(), Implied: true}
		if err = f.note(ctx, principal, session, nil, rec); err == nil {
			_, rec, err = f.record(ctx, principal, session) // a client may have bound it just now
		}
	}
	if err != nil {
		return nil, err
	}
	dir, err := f.overlayDir(sessionKey{principal, session})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := f.home.Apart(rec.Workspace); err != nil {
		return nil, err
	}
	opts := vfs.OverlayOptions{StateDir: stateDir(dir), Quota: f.quota}
	if f.links != nil {
		opts.HardLinks = func() vfs.HardLinks { return f.links(rec.Workspace) }
	}
	o, err := vfs.NewOverlay(rec.Workspace, filepath.Join(dir, "upper"), opts)
	if err != nil {
		return nil, fmt.Errorf("workspace of session %q: %w", session, err)
	}
	return o, nil
}

// Home returns the tree of home://.
func (f *files) Home(_ context.Context, principal string) (vfs.Vfs, error) {
	p, err := f.home.Principal(principal)
	if err != nil {
		return nil, err
	}
	return f.tree(p.Root(), "home://")
}

// Tmp returns the tree of /tmp.
func (f *files) Tmp(_ context.Context, principal string) (vfs.Vfs, error) {
	p, err := f.home.Principal(principal)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.TmpDir(), 0o700); err != nil {
		return nil, err
	}
	return f.tree(p.TmpDir(), "/tmp")
}

func (f *files) tree(dir, scheme string) (vfs.Vfs, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.trees[dir]; t != nil {
		return t, nil
	}
	t, err := vfs.NewHost(dir, vfs.HostOptions{})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, abi.Errorf(abi.CodeNotFound, "%s is not available: the principal has no home directory", scheme)
	}
	if err != nil {
		return nil, err
	}
	f.trees[dir] = t
	return t, nil
}

// Close releases all trees. An overlay in which nothing was written leaves nothing behind.
func (f *files) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sweeper != nil {
		f.sweeper.Stop()
	}
	var errs []error
	for key, o := range f.overlays {
		o.once.Do(func() { o.err = fs.ErrClosed }) // one that was never opened stays closed
		if o.fs == nil {
			continue
		}
		changes, err := o.fs.Changes()
		kept, cerr := o.fs.Checkpoints()
		err = errors.Join(err, cerr)
		errs = append(errs, err, o.fs.Close())
		if err == nil && len(changes) == 0 && len(kept) == 0 {
			errs = append(errs, f.forget(key))
		}
	}
	for _, t := range f.trees {
		errs = append(errs, t.Close())
	}
	f.overlays, f.trees = map[sessionKey]*overlay{}, map[string]*vfs.HostVfs{}
	return errors.Join(errs...)
}

// forget removes an empty overlay's directories.
func (f *files) forget(key sessionKey) error {
	dir, err := f.overlayDir(key)
	if err != nil {
		return err
	}
	err = os.RemoveAll(dir)
	ctx := context.Background()
	old, rec, rerr := f.record(ctx, key.principal, key.session)
	if rerr == nil && rec.Implied {
		rerr = f.store.CompareAndSwap(ctx, sessionRecordKey(key.principal, key.session), old, nil)
	}
	if errors.Is(rerr, storage.ErrConflict) {
		rerr = nil // it is used again
	}
	return errors.Join(err, rerr)
}

func (f *files) overlayDir(key sessionKey) (string, error) {
	p, err := f.home.Principal(key.principal)
	if err != nil {
		return "", err
	}
	return p.Overlay(key.session)
}

func stateDir(overlayDir string) string { return filepath.Join(overlayDir, "state") }
