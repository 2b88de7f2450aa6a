package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/engine/wasm"
	capstore "github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// loadAll loads every installed capsule that is not loaded yet, in the order of imports.
// What cannot be loaded is recorded; the error is about the scan itself.
func (k *Kernel) loadAll(ctx context.Context) error {
	k.loadMu.Lock()
	defer k.loadMu.Unlock()
	p, err := k.opts.Home.Principal(home.DefaultPrincipal)
	if err != nil {
		return err
	}
	// An installation that was killed is undone before anything is loaded from it.
	st := capstore.Store{Dir: p.CapsulesDir(), BinDir: k.opts.Home.BinDir(), WitDir: k.opts.Home.WitDir()}
	restored, err := st.Recover()
	if err != nil {
		return fmt.Errorf("installed capsules: %w", err)
	}
	for _, name := range restored {
		slog.Warn("An interrupted installation was undone", "capsule", name)
	}
	seen := k.installed() // what changes from here on is seen as a change
	found := capsule.Discover(p.CapsulesDir())
	for _, m := range found.Manifests {
		for _, w := range m.Warnings {
			slog.Warn("Capsule manifest", "capsule", m.ID(), "warning", w)
		}
	}
	if err := k.settleRemovals(ctx, p, st); err != nil {
		return err
	}
	manifests, refused, err := switchedOff(p, found.Manifests)
	if err != nil {
		return err
	}
	plan := capsule.Resolve(manifests)
	k.unloadOthers(ctx, plan, found.Problems)
	for _, problem := range found.Problems {
		refused = append(refused, refusal{name: filepath.Base(problem.Dir), dir: problem.Dir, reason: problem.Err.Error()})
	}
	for _, r := range plan.Refused {
		refused = append(refused, refusal{name: r.Manifest.ID(), version: r.Manifest.Package.Version.String(), dir: r.Manifest.Dir, reason: r.Reason})
	}
	refused = append(refused, k.loadOrdered(ctx, plan.Order)...)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, r := range refused {
		slog.Warn("Capsule not loaded", "capsule", r.name, "dir", r.dir, "reason", r.reason)
	}
	k.mu.Lock()
	k.refused, k.seen = refused, seen
	k.mu.Unlock()
	ready, err := ipc.RawJSON(map[string]string{"status": "ready"})
	if err != nil {
		return err
	}
	return k.publish(ctx, abi.TopicCapsulesLoaded, ready)
}

// loadOrdered compiles capsules side by side, which is most of the work, and registers
// them one by one in order, each only if what it imports is there.
func (k *Kernel) loadOrdered(ctx context.Context, order []*capsule.Manifest) []refusal {
	type result struct {
		c    *capsule.Capsule
		from string // what it was loaded from: what changes meanwhile is loaded the next time
		err  error
	}
	results := make([]result, len(order))
	g := new(errgroup.Group)
	g.SetLimit(4)
	for i, m := range order {
		from := k.fingerprint(m)
		if k.registry.Get(m.ID()) != nil && from == k.loadedAs(m.ID()) {
			continue
		}
		g.Go(func() error {
			if ctx.Err() != nil {
				results[i] = result{err: context.Cause(ctx)}
				return nil
			}
			c, err := k.loadOne(ctx, m)
			results[i] = result{c, from, err}
			return nil
		})
	}
	_ = g.Wait() // failures are per capsule
	var refused []refusal
	failed := make(map[string]bool)
	for i, m := range order {
		r := results[i]
		if r.c == nil && r.err == nil {
			continue // loaded earlier
		}
		err := r.err
		if missing := missingImport(m, order, failed); err == nil && missing != "" {
			err = errors.Join(fmt.Errorf("it imports %s, whose only exporter was not loaded", missing), r.c.Stop(ctx))
		}
		if err == nil {
			err = k.enter(ctx, r.c, r.from)
		}
		if err != nil {
			failed[m.ID()] = true
			refused = append(refused, refusal{name: m.ID(), version: m.Package.Version.String(), dir: m.Dir, reason: err.Error()})
		}
	}
	return refused
}

// enter makes a capsule the one of its name and starts it. The one it replaces ends the
// calls it has begun; what is sent meanwhile waits in the new one's mailbox. from is the
// fingerprint of what it was loaded from.
func (k *Kernel) enter(ctx context.Context, c *capsule.Capsule, from string) error {
	if err := k.runLifecycle(ctx, c); err != nil {
		return errors.Join(err, c.Stop(ctx))
	}
	old, err := k.registry.Replace(c)
	if err != nil {
		return errors.Join(err, c.Stop(ctx))
	}
	if old != nil {
		if err := old.Stop(ctx); err != nil {
			slog.Warn("The replaced capsule did not end in order", "capsule", c.ID(), "error", err)
		}
	}
	if err := c.Start(k.ctx); err != nil {
		k.registry.Remove(c.ID())
		return errors.Join(err, c.Stop(ctx))
	}
	k.mu.Lock()
	k.loaded[c.ID()] = from
	k.mu.Unlock()
	k.tellLacking(ctx, c.ID())
	return nil
}

