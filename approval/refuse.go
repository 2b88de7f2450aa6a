package approval

import (
	"context"
	"errors"
	"fmt"

	"github.com/zeebo/blake3"
)

// refusal is a decision against an action, before it is recorded.
type refusal struct {
	is                          error
	layer, rule, source, reason string
	requestID                   string
	cost                        Micros
	cause                       error
	recorded                    func(ok bool) // called once the refusal is, or is not, in the log
}

func manifestRefusal(rule string, err error) refusal {
	r := refusal{is: ErrDenied, layer: LayerManifest, rule: rule, reason: err.Error(), cause: err}
	var located interface{ Source() string }
	if errors.As(err, &located) {
		r.source = located.Source()
	}
	return r
}

func policyRefusal(v verdict) refusal {
	return refusal{is: ErrDenied, layer: LayerPolicy, rule: v.rule, source: v.source, reason: v.reason}
}

// Stopped records that a guard has stopped what the gate had let through; rule names the guard. Like all that is recorded it counts
// for the capsule's brake.
func (i *Interceptor) Stopped(ctx context.Context, s Subject, a Action, rule, reason string) error {
	return i.refuse(ctx, s, a, refusal{is: ErrDenied, layer: LayerGuard, rule: rule, reason: Display(reason)})
}

// refuse records a refusal and returns it. When it cannot be recorded the answer is still no.
func (i *Interceptor) refuse(ctx context.Context, s Subject, a Action, r refusal) error {
	if r.recorded == nil && r.is != ErrDeferred { // what is queued is always recorded
		if err := i.braked(ctx, s, a); err != nil {
			return err
		}
	}
	return i.recordRefusal(ctx, s, a, r)
}

func (i *Interceptor) recordRefusal(ctx context.Context, s Subject, a Action, r refusal) *Denial {
	d := &Denial{Layer: r.layer, Rule: r.rule, Source: r.source, Reason: r.reason, RequestID: r.requestID,
		is: r.is, cause: r.cause}
	rec := record(&s, &a)
	rec.Layer, rec.Rule, rec.Source, rec.Reason = r.layer, r.rule, r.source, r.reason
	rec.Deferred, rec.RequestID, rec.Cost = r.is == ErrDeferred, r.requestID, r.cost
	id, err := i.auditor.Append(context.WithoutCancel(ctx), rec)
	if r.recorded != nil {
		r.recorded(err == nil)
	}
	if err != nil {
		i.counters.auditFailed.Add(1)
		return auditFailed(err)
	}
	i.brakes.charge(&s, rec.size())
	d.AuditID = id
	if r.is == ErrDeferred {
		i.counters.deferred.Add(1)
	} else {
		i.counters.denied.Add(1)
	}
	return d
}

func auditFailed(err error) *Denial {
	return &Denial{Layer: LayerAudit, Reason: err.Error(), is: ErrAuditFailed, cause: err}
}

// MaxAuditResource bounds a resource in the audit log, in bytes.
const MaxAuditResource = 8 << 10

// record starts the audit record of an action.
func record(s *Subject, a *Action) Record {
	return Record{
		Principal: s.Principal, Capsule: s.Capsule, Session: shorten(s.Session, maxSession), Via: s.Via, Function: a.Function,
		Kind: a.Kind, Method: a.Method, Resource: clip(a.Resource), Risk: a.risk(),
		Relaxed: a.Kind == FSRead && a.InWorkspace,
	}
}

// clip shortens an over-long resource; the hash still binds the entry to the whole of it.
func clip(resource string) string {
	if len(resource) <= MaxAuditResource {
		return resource
	}
	sum := blake3.Sum256([]byte(resource))
	return shorten(resource, MaxAuditResource-128) + fmt.Sprintf(" (%d bytes, blake3 %x)", len(resource), sum)
}
