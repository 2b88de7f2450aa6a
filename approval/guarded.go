package approval

import (
	"context"
	"errors"
)

// ErrTokenGone: a token was used, revoked or has expired since it was found.
var ErrTokenGone = errors.New("token is no longer usable")

// cover is what lets an action through when the policy asks: a token, an allowance or a human's answer. undo
// gives it back when the decision cannot be recorded; after runs once it is recorded.
type cover struct {
	layer, proof string
	hash         string // of the token
	requestID    string
	choice       Choice
	granted      string
	undo         func(context.Context)
	after        func(ctx context.Context, auditID string) (proof string)
}

// guarded runs all five layers: bounds, policy, token, budget, approval, and then the audit entry.
func (i *Interceptor) guarded(ctx context.Context, s Subject, a Action) (Grant, error) {
	if err := ctx.Err(); err != nil {
		i.counters.canceled.Add(1)
		return nil, context.Cause(ctx)
	}
	if err := s.check(); err != nil {
		return nil, i.refuse(ctx, s, a, refusal{is: ErrDenied, layer: LayerManifest, rule: "subject", reason: err.Error()})
	}
	if err := i.braked(ctx, s, a); err != nil {
		return nil, err
	}
	if err := a.complete(); err != nil {
		return nil, i.refuse(ctx, s, a, refusal{is: ErrDenied, layer: LayerPolicy, rule: "resource", reason: err.Error()})
	}
	if rule, err := s.Bounds.Permit(&a); err != nil {
		return nil, i.refuse(ctx, s, a, manifestRefusal(rule, err))
	}
	v, ok := i.judge(&s, &a)
	if !ok {
		return nil, i.refuse(ctx, s, a, policyRefusal(v))
	}
	r, err := i.reserve(ctx, s, a)
	if err != nil {
		return nil, err
	}
	c, refused, err := i.cover(ctx, &s, &a, v, r.Cost())
	if err != nil || refused != nil {
		i.giveBack(ctx, r, nil)
		if err != nil {
			i.counters.canceled.Add(1)
			return nil, err
		}
		refused.cost = r.Cost()
		return nil, i.refuse(ctx, s, a, *refused)
	}
	if c.layer == LayerApproval {
		// Somebody may have taken minutes to answer. What the policy forbids by now no answer allows.
		if v, ok := i.judge(&s, &a); !ok {
			i.giveBack(ctx, r, c)
			return nil, i.refuse(ctx, s, a, policyRefusal(v))
		}
	}
	return i.admit(ctx, s, a, v, r, c)
}

// judge is layer 1, by the policy as it is now; false: it forbids the action.
func (i *Interceptor) judge(s *Subject, a *Action) (verdict, bool) {
	policy := i.policyOf(s)
	v, ok := policy.light(s, a)
	if ok {
		v = policy.judge(s, a)
	}
	return v, v.effect != deny
}

// reserve is layer 3.
func (i *Interceptor) reserve(ctx context.Context, s Subject, a Action) (*Reservation, error) {
	cost, err := FromUSD(a.CostUSD)
	if err != nil {
		return nil, i.refuse(ctx, s, a, refusal{is: ErrBudget, layer: LayerBudget, rule: "cost", reason: err.Error()})
	}
	var floor Micros
	if a.Kind == NetRequest {
		floor, _ = i.budgets.Floor(s.Workspace, a.Host)
	}
	// A store that gives up half-way with its caller would leave the totals apart.
	r, err := i.budgets.Reserve(context.WithoutCancel(ctx), s, cost, floor)
	if err == nil {
		if w := r.Warning(); w != nil && i.onWarning != nil {
			i.onWarning(s, *w)
		}
		return r, nil
	}
	refused := refusal{is: ErrBudget, layer: LayerBudget, rule: "budget", reason: err.Error(), cost: max(cost, floor), cause: err}
	var over *OverBudget
	if errors.As(err, &over) {
		refused.rule, refused.source = over.Scope+" budget", over.Source
	}
	return nil, i.refuse(ctx, s, a, refused)
}

