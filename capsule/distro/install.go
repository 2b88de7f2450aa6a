package distro

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

// Options says where and how to install. Manifest, Source, Store, Settings and LockPath are required.
type Options struct {
	Manifest *Manifest
	Answers  Answers
	Source   Source
	Store    *store.Store
	Settings capsule.Settings // where answers go
	LockPath string

	// Locked is a lock that must be reproduced: any difference is an error before anything is written.
	Locked *Lock
	// Progress is told what is being done.
	Progress func(Event)
	// Now is the clock for the lock; nil means time.Now.
	Now func() time.Time
}

// Event is one step for one capsule.
type Event struct {
	Name  string
	Index int // of the capsule, from 0
	Count int // of all capsules
	Phase Phase
}

// Phase is what happens to a capsule.
type Phase string

// The phases, in order.
const (
	Fetching   Phase = "download"
	Verifying  Phase = "verify"
	Installing Phase = "install"
	Done       Phase = "done"
)

func (o *Options) report(i, n int, name string, p Phase) {
	if o.Progress != nil {
		o.Progress(Event{name, i, n, p})
	}
}

// Result is what an installation did.
type Result struct {
	Lock      *Lock // as written
	Installed []store.Installed
}

// Failure is one capsule that could not be installed, or would not load.
type Failure struct {
	Name string
	Err  error
}

// FailedError says that the distro is not completely installed. No lock was written; what did install stays,
// and running the installation again repeats it from the start.
type FailedError struct{ Failures []Failure }

func (e *FailedError) Error() string {
	lines := make([]string, len(e.Failures))
	for i, f := range e.Failures {
		lines[i] = fmt.Sprintf("%s: %v", f.Name, f.Err)
	}
	return fmt.Sprintf("%d capsule(s) failed, nothing was locked:\n  %s", len(e.Failures), strings.Join(lines, "\n  "))
}

// Unwrap gives access to the causes.
func (e *FailedError) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f.Err
	}
	return errs
}

// Install installs what was prepared, writes the answers, and at last the lock. A failing capsule does not keep
// the others from being installed, but it does keep the lock from being written. What is installed already,
// byte for byte, is left alone.
func (p *Prepared) Install(ctx context.Context) (*Result, error) {
	o := p.o
	r := &Result{}
	failed := &FailedError{}
	for i, it := range p.items {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		o.report(i, len(p.items), it.entry.Name, Installing)
		installed, err := o.one(ctx, it)
		if err != nil {
			failed.Failures = append(failed.Failures, Failure{it.entry.Name, err})
			continue
		}
		o.report(i, len(p.items), it.entry.Name, Done)
		r.Installed = append(r.Installed, installed)
	}
	if len(failed.Failures) > 0 {
		return r, failed
	}
	r.Lock = p.lock(r.Installed)
	return r, r.Lock.Save(o.LockPath)
}

func (o *Options) one(ctx context.Context, it item) (store.Installed, error) {
	if it.same != nil {
		return *it.same, o.writeEnv(*it.same, it.env, it.entry)
	}
	e := it.entry
	pkg, err := o.Source.Open(ctx, e)
	if err != nil {
		return store.Installed{}, err
	}
	// What is installed must be what was inspected and agreed to.
	installed, err := pkg.install(ctx, o.Store, store.InstallOptions{
		Source: e.Source, Name: e.Name, Version: e.Version.String(), ArchiveHash: it.archive, ManifestHash: it.manifest.Hash, WasmHash: it.wasm,
	})
	if err == nil {
		err = installed.Err
	}
	if err != nil {
		return store.Installed{}, err
	}
	return installed, o.writeEnv(installed, it.env, e)
}

// writeEnv adds values to the settings of a capsule.
func (o *Options) writeEnv(installed store.Installed, env map[string]string, e Entry) error {
	set, err := o.Settings.Load(installed.Manifest)
	if err != nil || !o.fill(set, env, e) {
		return err
	}
	return o.Settings.Save(installed.Manifest, set)
}

// fill adds the values of the distro to the settings of a capsule. What the user has there already is kept.
func (o *Options) fill(set, env map[string]string, e Entry) (changed bool) {
	for key, value := range env {
		// A value that is there stays, unless the user has just given another one.
		if set[key] != value && value != "" && (set[key] == "" || o.Answers.gives(e.Env[key])) {
			set[key], changed = value, true
		}
	}
	return changed
}

// lock describes what was installed. If that is what the lock of before says, it stays as it is.
func (p *Prepared) lock(installed []store.Installed) *Lock {
	now := time.Now
	if p.o.Now != nil {
		now = p.o.Now
	}
	l := &Lock{SchemaVersion: SchemaVersion, Distro: LockInfo{
		ID: p.o.Manifest.Info.ID, Version: p.o.Manifest.Info.Version.String(), ResolvedAt: formatTime(now()),
	}}
	for i, it := range p.items {
		l.Capsules = append(l.Capsules, lockEntry(installed[i], it.entry.Source))
	}
	for _, before := range []*Lock{p.o.Locked, p.before} {
		if l.Same(before) {
			return before
		}
	}
	return l
}
