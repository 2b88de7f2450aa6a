package capsule

import (
	"fmt"
	"sort"
	"strings"
)

// Plan is what Resolve decided about a set of manifests.
type Plan struct {
	Order   []*Manifest // load order: providers before those who import from them
	Refused []Refusal   // by name, then path
}

// Refusal is a capsule that cannot be loaded. Reason is a sentence for the user, without the capsule's name.
type Refusal struct {
	Manifest *Manifest
	Reason   string
}

func (r Refusal) Error() string {
	return fmt.Sprintf("capsule %s: %s", r.Manifest.ID(), r.Reason)
}

// Resolve orders capsules so that each one comes after every provider of its imports. Among capsules that
// are ready, uplinks come first, then names in byte order; the result depends on the order of the input only
// when two capsules have the same name, where the earlier one is kept.
//
// A capsule is refused when a required import has no loadable provider (so a refusal spreads to those who
// depend on it, each with a reason of its own), when its required imports form a cycle, or when its name is
// taken. All exporters of a matching version count as providers. An optional import orders loading if it
// can, and is disregarded where it would close a cycle. A capsule's own export satisfies its import.
func Resolve(manifests []*Manifest) *Plan {
	r := &resolver{reasons: map[*Manifest]string{}}
	r.admit(manifests)
	r.refuseUnsatisfied()
	if r.refuseCycles() {
		r.refuseUnsatisfied()
	}
	return r.plan()
}

type resolver struct {
	known   []*Manifest // one per name, by name: everything that exports could come from
	alive   []*Manifest // those not refused yet, by name
	dupes   []Refusal
	reasons map[*Manifest]string
}

func (r *resolver) admit(manifests []*Manifest) {
	first := map[string]*Manifest{}
	for _, m := range manifests {
		if kept, taken := first[m.ID()]; taken {
			r.dupes = append(r.dupes, Refusal{m, fmt.Sprintf("the name is already taken: %s is loaded, %s is not; remove one of them", kept.Path, m.Path)})
			continue
		}
		first[m.ID()] = m
		r.known = append(r.known, m)
	}
	sort.Slice(r.known, func(i, j int) bool { return r.known[i].ID() < r.known[j].ID() })
	for _, m := range r.known {
		if m.IsUplink() && len(m.Imports) > 0 {
			r.reasons[m] = fmt.Sprintf("it is an uplink, which loads before all others, and so cannot import %s", m.Imports[0].Interface)
		}
	}
	r.sweep()
}

// sweep drops the refused from alive.
func (r *resolver) sweep() {
	r.alive = nil
	for _, m := range r.known {
		if _, refused := r.reasons[m]; !refused {
			r.alive = append(r.alive, m)
		}
	}
}

// refuseUnsatisfied refuses until every required import of those alive has a provider alive. Reasons are
// decided round by round against the state before the round, so they do not depend on input order.
func (r *resolver) refuseUnsatisfied() {
	for {
		round := map[*Manifest]string{}
		for _, m := range r.alive {
			for _, i := range m.Imports {
				if !i.Optional && !provided(i, r.alive) {
					round[m] = r.whyMissing(i)
					break
				}
			}
		}
		if len(round) == 0 {
			return
		}
		for m, reason := range round {
			r.reasons[m] = reason
		}
		r.sweep()
	}
}

func provided(i Import, by []*Manifest) bool {
	for _, m := range by {
		if m.satisfies(i) {
			return true
		}
	}
	return false
}

// satisfies reports whether one of the capsule's exports fulfils the import.
func (m *Manifest) satisfies(i Import) bool {
	for _, e := range m.Exports {
		if e.Satisfies(i) {
			return true
		}
	}
	return false
}

// whyMissing says what is wrong with an import that nobody alive provides.
func (r *resolver) whyMissing(i Import) string {
	need := fmt.Sprintf("it needs %s %s", i.Interface, i.Requirement)
	var refused, others []string
	for _, m := range r.known {
		for _, e := range m.Exports {
			switch {
			case e.Satisfies(i):
				refused = append(refused, m.ID())
			case e.Interface == i.Interface:
				others = append(others, fmt.Sprintf("%s provides %s", m.ID(), e.Version))
			}
		}
	}
	switch {
	case len(refused) > 0:
		return fmt.Sprintf("%s from %s, which cannot be loaded either", need, strings.Join(refused, " or "))
	case len(others) > 0:
		return fmt.Sprintf("%s, but %s; update or install a matching capsule", need, strings.Join(others, " and "))
	default:
		return need + ", which no installed capsule provides; install one that exports it"
	}
}

