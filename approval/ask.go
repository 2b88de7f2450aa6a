package approval

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// askHuman is layer 4.
func (i *Interceptor) askHuman(ctx context.Context, s *Subject, a *Action, v verdict, cost Micros) (*cover, *refusal, error) {
	e := newPending(newRequest(s, a, v, cost, i.offersAlways(), i.now()), a)
	if n := len(e.Request.Resource); n > maxAsked {
		return nil, &refusal{is: ErrDenied, layer: LayerApproval, rule: v.rule, source: v.source, reason: fmt.Sprintf(
			"somebody has to be asked about it, and nobody reads %d bytes (at most %d): put the long part into a file", n, maxAsked)}, nil
	}
	e.era = i.allowances.era(s.Principal, s.Session)
	res, err := i.approvals.await(ctx, e, i.allowances.change, func() *cover {
		if c := i.claimToken(ctx, s, a); c != nil {
			return c
		}
		return i.useAllowance(ctx, s, a)
	})
	refused := &refusal{is: ErrDenied, layer: LayerApproval, rule: v.rule, source: v.source, requestID: e.Request.ID}
	switch {
	case err != nil:
		return nil, nil, err
	case res.cover != nil:
		return res.cover, nil, nil
	case res.refused != "":
		refused.reason, refused.requestID = res.refused, ""
		return nil, refused, nil
	case res.decision != nil && res.decision.Choice == Defer:
		res.unheard = "whoever was asked put it off"
	}
	switch {
	case res.unheard != "" && i.approvals.o.Fallback == FallbackSkip:
		refused.reason = res.unheard
		return nil, refused, nil
	case res.unheard != "":
		return nil, i.postpone(ctx, e, res.unheard, *refused), nil
	}
	d := *res.decision
	if d.Choice == Deny {
		refused.reason = "the user denied it"
		if d.Feedback != "" {
			refused.reason += ": " + Display(d.Feedback)
		}
		return nil, refused, nil
	}
	return i.approved(e, d), nil, nil
}

func (i *Interceptor) offersAlways() bool {
	_, none := i.tokens.(noTokens)
	return !none
}

// approved turns a yes into a cover. Lasting grants are made after the decision is recorded.
func (i *Interceptor) approved(e *pending, d Decision) *cover {
	id := e.Request.ID
	c := &cover{layer: LayerApproval, proof: "user:" + id, requestID: id, choice: d.Choice}
	if d.Choice == ApproveOnce {
		return c
	}
	c.granted = i.grantText(e, d)
	c.after = func(ctx context.Context, auditID string) string {
		proof, err := i.grantLasting(ctx, e, d, auditID)
		if err != nil {
			// The human said yes to this call at least; the next one asks again.
			i.log.Error("A lasting permission could not be stored", "request", id, "err", err)
			return ""
		}
		return proof
	}
	return c
}

// grantText is what the audit entry says about a lasting grant.
func (i *Interceptor) grantText(e *pending, d Decision) string {
	switch d.Choice {
	case ApproveAlways:
		return "always " + Display(e.Token)
	case ApproveOnce:
		return "once " + e.once().String()
	}
	al := e.allowance(d, "", i.now())
	return string(al.Scope) + " " + al.Pattern.String()
}

// onceFor is how long the approval of a queued action waits for the action to be tried again.
const onceFor = 24 * time.Hour

// allowance is what an approval grants, apart from "always".
func (e *pending) allowance(d Decision, auditID string, now time.Time) Allowance {
	r := &e.Request
	al := Allowance{ID: r.ID, Principal: r.Principal, Capsule: r.Capsule, Session: r.Session, Workspace: r.Workspace,
		Scope: ScopeSession, Pattern: e.Lasting, CreatedAt: now, AuditID: auditID}
	switch d.Choice {
	case ApproveOnce:
		// Not for ever: an agent that gave up would leave a loaded gun behind.
		al.Scope, al.Pattern, al.MaxUses, al.ExpiresAt = ScopeOnce, e.once(), 1, now.Add(onceFor)
	case ApproveWorkspace:
		al.Scope = ScopeWorkspace
	case ApprovePattern:
		al.Pattern, al.MaxUses = *d.Pattern, d.MaxUses
		if d.Scope != "" {
			al.Scope = d.Scope
		}
		if d.For > 0 {
			al.ExpiresAt = now.Add(d.For)
		}
	}
	return al
}

// grantLasting stores what the human granted and wakes the calls that wait for the same thing.
func (i *Interceptor) grantLasting(ctx context.Context, e *pending, d Decision, auditID string) (proof string, err error) {
	if d.Choice == ApproveAlways {
		id, err := i.tokens.Mint(ctx, Mint{Principal: e.Request.Principal, Capsule: e.Request.Capsule,
			Resource: e.Token, AuditID: auditID})
		if err != nil {
			return "", err
		}
		i.allowances.wake()
		return "token:" + id, nil
	}
	al := e.allowance(d, auditID, i.now())
	return "allowance:" + al.ID, i.allowances.add(ctx, al, e.era)
}

// postpone queues an action that nobody answered for.
func (i *Interceptor) postpone(ctx context.Context, e *pending, why string, refused refusal) *refusal {
	ctx = context.WithoutCancel(ctx)
	e.Why = why
	id, fresh, err := i.approvals.enqueue(ctx, e)
	if err != nil {
		refused.requestID = ""
		refused.reason = why + ", and " + err.Error()
		return &refused
	}
	refused.is, refused.requestID, refused.reason = ErrDeferred, id, why
	if fresh {
		refused.recorded = func(ok bool) {
			if ok {
				i.approvals.publish(e)
				return
			}
			if err := i.approvals.drop(ctx, e); err != nil {
				i.log.Error("An unrecorded approval request stays in the store", "request", id, "err", err)
			}
		}
	}
	return &refused
}

// errNotRecorded wraps the audit error of an answer to a queued request.
var errNotRecorded = errors.New("the decision could not be recorded, so it does not count; answer again")

// answerQueued records the answer to a queued request and then grants it.
func (i *Interceptor) answerQueued(ctx context.Context, e *pending, d Decision) error {
	ctx = context.WithoutCancel(ctx)
	r := &e.Request
	e.era = i.allowances.era(r.Principal, r.Session)
	rec := Record{Principal: r.Principal, Capsule: r.Capsule, Session: r.Session, Function: "approvals",
		Kind: r.Kind, Resource: clip(e.Resource), Layer: LayerApproval, Rule: r.Rule, Source: r.Source,
		RequestID: r.ID, Risk: r.Risk}
	if d.Choice == Deny {
		rec.Reason = "the user denied it"
		if d.Feedback != "" {
			rec.Reason += ": " + Display(d.Feedback)
		}
	} else {
		rec.Allowed, rec.Proof, rec.Granted = true, "user:"+r.ID, i.grantText(e, d)
	}
	id, err := i.auditor.Append(ctx, rec)
	if err != nil {
		i.counters.auditFailed.Add(1)
		return errors.Join(errNotRecorded, auditFailed(err))
	}
	if d.Choice != Deny {
		if _, err := i.grantLasting(ctx, e, d, id); err != nil {
			return err
		}
	}
	return i.approvals.forget(ctx, r.ID)
}

// EndSession drops what belongs to a session: its waiting questions, its allowances and its budget total.
func (i *Interceptor) EndSession(ctx context.Context, principal, session string) error {
	i.approvals.endSession(principal, session)
	i.allowances.EndSession(principal, session)
	return i.budgets.EndSession(ctx, principal, session)
}
