package approval

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Limits are the configured budgets. A zero or absent limit means unlimited.
type Limits struct {
	SessionMax   Micros
	WorkspaceMax Micros
	PerActionMax Micros
	// WarnPercent of a limit gives a warning when a reservation reaches it; 0 = never, above 100 = 100.
	WarnPercent int
	// Tariff gives the least a request to a host costs, so that a capsule cannot under-report.
	Tariff []Tariff
	// Source is the file:line that set each limit, for denials.
	SessionSource, WorkspaceSource, PerActionSource string
}

// BudgetWarning says that a budget is nearly used up.
type BudgetWarning struct {
	Scope   string // "session" or "workspace"
	Spent   Micros
	Max     Micros
	Percent int
}

// OverBudget is the refusal of a reservation.
type OverBudget struct {
	Scope     string // "per-action", "session" or "workspace"
	Source    string
	Requested Micros
	Available Micros // never negative
}

func (e *OverBudget) Error() string {
	return fmt.Sprintf("budget exceeded (%s limit): requested %s, available %s", e.Scope, e.Requested, e.Available)
}

// Is makes errors.Is(err, ErrBudget) true.
func (e *OverBudget) Is(target error) bool { return target == ErrBudget }

// account is one running total. Reservations are part of spent until they are settled.
type account struct {
	key      accountKey
	spent    Micros
	reserved Micros // the part of spent whose action still runs
}

// Budgets keeps the session and workspace totals. One lock covers both, so that no caller ever sees a
// reservation in one that is about to be taken back because of the other.
type Budgets struct {
	store Store

	mu          sync.Mutex
	limits      Limits
	byWorkspace map[string]Limits // stricter ones of workspaces
	accounts    map[accountKey]*account
}

// NewBudgets loads the totals from store; nil keeps them in memory only.
func NewBudgets(ctx context.Context, limits Limits, store Store) (*Budgets, error) {
	if store == nil {
		store = memory{}
	}
	b := &Budgets{store: store, limits: limits, accounts: map[accountKey]*account{}}
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// SetLimits replaces the limits; what was spent stays.
func (b *Budgets) SetLimits(l Limits) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = l
}

// Floor is the least a request from a workspace to a host costs.
func (b *Budgets) Floor(workspace, host string) (Micros, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	floor, source := floorFor(b.limits.Tariff, host)
	if ws, at := floorFor(b.byWorkspace[workspace].Tariff, host); ws > floor {
		return ws, at
	}
	return floor, source
}

// Spent returns what a session and a workspace have used, open reservations included.
func (b *Budgets) Spent(principal, session, workspace string) (sessionSpent, workspaceSpent Micros) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.accounts[sessionAccount(principal, session)]; a != nil {
		sessionSpent = a.spent
	}
	if a := b.accounts[workspaceAccount(principal, workspace)]; a != nil {
		workspaceSpent = a.spent
	}
	return sessionSpent, workspaceSpent
}

// Reserve takes cost from both budgets or from neither. The error is an *OverBudget, or the store's error:
// a total that cannot be saved is not spent.
func (b *Budgets) Reserve(ctx context.Context, s Subject, cost, floor Micros) (*Reservation, error) {
	cost = max(cost, floor)
	if cost < 0 || cost > maxMicros {
		return nil, fmt.Errorf("%w: %s", ErrAmount, cost)
	}
	r := &Reservation{budgets: b, cost: cost, floor: floor}
	if cost == 0 {
		// Costs nothing so far, but Settle may bring the true figure.
		r.keys = keysOf(s)
		return r, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if m, source := b.perActionLocked(s.Workspace); m > 0 && cost > m {
		return nil, &OverBudget{Scope: "per-action", Source: source, Requested: cost, Available: m}
	}
	r.keys = keysOf(s)
	for _, k := range r.keys {
		limit, source := b.limitLocked(k, s.Workspace)
		spent := b.spentLocked(k)
		if limit > 0 && (spent >= limit || cost > limit-spent) {
			return nil, &OverBudget{Scope: k.scope, Source: source, Requested: cost, Available: max(0, limit-spent)}
		}
		if w := warns(k.scope, spent, spent+cost, limit, b.limits.WarnPercent); w != nil && r.warning == nil {
			r.warning = w
		}
	}
	if err := b.takeLocked(ctx, r.keys, cost); err != nil {
		return nil, err
	}
	for _, k := range r.keys {
		b.accounts[k].reserved += cost
	}
	return r, nil
}

func (b *Budgets) spentLocked(k accountKey) Micros {
	if a := b.accounts[k]; a != nil {
		return a.spent
	}
	return 0
}

// takeLocked adds cost to all accounts and saves them. When that fails the totals in memory are as before; what
// reached the store over-counts, which errs on the safe side.
func (b *Budgets) takeLocked(ctx context.Context, keys []accountKey, cost Micros) error {
	err := b.changeLocked(ctx, keys, cost)
	if err != nil {
		for _, k := range keys {
			b.accounts[k].spent = max(b.accounts[k].spent-cost, 0)
		}
	}
	return err
}

// changeLocked adds d to all accounts and saves them. Memory changes whatever the store says: after an effect the
// money is gone or back. The error tells that a restart would see the older figure.
func (b *Budgets) changeLocked(ctx context.Context, keys []accountKey, d Micros) error {
	var errs []error
	for _, k := range keys {
		a := b.accounts[k]
		if a == nil {
			a = &account{key: k}
			b.accounts[k] = a
		}
		a.spent = min(max(a.spent+d, 0), maxMicros)
		errs = append(errs, b.saveLocked(ctx, a))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("save budget: %w", err)
	}
	return nil
}

// warns gives a warning only when this step crosses the threshold, so that a session is warned once.
func warns(scope string, before, after, limit Micros, percent int) *BudgetWarning {
	percent = min(percent, 100)
	if limit <= 0 || percent <= 0 {
		return nil
	}
	threshold := limit / 100 * Micros(percent)
	threshold += limit % 100 * Micros(percent) / 100
	if before >= threshold || after < threshold {
		return nil
	}
	return &BudgetWarning{Scope: scope, Spent: after, Max: limit, Percent: int(after * 100 / limit)}
}
