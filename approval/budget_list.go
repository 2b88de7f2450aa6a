package approval

import (
	"maps"
	"slices"
	"strings"
)

// Total is what one session or workspace of a principal has used.
type Total struct {
	Scope    string // "session" or "workspace"
	Name     string // session id or workspace root
	Spent    Micros // settled
	Reserved Micros // of actions that still run
	Max      Micros // 0 = no limit
	Source   string // file:line of the limit
}

// Totals lists what a principal has used, workspaces first, each kind by name.
func (b *Budgets) Totals(principal string) []Total {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Total
	for k, a := range b.accounts {
		if k.principal != principal {
			continue
		}
		workspace := ""
		if k.scope == scopeWorkspace {
			workspace = k.name
		}
		limit, source := b.limitLocked(k, workspace)
		reserved := min(a.reserved, a.spent)
		out = append(out, Total{Scope: k.scope, Name: k.name, Spent: a.spent - reserved, Reserved: reserved, Max: limit, Source: source})
	}
	slices.SortFunc(out, func(a, b Total) int {
		if d := strings.Compare(b.Scope, a.Scope); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// Limits returns the common limits. The tariff must not be changed.
func (b *Budgets) Limits() Limits {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limits
}

// SetWorkspaceLimits gives a workspace limits of its own. Whichever is lower counts, the common one or the
// workspace's, and both tariffs are floors. Nil removes them.
func (b *Budgets) SetWorkspaceLimits(workspace string, l *Limits) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// Replaced rather than changed: nobody can see half of it.
	m := maps.Clone(b.byWorkspace)
	delete(m, workspace)
	if l != nil {
		if m == nil {
			m = map[string]Limits{}
		}
		m[workspace] = *l
	}
	b.byWorkspace = m
}

// lower returns the stricter of two limits, of which 0 is none.
func lower(base Micros, source string, ws Micros, wsSource string) (Micros, string) {
	if ws > 0 && (base == 0 || ws < base) {
		return ws, wsSource
	}
	return base, source
}

func (b *Budgets) limitLocked(k accountKey, workspace string) (Micros, string) {
	base, ws := &b.limits, b.byWorkspace[workspace]
	if k.scope == scopeSession {
		return lower(base.SessionMax, base.SessionSource, ws.SessionMax, ws.SessionSource)
	}
	return lower(base.WorkspaceMax, base.WorkspaceSource, ws.WorkspaceMax, ws.WorkspaceSource)
}

func (b *Budgets) perActionLocked(workspace string) (Micros, string) {
	base, ws := &b.limits, b.byWorkspace[workspace]
	return lower(base.PerActionMax, base.PerActionSource, ws.PerActionMax, ws.PerActionSource)
}

// unreserveLocked ends a reservation's part in the totals, whatever became of the money.
func (b *Budgets) unreserveLocked(keys []accountKey, cost Micros) {
	for _, k := range keys {
		if a := b.accounts[k]; a != nil { // a session's total goes when the session ends
			a.reserved = max(a.reserved-cost, 0)
		}
	}
}