// edges maps each capsule alive to those it takes required (or optional) imports from.
func (r *resolver) edges(optional bool) map[*Manifest][]*Manifest {
	out := map[*Manifest][]*Manifest{}
	for _, m := range r.alive {
		for _, provider := range r.alive {
			if provider != m && needs(m, provider, optional) {
				out[m] = append(out[m], provider)
			}
		}
	}
	return out
}

func needs(m, provider *Manifest, optional bool) bool {
	for _, i := range m.Imports {
		// What a capsule provides for itself it does not wait for.
		if i.Optional == optional && provider.satisfies(i) && !m.satisfies(i) {
			return true
		}
	}
	return false
}

// refuseCycles refuses every capsule that lies on a cycle of required imports.
func (r *resolver) refuseCycles() bool {
	edges := r.edges(false)
	for _, m := range r.alive {
		if cycle := shortestPath(edges, m, m); cycle != nil {
			names := make([]string, len(cycle))
			for i, c := range cycle {
				names[i] = c.ID()
			}
			r.reasons[m] = "its imports form a cycle: " + strings.Join(names, " → ") + "; make one of them optional"
		}
	}
	before := len(r.alive)
	r.sweep()
	return len(r.alive) < before
}

// shortestPath returns a path of at least one edge from one capsule to another, both included, or nil.
// Neighbours are in name order, so the same graph always gives the same path.
func shortestPath(edges map[*Manifest][]*Manifest, from, to *Manifest) []*Manifest {
	parent := map[*Manifest]*Manifest{}
	queue := []*Manifest{from}
	for len(queue) > 0 {
		m := queue[0]
		queue = queue[1:]
		for _, next := range edges[m] {
			if next == to {
				path := []*Manifest{to, m}
				for m != from {
					m = parent[m]
					path = append(path, m)
				}
				for i, j := 0, len(path)-1; i < j; i, j = i+1, j-1 {
					path[i], path[j] = path[j], path[i]
				}
				return path
			}
			if _, seen := parent[next]; !seen && next != from {
				parent[next] = m
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// plan orders those alive. The required edges have no cycle left; an optional edge is added unless it would
// close one.
func (r *resolver) plan() *Plan {
	edges, optional := r.edges(false), r.edges(true)
	for _, m := range r.alive {
		for _, provider := range optional[m] {
			if shortestPath(edges, provider, m) == nil {
				edges[m] = append(edges[m], provider)
			}
		}
	}
	p := &Plan{Refused: r.dupes}
	loaded := map[*Manifest]bool{}
	for len(p.Order) < len(r.alive) {
		next := r.nextReady(edges, loaded)
		loaded[next] = true
		p.Order = append(p.Order, next)
	}
	for m, reason := range r.reasons {
		p.Refused = append(p.Refused, Refusal{m, reason})
	}
	sort.Slice(p.Refused, func(i, j int) bool {
		a, b := p.Refused[i].Manifest, p.Refused[j].Manifest
		if a.ID() != b.ID() {
			return a.ID() < b.ID()
		}
		return a.Path < b.Path
	})
	return p
}

// nextReady picks the capsule to load next. The graph has no cycle, so there always is one.
func (r *resolver) nextReady(edges map[*Manifest][]*Manifest, loaded map[*Manifest]bool) *Manifest {
	var ready *Manifest
	for _, m := range r.alive {
		if loaded[m] || !allIn(edges[m], loaded) {
			continue
		}
		if m.IsUplink() {
			return m
		}
		if ready == nil {
			ready = m
		}
	}
	return ready
}

func allIn(list []*Manifest, set map[*Manifest]bool) bool {
	for _, m := range list {
		if !set[m] {
			return false
		}
	}
	return true
}
