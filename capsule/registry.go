package capsule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/unicity-astrid/astrid-go/ipc"
)

// Errors of [Registry].
var (
	ErrLoaded     = errors.New("a capsule with this id is loaded already")
	ErrNotLoaded  = errors.New("capsule is not loaded")
	ErrReservedID = errors.New("capsule id is reserved")
	// ErrGuardLoop refuses a capsule that could not keep its promise: a guard must be
	// callable, and a run loop is not.
	ErrGuardLoop = errors.New("a capsule with a run loop cannot have interceptors below priority 100")
)

// Registry holds the loaded capsules. It is safe for concurrent use; lookups take no lock.
type Registry struct {
	mu  sync.Mutex // held by changes
	now atomic.Pointer[loaded]
}

// loaded is one immutable state of the registry.
type loaded struct {
	byID   map[string]*Capsule
	byUUID map[string]*Capsule
	list   []*Capsule
	exact  map[string][]binding // by topic
	wild   []binding
}

// binding is one interceptor of one capsule.
type binding struct {
	c     *Capsule
	ic    Interceptor
	order int // position in the manifest
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	r := &Registry{}
	r.now.Store(build(nil))
	return r
}

// Add registers a capsule. From now on events reach it.
func (r *Registry) Add(c *Capsule) error {
	_, err := r.change(c, false)
	return err
}

// Replace registers a capsule and returns the one with the same id that it took the place
// of, or nil. No event falls between the two. The caller stops the old one, and starts
// the new one afterwards if the order of messages matters: until then it only collects them.
func (r *Registry) Replace(c *Capsule) (*Capsule, error) {
	return r.change(c, true)
}

func (r *Registry) change(c *Capsule, replace bool) (*Capsule, error) {
	if err := admissible(c); err != nil {
		return nil, fmt.Errorf("capsule %s: %w", c.ID(), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	byID := maps.Clone(r.now.Load().byID)
	old := byID[c.ID()]
	if old != nil && !replace {
		return nil, fmt.Errorf("capsule %s: %w", c.ID(), ErrLoaded)
	}
	byID[c.ID()] = c
	r.now.Store(build(byID))
	return old, nil
}

func admissible(c *Capsule) error {
	if c.ID() == ipc.SourceKernel || c.ID() == ipc.SourceClient {
		return ErrReservedID // its messages would pass for the kernel's
	}
	if c.engine.HasRun() && slices.ContainsFunc(c.manifest.Interceptors, Interceptor.Guard) {
		return ErrGuardLoop
	}
	return nil
}

// Remove forgets a capsule and returns it, or nil. The caller stops it.
func (r *Registry) Remove(id string) *Capsule {
	r.mu.Lock()
	defer r.mu.Unlock()
	byID := maps.Clone(r.now.Load().byID)
	old := byID[id]
	delete(byID, id)
	r.now.Store(build(byID))
	return old
}

// Get returns the capsule with this id, or nil.
func (r *Registry) Get(id string) *Capsule { return r.now.Load().byID[id] }

// ByUUID returns the capsule with this source id, or nil.
func (r *Registry) ByUUID(sourceID string) *Capsule { return r.now.Load().byUUID[sourceID] }

// List returns all capsules by id.
func (r *Registry) List() []*Capsule { return slices.Clone(r.now.Load().list) }

// match returns the interceptors of topic that the dispatcher calls: by priority, capsule
// id and manifest order. Run loops are left out, they have subscriptions.
func (r *Registry) match(topic string) []binding {
	now := r.now.Load()
	out := slices.Clone(now.exact[topic])
	for _, b := range now.wild {
		if ipc.MatchExact(b.ic.Event, topic) {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, binding.compare)
	return out
}

func (b binding) compare(o binding) int {
	return cmp.Or(
		cmp.Compare(b.ic.Priority, o.ic.Priority),
		strings.Compare(b.c.ID(), o.c.ID()),
		cmp.Compare(b.order, o.order),
	)
}

// current returns the binding as it is now: of the same capsule, or of the one that took
// its place if that has the same interceptor.
func (r *Registry) current(b binding) (binding, bool) {
	c := r.Get(b.c.ID())
	if c == nil || c == b.c {
		return b, c != nil
	}
	for i, ic := range c.manifest.Interceptors {
		if ic.Event == b.ic.Event && ic.Action == b.ic.Action {
			return binding{c, ic, i}, !c.engine.HasRun()
		}
	}
	return b, false
}

func build(byID map[string]*Capsule) *loaded {
	if byID == nil {
		byID = make(map[string]*Capsule)
	}
	now := &loaded{byID: byID, byUUID: make(map[string]*Capsule), exact: make(map[string][]binding)}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		c := byID[id]
		now.list = append(now.list, c)
		now.byUUID[c.SourceID()] = c
		if c.engine.HasRun() {
			continue
		}
		for i, ic := range c.manifest.Interceptors {
			b := binding{c, ic, i}
			if slices.Contains(strings.Split(ic.Event, "."), "*") {
				now.wild = append(now.wild, b)
			} else {
				now.exact[ic.Event] = append(now.exact[ic.Event], b)
			}
		}
	}
	return now
}