// fingerprint changes when anything changes that a capsule is loaded from. Files that
// cannot be read are met again, and reported, when it is loaded.
func (k *Kernel) fingerprint(m *capsule.Manifest) string {
	p, err := k.opts.Home.Principal(home.DefaultPrincipal)
	if err != nil {
		return ""
	}
	all := []byte(m.Hash + "\n")
	for _, path := range []string{filepath.Join(m.Dir, capsule.MetaName), capsule.EnvPath(p.Root(), m.ID()), capsule.ConsentPath(p.Root(), m.ID())} {
		b, err := os.ReadFile(path)
		all = append(all, fmt.Sprintf("%s %v %d\n", path, err == nil, len(b))...)
		all = append(all, b...)
	}
	// A secret that is set again lies in a file with another nonce.
	if stamp, err := k.secrets.Stamp(p.Name(), m.ID()); err == nil {
		all = append(all, stamp...)
	}
	return capsule.Hash(all)
}

func (k *Kernel) loadedAs(id string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.loaded[id]
}

// missingImport names a required import of m that only failed capsules export.
func missingImport(m *capsule.Manifest, order []*capsule.Manifest, failed map[string]bool) string {
	for _, imp := range m.Imports {
		if imp.Optional {
			continue
		}
		if !slices.ContainsFunc(order, func(o *capsule.Manifest) bool {
			return !failed[o.ID()] && slices.ContainsFunc(o.Exports, func(e capsule.Export) bool { return e.Satisfies(imp) })
		}) {
			return imp.Interface.String()
		}
	}
	return ""
}

// loadOne verifies, compiles and prepares one capsule. It is ready for Start.
func (k *Kernel) loadOne(ctx context.Context, m *capsule.Manifest) (*capsule.Capsule, error) {
	p, err := k.opts.Home.Principal(home.DefaultPrincipal)
	if err != nil {
		return nil, err
	}
	meta, err := capsule.LoadMeta(m.Dir)
	if err != nil {
		return nil, err
	}
	env, err := k.env(p, m)
	if err != nil {
		return nil, err
	}
	if m.Main() == nil {
		return nil, fmt.Errorf("it has no [[component]]: only WASM capsules can run")
	}
	binary, err := capstore.VerifyBinary(m.Dir, m, meta, k.opts.Home.BinDir())
	if err != nil {
		return nil, err
	}
	if err := k.honourConsent(ctx, p, m, env); err != nil {
		return nil, err
	}
	bounds, err := m.Bounds(env)
	if err != nil {
		return nil, err
	}
	hc := &host.Capsule{
		ID: m.ID(), SourceID: uuid.NewString(), Principal: home.DefaultPrincipal,
		Bounds: bounds, Config: env, SecretKeys: m.SecretKeys(),
	}
	// A secret's value stays in the store; the default of one is not secret.
	for _, key := range hc.SecretKeys {
		env[key], _ = m.Env[key].DefaultText()
	}
	for _, ic := range m.Interceptors {
		hc.Interceptors = append(hc.Interceptors, host.AutoSubscription{Topic: ic.Event, Action: ic.Action})
	}
	engine, err := k.runtime.LoadLazily(wasm.Interruptible(ctx), hc, binary, func() ([]byte, error) {
		return capstore.VerifyBinary(m.Dir, m, meta, k.opts.Home.BinDir())
	})
	if err != nil {
		return nil, err
	}
	return capsule.New(m, engine, capsule.Options{SourceID: hc.SourceID, Principal: hc.Principal, Mailbox: capsule.MailboxOptions{Capacity: k.opts.Config.Limits.Mailbox}, Now: k.now}), nil
}

// engineOf is what loadOne made a capsule with.
func engineOf(c *capsule.Capsule) *wasm.Engine { return c.Engine().(*wasm.Engine) }

// settings is where the answers of a principal are kept.
func (k *Kernel) settings(p home.Principal) capsule.Settings {
	return capsule.Settings{Principal: p.Name(), Home: p.Root(), Secrets: k.secrets}
}

// env resolves the capsule's settings: what the user set, else the manifest's defaults.
func (k *Kernel) env(p home.Principal, m *capsule.Manifest) (map[string]string, error) {
	set, err := k.settings(p).Load(m)
	if err != nil {
		return nil, err
	}
	env, missing, err := m.ResolveEnv(set)
	if err != nil {
		return nil, err
	}
	k.lacking.set(m, missing)
	return env, nil
}

// capsuleStatus describes every capsule, loaded or refused, by name.
func (k *Kernel) capsuleStatus() []abi.CapsuleStatus {
	var out []abi.CapsuleStatus
	k.mu.Lock()
	for _, r := range k.refused {
		out = append(out, abi.CapsuleStatus{Name: r.name, Version: r.version, Dir: r.dir, State: r.status(), Reason: r.reason})
	}
	k.mu.Unlock()
	for _, c := range k.registry.List() {
		s := c.Status()
		if s.Reason == "" {
			s.Reason = k.lacking.reason(c.ID())
		}
		u := engineOf(c).Usage()
		s.Instances, s.MemoryBytes, s.CPUMicros, s.HostCalls = u.Instances(), u.Memory(), uint64(u.CPU().Microseconds()), u.HostCalls()
		for _, share := range u.Shares() {
			s.Shares = append(s.Shares, abi.CPUShare{Principal: share.Principal, CPUMicros: uint64(share.CPU.Microseconds()), ThrottledMicros: uint64(share.Throttled.Microseconds())})
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b abi.CapsuleStatus) int { return strings.Compare(a.Name, b.Name) })
	return out
}
