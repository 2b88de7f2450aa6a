package distro

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
)

// Prepared is an installation of which everything is known that can be known beforehand: each package was
// fetched and inspected, and the whole would load.
type Prepared struct {
	o      Options
	items  []item
	before *Lock // what was there; nil for the first time
}

// item is one capsule to be.
type item struct {
	entry    Entry
	env      map[string]string
	manifest *capsule.Manifest
	archive  string           // its hash
	wasm     string           // the hash that a lock demands of the binary; "" is any
	same     *store.Installed // it is installed already
}

// Manifests are those of the capsules, in the order of the distro.
func (p *Prepared) Manifests() []*capsule.Manifest {
	out := make([]*capsule.Manifest, len(p.items))
	for i, it := range p.items {
		out[i] = it.manifest
	}
	return out
}

// Env is what a capsule will be set to, with the defaults of its manifest.
func (p *Prepared) Env(m *capsule.Manifest) (map[string]string, error) {
	for _, it := range p.items {
		if it.manifest != m {
			continue
		}
		set, err := p.o.Settings.Look(m)
		if err != nil {
			return nil, err
		}
		p.o.fill(set, it.env, it.entry)
		env, _, err := m.ResolveEnv(set)
		return env, err
	}
	return nil, fmt.Errorf("%s is not one of its capsules", m.ID())
}

// Prepare decides what will be installed and checks it: the answers, each package, the lock if one must be
// kept, and that the capsules would load together with what is installed. Nothing is written. A *FailedError
// lists every capsule with which something is wrong.
func Prepare(ctx context.Context, o Options) (*Prepared, error) {
	p := &Prepared{o: o}
	var err error
	if p.before, err = LoadLock(o.LockPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	entries, envs, err := o.decide()
	if err != nil {
		return nil, err
	}
	if err := o.checkLocked(entries); err != nil {
		return nil, err
	}
	failed := &FailedError{}
	for i, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		it, err := o.look(ctx, i, len(entries), e, envs[i])
		if err != nil {
			failed.Failures = append(failed.Failures, Failure{e.Name, err})
			continue
		}
		p.items = append(p.items, it)
	}
	if len(failed.Failures) == 0 {
		if failed.Failures, err = p.unloadable(); err != nil {
			return nil, err
		}
	}
	if len(failed.Failures) > 0 {
		return nil, failed
	}
	return p, nil
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

// ErrLocked refuses what is not as the lock says.
var ErrLocked = errors.New("the lock says otherwise")

// checkLocked compares what the distro lists with the lock that must be kept.
func (o *Options) checkLocked(entries []Entry) error {
	l := o.Locked
	if l == nil {
		return nil
	}
	if !l.Fresh(o.Manifest) {
		return fmt.Errorf("%w: it is of %s %s, this is %s %s", ErrLocked, l.Distro.ID, l.Distro.Version, o.Manifest.Info.ID, o.Manifest.Info.Version)
	}
	for _, e := range entries {
		have, ok := l.Find(e.Name)
		switch {
		case !ok:
			return fmt.Errorf("%w: it does not list %s", ErrLocked, e.Name)
		case have.Version != e.Version.String() || have.Source != e.Source:
			return fmt.Errorf("%w: it has %s %s from %s, the distro has %s from %s", ErrLocked, e.Name, have.Version, have.Source, e.Version, e.Source)
		}
	}
	for _, have := range l.Capsules {
		if !slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == have.Name }) {
			return fmt.Errorf("%w: it lists %s, which would not be installed; choose the same providers", ErrLocked, have.Name)
		}
	}
	return nil
}

// look fetches and inspects one package.
func (o *Options) look(ctx context.Context, i, n int, e Entry, env map[string]string) (item, error) {
	it := item{entry: e, env: env}
	o.report(i, n, e.Name, Fetching)
	pkg, err := o.Source.Open(ctx, e)
	if err != nil {
		return it, err
	}
	o.report(i, n, e.Name, Verifying)
	have, err := o.Store.Get(e.Name)
	if err != nil && !errors.Is(err, store.ErrNotInstalled) {
		return it, err
	}
	whole := err == nil && have.Err == nil && o.Store.Verify(e.Name) == nil
	if pkg.Installed != "" {
		if !whole || have.Meta.ArchiveHash != pkg.Installed {
			return it, fmt.Errorf("what is installed is not whole any more")
		}
		it.manifest, it.archive = have.Manifest, pkg.Installed
	} else if it.manifest, it.archive, err = pkg.inspect(); err != nil {
		return it, err
	}
	if err := it.check(o.Locked); err != nil {
		return it, err
	}
	if whole && have.Meta.ArchiveHash == it.archive && have.Meta.Source == e.Source {
		it.same = &have
	}
	return it, nil
}

// check compares the package with what the distro and the lock say of it.
func (it *item) check(locked *Lock) error {
	m, e := it.manifest, it.entry
	switch {
	case m.ID() != e.Name:
		return fmt.Errorf("it is called %q, %q was expected", m.ID(), e.Name)
	case m.Package.Version.Compare(e.Version) != 0:
		return fmt.Errorf("it has version %s, %s was expected", m.Package.Version, e.Version)
	}
	for key := range e.Env {
		if _, declared := m.Env[key]; !declared {
			return fmt.Errorf("the distro sets %q, which the capsule does not declare in [env]", key)
		}
	}
	l, ok := locked.Find(e.Name)
	if !ok {
		return nil
	}
	it.wasm = l.WasmHash()
	if want := l.ArchiveHash(); want != "" && want != it.archive {
		return fmt.Errorf("%w: its archive has blake3 %s, locked is %s", ErrLocked, it.archive, want)
	}
	return nil
}

// unloadable checks the set that there would be: each capsule of the distro must load among everything in the
// store, and what the distro requires must be provided.
func (p *Prepared) unloadable() ([]Failure, error) {
	mine := map[string]bool{}
	set := p.Manifests()
	for _, m := range set {
		mine[m.ID()] = true
	}
	all, err := p.o.Store.List()
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		if i.Manifest != nil && !mine[i.Name] {
			set = append(set, i.Manifest)
		}
	}
	var failures []Failure
	plan := capsule.Resolve(set)
	for _, r := range plan.Refused {
		if mine[r.Manifest.ID()] {
			failures = append(failures, Failure{r.Manifest.ID(), errors.New("it would not load: " + r.Reason)})
		}
	}
	info := p.o.Manifest.Info
	for _, need := range p.o.Manifest.Requires {
		if !provided(need, plan.Order) {
			failures = append(failures, Failure{info.ID, fmt.Errorf("no capsule provides %s %s, which the distro requires", need.Interface, need.Requirement)})
		}
	}
	return failures, nil
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
