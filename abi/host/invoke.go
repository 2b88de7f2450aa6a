package host

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

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
	r := &h.table[fn]
	if r.waits() {
		defer f.inst.Blocked()()
	}
	if r.plan == nil {
		a := approval.Action{Kind: r.kind, Class: r.class, Function: fn.String()}
		if _, err := h.svc.Gate.Intercept(ctx, f.subject(own, ""), a); err != nil {
			return nil, toError(err)
		}
		b, err := r.plain(ctx, f, args)
		if err != nil {
			return nil, toError(err)
		}
		return b, nil
	}
	p, err := r.plan(ctx, f, args)
	if err != nil {
		return nil, toError(err)
	}
	p.action.Class = r.class
	p.action.Function = fn.String()
	if p.bounds == nil {
		return nil, abi.Errorf(abi.CodeInternal, "%s has no manifest check", fn)
	}
	workspace := ""
	if r.class == approval.Guarded {
		if workspace, err = h.svc.Files.WorkspaceOf(ctx, f.call.Principal, f.call.Session); err != nil {
			return nil, toError(err)
		}
	}
	grant, err := h.svc.Gate.Intercept(ctx, f.subject(p.bounds, workspace), p.action)
	if err != nil {
		if p.refused != nil {
			if b, ok := p.refused(err); ok {
				return b, nil
			}
		}
		return nil, toError(err)
	}
	b, err := p.do(ctx, grant)
	if !p.holds || err != nil {
		// The effect has happened; that its outcome could not be recorded is the host's problem, not the guest's.
		if serr := grant.Settle(context.WithoutCancel(ctx), approval.Outcome{Err: err}); serr != nil {
			slog.Error("Outcome was not recorded", "function", fn.String(), "capsule", f.inst.capsule.ID, "error", serr)
		}
	}
	if err != nil {
		return nil, toError(err)
	}
	return b, nil
}

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
