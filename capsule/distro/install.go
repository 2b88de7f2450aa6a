package distro

import (
	"context"
	"errors"
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

	// Pin makes every capsule that the lock lists have the binary that it lists.
	Pin *Lock
	// Agreed are the manifests that the user was shown, usually from Preview. A capsule whose manifest has
	// become another one since then is refused.
	Agreed []*capsule.Manifest
	// Progress is told about each capsule before it is installed.
	Progress func(done, total int, name string)
	// Now is the clock for the lock; nil means time.Now.
	Now func() time.Time
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

// Preview returns the manifests of the capsules that Install would install, so that their capabilities can be
// shown before anything happens.
func Preview(ctx context.Context, o Options) ([]*capsule.Manifest, error) {
	entries, err := o.Manifest.Select(o.Answers)
	if err != nil {
		return nil, err
	}
	var out []*capsule.Manifest
	for _, e := range entries {
		p, err := o.Source.Open(ctx, e)
		if err != nil {
			return nil, err
		}
		m, err := p.inspect()
		if err != nil {
			return nil, fmt.Errorf("capsule %s: %w", e.Name, err)
		}
		out = append(out, m)
	}
	return out, nil
}

// Install installs every selected capsule, writes the answers, checks that the whole would load, and writes
// the lock. Everything that can be known beforehand is checked before the first capsule is touched. A failing
// capsule does not keep the others from being installed, but it does keep the lock from being written.
func Install(ctx context.Context, o Options) (*Result, error) {
	entries, envs, err := o.decide()
	if err != nil {
		return nil, err
	}
	r := &Result{}
	failed := &FailedError{}
	for i, e := range entries {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		if o.Progress != nil {
			o.Progress(i, len(entries), e.Name)
		}
		installed, err := o.one(ctx, e, envs[i])
		if err != nil {
			failed.Failures = append(failed.Failures, Failure{e.Name, err})
			continue
		}
		r.Installed = append(r.Installed, installed)
	}
	if len(failed.Failures) == 0 {
		failed.Failures = o.unloadable(r.Installed)
	}
	if len(failed.Failures) > 0 {
		return r, failed
	}
	r.Lock = o.lock(entries, r.Installed)
	return r, r.Lock.Save(o.LockPath)
}

// decide applies the answers.
func (o *Options) decide() (entries []Entry, envs []map[string]string, err error) {
	if err := o.Manifest.CheckAnswers(o.Answers); err != nil {
		return nil, nil, err
	}
	if entries, err = o.Manifest.Select(o.Answers); err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		env, err := o.Manifest.Env(e, o.Answers)
		if err != nil {
			return nil, nil, err
		}
		if _, err := capsule.LoadEnv(capsule.EnvPath(o.Settings.Home, e.Name)); err != nil {
			return nil, nil, err
		}
		envs = append(envs, env)
	}
	return entries, envs, nil
}

func (o *Options) one(ctx context.Context, e Entry, env map[string]string) (store.Installed, error) {
	p, err := o.Source.Open(ctx, e)
	if err != nil {
		return store.Installed{}, err
	}
	pin := store.InstallOptions{Source: e.Source, Name: e.Name, Version: e.Version.String()}
	if locked, ok := o.Pin.Find(e.Name); ok {
		pin.WasmHash = locked.WasmHash()
	}
	for _, m := range o.Agreed {
		if m.ID() == e.Name {
			pin.ManifestHash = m.Hash
		}
	}
	installed, err := p.install(ctx, o.Store, pin)
	if err != nil {
		return store.Installed{}, err
	}
	if installed.Err != nil {
		return store.Installed{}, installed.Err
	}
	return installed, o.writeEnv(installed, env, e)
}

// writeEnv adds values to the settings of a capsule. What the user has there already is kept.
func (o *Options) writeEnv(installed store.Installed, env map[string]string, e Entry) error {
	have, err := o.Settings.Load(installed.Manifest)
	if err != nil {
		return err
	}
	changed := false
	for key, value := range env {
		if _, declared := installed.Manifest.Env[key]; !declared {
			return fmt.Errorf("the distro sets %q, which the capsule does not declare in [env]", key)
		}
		// A value that is there stays, unless the user has just given another one.
		if have[key] != value && value != "" && (have[key] == "" || o.Answers.gives(e.Env[key])) {
			have[key], changed = value, true
		}
	}
	if !changed {
		return nil
	}
	return o.Settings.Save(installed.Manifest, have)
}

// unloadable checks the finished set: each capsule of the distro must load among everything in the store, and
// what the distro requires must be provided.
func (o *Options) unloadable(installed []store.Installed) []Failure {
	var failures []Failure
	mine := map[string]bool{}
	for _, i := range installed {
		mine[i.Name] = true
	}
	plan := capsule.Resolve(capsule.Discover(o.Store.Dir).Manifests)
	for _, r := range plan.Refused {
		if mine[r.Manifest.ID()] {
			failures = append(failures, Failure{r.Manifest.ID(), errors.New("it would not load: " + r.Reason)})
		}
	}
	for _, need := range o.Manifest.Requires {
		if !provided(need, plan.Order) {
			failures = append(failures, Failure{o.Manifest.Info.ID, fmt.Errorf("no installed capsule provides %s %s, which the distro requires", need.Interface, need.Requirement)})
		}
	}
	return failures
}

func provided(need capsule.Import, by []*capsule.Manifest) bool {
	for _, m := range by {
		for _, e := range m.Exports {
			if e.Satisfies(need) {
				return true
			}
		}
	}
	return false
}

func (o *Options) lock(entries []Entry, installed []store.Installed) *Lock {
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	l := &Lock{SchemaVersion: SchemaVersion, Distro: LockInfo{
		ID: o.Manifest.Info.ID, Version: o.Manifest.Info.Version.String(), ResolvedAt: formatTime(now()),
	}}
	for i, e := range entries {
		l.Capsules = append(l.Capsules, lockEntry(installed[i], e.Source))
	}
	return l
}
