package approval

import (
	"context"
	"errors"
)

// Settle ends the action: the budget gets the true cost and the audit log the outcome.
func (g *grant) Settle(ctx context.Context, o Outcome) error {
	if !g.settled.CompareAndSwap(false, true) {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	charged, err := g.charge(ctx, o)
	if o.Err == nil && charged == 0 && o.Detail == "" {
		// An allowed action without an outcome entry ended well and cost nothing.
		return err
	}
	rec := Settlement{Principal: g.subject.Principal, Capsule: g.subject.Capsule, Session: g.subject.Session,
		AuditID: g.auditID, Cost: charged, Detail: Display(o.Detail)}
	if o.Err != nil {
		rec.Err = Display(o.Err.Error())
	}
	g.gate.brakes.charge(&g.subject, rec.size())
	return errors.Join(err, g.gate.auditor.Settle(ctx, rec))
}

func (g *grant) charge(ctx context.Context, o Outcome) (Micros, error) {
	if o.Undone {
		return 0, g.reservation.Refund(ctx)
	}
	if !o.HasCost {
		return g.reservation.Keep(), nil
	}
	actual, err := FromUSD(o.CostUSD)
	if err != nil {
		// A nonsense figure does not free the reservation.
		return g.reservation.Keep(), err
	}
	return g.reservation.Settle(ctx, actual)
}
