package approval

import (
	"context"
	"sync"
)

// Reservation is money set aside for one action.
type Reservation struct {
	budgets *Budgets
	keys    []accountKey
	floor   Micros
	warning *BudgetWarning

	mu   sync.Mutex
	cost Micros
	done bool
}

// Cost is what is set aside.
func (r *Reservation) Cost() Micros {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cost
}

// Warning reports the budget that this reservation took past its threshold, or nil.
func (r *Reservation) Warning() *BudgetWarning { return r.warning }

// Settle replaces the reserved cost with the actual one, but never less than the tariff's floor. The actual
// cost may exceed the reservation and with it the budget: money that is gone is counted, and the next
// reservation is refused. Only the first Settle or Refund counts. The amount charged is returned.
func (r *Reservation) Settle(ctx context.Context, actual Micros) (Micros, error) {
	return r.finish(ctx, min(max(actual, r.floor), maxMicros))
}

// Keep leaves the reserved amount spent.
func (r *Reservation) Keep() Micros {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.done {
		r.done = true
		r.budgets.mu.Lock()
		defer r.budgets.mu.Unlock()
		r.budgets.unreserveLocked(r.keys, r.cost)
	}
	return r.cost
}

// Refund gives everything back. It does nothing after Settle or Keep.
func (r *Reservation) Refund(ctx context.Context) error {
	_, err := r.finish(ctx, 0)
	return err
}

func (r *Reservation) finish(ctx context.Context, charge Micros) (Micros, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return r.cost, nil
	}
	r.done = true
	d := charge - r.cost
	b := r.budgets
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unreserveLocked(r.keys, r.cost)
	r.cost = charge
	if d == 0 {
		return charge, nil
	}
	return charge, b.changeLocked(ctx, r.keys, d)
}
