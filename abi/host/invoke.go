package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

// maxResult bounds what one call returns, in bytes: a guest of 64 MiB could not take more.
const maxResult = 3 * abi.MaxValue

// invoke runs one host function for one call. It is the only caller of plans, effects
// and plain handlers, and it asks the gate before either of the latter two.
func (h *Host) invoke(ctx context.Context, f *frame, fn abi.Function, args [][]byte) (out []byte, e *abi.Error) {
	// A defect in one handler must not take the daemon down with it.
	defer func() {
		if r := recover(); r != nil {
			slog.Error("Host function panicked", "function", fn.String(), "capsule", f.inst.capsule.ID,
				"panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			out, e = nil, abi.Errorf(abi.CodeInternal, "%s failed: internal error", fn)
		}
	}()
	h.calls[fn].Add(1)
	f.inst.calls++
	r := &h.table[fn]
	if r.waits() {
		defer f.inst.Blocked()()
	}
	var err error
	if r.works() && ctx.Err() != nil {
		// Guests yield rarely while they call us: one that is over must not have effects until then.
		err = context.Cause(ctx)
	} else if r.plan != nil {
		out, err = h.guarded(ctx, f, fn, r, args)
	} else if _, err = h.svc.Gate.Intercept(ctx, f.self, h.actions[fn]); err == nil {
		out, err = r.plain(ctx, f, args)
	}
	if err == nil && len(out) > maxResult {
		err = abi.Errorf(abi.CodeTooLarge, "%s: the result is %d bytes, the limit is %d: ask for less at a time", fn, len(out), maxResult)
	}
	if err != nil {
		e = toError(err)
		if e.Code == abi.CodeIO && ctx.Err() != nil { // the cause of an end may be any error
			e = abi.Errorf(toError(ctx.Err()).Code, "%s", e.Message)
		}
		return nil, e
	}
	return out, nil
}

// guarded runs a row whose effect reaches beyond the instance.
func (h *Host) guarded(ctx context.Context, f *frame, fn abi.Function, r *row, args [][]byte) ([]byte, error) {
	p, err := r.plan(ctx, f, args)
	if err != nil {
		return nil, err
	}
	if p.end != nil {
		defer p.end()
	}
	if p.idle {
		return nil, nil
	}
	p.action.Class = r.class
	p.action.Function = fn.String()
	if p.bounds == nil {
		return nil, abi.Errorf(abi.CodeInternal, "%s has no manifest check", fn)
	}
	workspace := ""
	if r.class == approval.Guarded {
		if workspace, err = h.svc.Files.WorkspaceOf(ctx, f.call.Principal, f.call.Session); err != nil {
			return nil, err
		}
	}
	grant, err := h.svc.Gate.Intercept(ctx, f.subject(p.bounds, workspace), p.action)
	if err != nil {
		if p.refused != nil {
			if b, ok := p.refused(err); ok {
				return b, nil
			}
		}
		return nil, err
	}
	return h.act(ctx, f, &p, grant)
}

// errUnfinished is the outcome of an effect that panicked.
var errUnfinished = errors.New("internal error: the effect may be half done")

// act performs what was decided and settles the grant, whatever happens.
func (h *Host) act(ctx context.Context, f *frame, p *plan, grant approval.Grant) (out []byte, err error) {
	err = errUnfinished
	defer func() {
		if p.holds && err == nil {
			return
		}
		var u *undone
		o := approval.Outcome{Err: err, Undone: errors.As(err, &u)}
		// The effect has happened; that its outcome could not be recorded is the host's problem, not the guest's.
		if serr := grant.Settle(context.WithoutCancel(ctx), o); serr != nil {
			slog.Error("Outcome was not recorded", "function", p.action.Function, "capsule", f.inst.capsule.ID, "error", serr)
		}
	}()
	out, err = p.do(ctx, grant)
	return out, err
}

// undone marks the error of an effect that never started, so that it costs nothing.
type undone struct{ err error }

func (u *undone) Error() string { return u.err.Error() }
func (u *undone) Unwrap() error { return u.err }

// subject is who the gate decides about.
func (f *frame) subject(bounds approval.Bounds, workspace string) approval.Subject {
	return approval.Subject{
		Principal: f.call.Principal,
		Capsule:   f.inst.capsule.ID,
		Session:   f.call.Session,
		Workspace: workspace,
		Via:       f.call.Chain,
		Bounds:    bounds,
	}
}