// cover finds what allows the action: a token, the policy itself, an allowance, or a human.
func (i *Interceptor) cover(ctx context.Context, s *Subject, a *Action, v verdict, cost Micros) (*cover, *refusal, error) {
	if c := i.claimToken(ctx, s, a); c != nil {
		return c, nil, nil
	}
	if v.effect == allow {
		return &cover{layer: LayerPolicy, proof: "policy"}, nil, nil
	}
	if c := i.useAllowance(ctx, s, a); c != nil {
		return c, nil, nil
	}
	return i.askHuman(ctx, s, a, v, cost)
}

// claimTries bounds how often a token that somebody else took meanwhile is looked for again.
const claimTries = 4

// claimToken is layer 2. A store that fails means no token: the later layers still stand.
func (i *Interceptor) claimToken(ctx context.Context, s *Subject, a *Action) *cover {
	for range claimTries {
		t, err := i.tokens.Find(ctx, s, a)
		if err != nil {
			i.log.Warn("Token lookup failed", "capsule", s.Capsule, "principal", s.Principal, "err", err)
			return nil
		}
		if t == nil {
			return nil
		}
		if err := t.Claim(ctx); err != nil {
			if errors.Is(err, ErrTokenGone) {
				continue
			}
			i.log.Warn("Token could not be claimed", "token", t.ID(), "err", err)
			return nil
		}
		return &cover{layer: LayerToken, proof: "token:" + t.ID(), hash: t.Hash(), undo: func(ctx context.Context) {
			if err := t.Release(ctx); err != nil {
				i.log.Error("A token's use could not be given back", "token", t.ID(), "err", err)
			}
		}}
	}
	return nil
}

// useAllowance consumes a use of a standing permission.
func (i *Interceptor) useAllowance(ctx context.Context, s *Subject, a *Action) *cover {
	use, err := i.allowances.Consume(ctx, s, a)
	if err != nil {
		i.log.Warn("Allowance could not be used", "capsule", s.Capsule, "principal", s.Principal, "err", err)
		return nil
	}
	if use == nil {
		return nil
	}
	return &cover{layer: LayerApproval, proof: "allowance:" + use.ID, undo: func(ctx context.Context) {
		if err := use.Restore(ctx); err != nil {
			i.log.Error("An allowance's use could not be given back", "allowance", use.ID, "err", err)
		}
	}}
}

// admit is layer 5: the entry first, then what the human granted, then the permission to act.
func (i *Interceptor) admit(ctx context.Context, s Subject, a Action, v verdict, r *Reservation, c *cover) (Grant, error) {
	rec := record(&s, &a)
	rec.Allowed = true
	rec.Layer, rec.Proof, rec.ProofHash = c.layer, c.proof, c.hash
	rec.RequestID, rec.Granted = c.requestID, c.granted
	rec.Rule, rec.Source, rec.Cost = v.rule, v.source, r.Cost()
	id, err := i.auditor.Append(context.WithoutCancel(ctx), rec)
	if err != nil {
		i.giveBack(ctx, r, c)
		i.counters.auditFailed.Add(1)
		return nil, auditFailed(err)
	}
	i.brakes.charge(&s, rec.size())
	if c.after != nil {
		if proof := c.after(context.WithoutCancel(ctx), id); proof != "" {
			c.proof = proof
		}
	}
	i.counters.light[Guarded].Add(1)
	return &grant{auditID: id, proof: c.proof, choice: c.choice, reservation: r, gate: i, subject: s}, nil
}

// giveBack undoes what was taken for a call that does not happen. It must not be stopped by the call's own end.
func (i *Interceptor) giveBack(ctx context.Context, r *Reservation, c *cover) {
	ctx = context.WithoutCancel(ctx)
	if err := r.Refund(ctx); err != nil {
		i.log.Error("A budget reservation was given back but not saved", "err", err)
	}
	if c != nil && c.undo != nil {
		c.undo(ctx)
	}
}
