package approval

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/unicity-astrid/astrid-go/capability"
)

// ledger is an in-memory audit log that can fail.
type ledger struct {
	mu      sync.Mutex
	records []Record
	settled []Settlement
	fail    error
	during  func() // called by each Append
}

func (l *ledger) Append(_ context.Context, r Record) (string, error) {
	if l.during != nil {
		l.during()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return "", l.fail
	}
	l.records = append(l.records, r)
	return fmt.Sprintf("entry-%d", len(l.records)), nil
}

func (l *ledger) Settle(_ context.Context, s Settlement) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled = append(l.settled, s)
	return nil
}

func (l *ledger) settlements() []Settlement {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.settled)
}

func (l *ledger) failWith(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

func (l *ledger) all() []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.records)
}

// mint is an in-memory capability store keyed by principal and capsule.
type mint struct {
	mu     sync.Mutex
	tokens []Mint
	single map[int]bool
	used   map[string]bool
	fail   error // of Mint
}

func newMint() *mint { return &mint{single: map[int]bool{}, used: map[string]bool{}} }

func (m *mint) add(t Mint, single bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.single[len(m.tokens)] = single
	m.tokens = append(m.tokens, t)
}

func (m *mint) Find(_ context.Context, s *Subject, a *Action) (Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, t := range m.tokens {
		id := fmt.Sprintf("t%d", n)
		g, err := capability.ParsePattern(t.Resource)
		if err == nil && t.Principal == s.Principal && t.Capsule == s.Capsule && !m.used[id] && g.Match(a.Resource) {
			return coin{m, id, m.single[n]}, nil
		}
	}
	return nil, nil
}

type coin struct {
	m      *mint
	id     string
	single bool
}

func (c coin) ID() string   { return c.id }
func (c coin) Hash() string { return "hash of " + c.id }

func (c coin) Claim(context.Context) error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.m.used[c.id] {
		return ErrTokenGone
	}
	if c.single {
		c.m.used[c.id] = true
	}
	return nil
}

func (c coin) Release(context.Context) error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	delete(c.m.used, c.id)
	return nil
}

func (m *mint) Mint(_ context.Context, t Mint) (string, error) {
	if m.fail != nil {
		return "", m.fail
	}
	m.add(t, false)
	return fmt.Sprintf("t%d", len(m.tokens)-1), nil
}

// disk is a Store in memory that survives reopening and can fail.
type disk struct {
	mu   sync.Mutex
	vals map[string][]byte
	fail error
}

func newDisk() *disk { return &disk{vals: map[string][]byte{}} }

func (d *disk) Put(_ context.Context, k string, v []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	d.vals[k] = slices.Clone(v)
	return nil
}

func (d *disk) Delete(_ context.Context, k string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	delete(d.vals, k)
	return nil
}

func (d *disk) Scan(_ context.Context, prefix string, fn func(string, []byte) error) error {
	d.mu.Lock()
	vals := maps.Clone(d.vals)
	d.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(vals)) {
		if strings.HasPrefix(k, prefix) {
			if err := fn(k, vals[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *disk) failWith(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = err
}

var errDisk = errors.New("disk full")

// open is a manifest that permits everything but what it lists.
type bounds struct{ refuse map[Kind]bool }

func (b *bounds) Permit(a *Action) (string, error) {
	if b.refuse[a.Kind] {
		return "capabilities." + string(a.Kind), located{errors.New("not declared in the manifest")}
	}
	return "declared", nil
}

type located struct{ error }

func (located) Source() string { return "Capsule.toml:7" }

// rig is a gate with all of its parts in reach.
type rig struct {
	*Interceptor
	t      *testing.T
	log    *ledger
	mint   *mint
	disk   *disk
	bounds *bounds
}

type rigOptions struct {
	rules   Rules
	limits  Limits
	manager ManagerOptions
	disk    *disk
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	r := &rig{t: t, log: &ledger{}, mint: newMint(), disk: o.disk, bounds: &bounds{refuse: map[Kind]bool{}}}
	if r.disk == nil {
		r.disk = newDisk()
	}
	ctx := context.Background()
	p, err := CompilePolicy(o.rules)
	must(t, err)
	b, err := NewBudgets(ctx, o.limits, r.disk)
	must(t, err)
	al, err := NewAllowances(ctx, AllowancesOptions{Store: r.disk, Now: o.manager.Now})
	must(t, err)
	o.manager.Store = r.disk
	m, err := NewManager(ctx, o.manager)
	must(t, err)
	r.Interceptor, err = New(Options{Auditor: r.log, Tokens: r.mint, Policy: p, Budgets: b, Allowances: al,
		Approvals: m, Now: o.manager.Now})
	must(t, err)
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) subject() Subject {
	return Subject{Principal: "alice", Capsule: "fs", Session: "s1", Workspace: "/ws", Bounds: r.bounds}
}

// answers attaches a client of alice that gives the same answer to everything.
func (r *rig) answers(d Decision) (asked *[]Request) {
	asked = new([]Request)
	var mu sync.Mutex
	detach := r.Approvals().Attach("alice", func(e Event) {
		if e.Type != Asked {
			return
		}
		mu.Lock()
		*asked = append(*asked, e.Request)
		mu.Unlock()
		if err := r.Approvals().Resolve(context.Background(), "alice", e.Request.ID, d); err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(detach)
	return asked
}

func read(path string) Action  { return Action{Kind: FSRead, Resource: "fs:read://" + path} }
func write(path string) Action { return Action{Kind: FSWrite, Resource: "fs:write://" + path} }
func run(argv ...string) Action {
	return Action{Kind: Exec, Argv: argv}
}
func get(url string) Action { return Action{Kind: NetRequest, Resource: "net:" + url, Method: "GET"} }
func inWS(a Action) Action {
	a.InWorkspace = true
	return a
}
