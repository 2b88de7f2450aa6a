package approval

import (
	"context"
	"fmt"
	"slices"
)

// Use is one consumed use of an allowance.
type Use struct {
	Allowance
	from *Allowances
}

// Consume takes one use of an allowance that covers the action, or returns nil. Finding and counting are one
// step, and a counted use of a persisted allowance is durable first, so that no crash gives it back.
func (as *Allowances) Consume(ctx context.Context, s *Subject, a *Action) (*Use, error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	k := owner{s.Principal, s.Capsule}
	list := as.byOwner[k]
	if len(list) == 0 {
		return nil, nil
	}
	list = as.sweepLocked(ctx, k)
	for _, x := range list {
		if !x.reaches(s) || !x.valid(as.now()) || !x.match(s, a) {
			continue
		}
		if x.MaxUses > 0 {
			next := x.Allowance
			next.Used++
			if next.persists() {
				if err := as.saveLocked(ctx, &next); err != nil {
					return nil, err
				}
			}
			x.Used = next.Used
		}
		return &Use{x.Allowance, as}, nil
	}
	return nil, nil
}

// sweepLocked drops the expired allowances of one owner. Used-up ones stay until the next start: a use that is
// given back must find its allowance again.
func (as *Allowances) sweepLocked(ctx context.Context, k owner) []*standing {
	now := as.now()
	list := slices.DeleteFunc(as.byOwner[k], func(x *standing) bool {
		if x.ExpiresAt.IsZero() || now.Before(x.ExpiresAt) {
			return false
		}
		if x.persists() {
			// What an error leaves behind is dropped by the next load.
			_ = as.store.Delete(ctx, allowancePrefix+x.ID)
		}
		return true
	})
	as.byOwner[k] = list
	return list
}

// Restore gives the use back: the action did not happen.
func (u *Use) Restore(ctx context.Context) error {
	if u.MaxUses == 0 {
		return nil
	}
	as := u.from
	as.mu.Lock()
	defer as.mu.Unlock()
	for _, x := range as.byOwner[owner{u.Principal, u.Capsule}] {
		if x.ID == u.ID && x.Used > 0 {
			x.Used--
			as.wakeLocked()
			if x.persists() {
				return as.saveLocked(ctx, &x.Allowance)
			}
			return nil
		}
	}
	return nil
}

// List returns the allowances of a principal that still count, oldest first.
func (as *Allowances) List(principal string) []Allowance {
	as.mu.Lock()
	defer as.mu.Unlock()
	var out []Allowance
	for k, list := range as.byOwner {
		if k.principal != principal {
			continue
		}
		for _, x := range list {
			if x.valid(as.now()) {
				out = append(out, x.Allowance)
			}
		}
	}
	slices.SortFunc(out, func(a, b Allowance) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return out
}

// Revoke removes an allowance of a principal. It is gone from memory even if the store fails, which the error says.
func (as *Allowances) Revoke(ctx context.Context, principal, id string) error {
	as.mu.Lock()
	defer as.mu.Unlock()
	for k, list := range as.byOwner {
		if k.principal != principal {
			continue
		}
		for n, x := range list {
			if x.ID != id {
				continue
			}
			// Out of memory first: a store that fails must not keep a revoked permission alive.
			as.byOwner[k] = slices.Delete(list, n, n+1)
			if x.persists() {
				if err := as.store.Delete(ctx, allowancePrefix+id); err != nil {
					return fmt.Errorf("allowance %s is revoked until the next start only: %w", id, err)
				}
			}
			return nil
		}
	}
	return fmt.Errorf("%w: %s", ErrNoAllowance, Display(id))
}

// EndSession drops the session-scoped allowances of a session and returns how many.
func (as *Allowances) EndSession(principal, session string) int {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.ended[sessionOf{principal, session}]++
	n := 0
	for k, list := range as.byOwner {
		if k.principal != principal {
			continue
		}
		as.byOwner[k] = slices.DeleteFunc(list, func(x *standing) bool {
			gone := x.Scope == ScopeSession && x.Session == session
			if gone {
				n++
			}
			return gone
		})
	}
	return n
}
