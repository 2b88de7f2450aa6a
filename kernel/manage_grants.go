package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/capability"
)

// listGrants lists the capability tokens and the standing allowances of a principal.
func (k *Kernel) listGrants(ctx context.Context, principal string, _ json.RawMessage) (any, error) {
	return k.grants(ctx, principal)
}

func (k *Kernel) grants(ctx context.Context, principal string) ([]abi.GrantInfo, error) {
	for _, key := range k.presence.ended(principal) {
		k.dropGrants(ctx, key, k.presence.why())
	}
	out := []abi.GrantInfo{}
	tokens, err := k.gate.tokens.List(ctx, principal)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		out = append(out, tokenInfo(t))
	}
	for _, a := range k.gate.Allowances().List(principal) {
		out = append(out, allowanceInfo(a))
	}
	return out, nil
}

func tokenInfo(t capability.Info) abi.GrantInfo {
	g := abi.GrantInfo{
		ID: t.Token.ID.String(), Kind: abi.GrantToken, Capsule: t.Token.Capsule, Scope: "always", Pattern: t.Token.Resource,
		Status: string(t.Status), Problem: t.Problem, CreatedAt: t.Token.IssuedAt, ExpiresAt: t.Token.ExpiresAt, RevokedAt: t.Revoked,
	}
	if t.Reason != "" {
		g.Problem = t.Reason
	}
	if t.Token.Scope == capability.Session {
		g.Scope = "session"
	}
	if t.Token.SingleUse {
		g.MaxUses = 1
	}
	if t.Status == capability.Used {
		g.Used = 1
	}
	if t.Token.AuditID != uuid.Nil {
		g.AuditID = t.Token.AuditID.String()
	}
	for _, p := range t.Token.Permissions {
		g.Permissions = append(g.Permissions, string(p))
	}
	return g
}

func allowanceInfo(a approval.Allowance) abi.GrantInfo {
	return abi.GrantInfo{
		ID: a.ID, Kind: abi.GrantAllowance, Capsule: a.Capsule, Scope: string(a.Scope), Session: a.Session, Workspace: a.Workspace,
		Pattern: a.Pattern.String(), Status: string(capability.Active), CreatedAt: a.CreatedAt, ExpiresAt: a.ExpiresAt,
		MaxUses: a.MaxUses, Used: a.Used, AuditID: a.AuditID,
	}
}

// revokeGrants ends one grant, or all of a capsule that still count, and returns them.
func (k *Kernel) revokeGrants(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	var p abi.GrantSelector
	if err := params(abi.MethodRevokeGrants, raw, &p); err != nil {
		return nil, err
	}
	if (p.ID == "") == (p.Capsule == "") {
		return nil, errors.New("RevokeGrants: name one grant or one capsule")
	}
	if p.Reason == "" {
		p.Reason = "revoked by the user"
	}
	all, err := k.grants(ctx, principal)
	if err != nil {
		return nil, err
	}
	out, found := []abi.GrantInfo{}, false
	for _, g := range all {
		if p.ID != "" && g.ID != p.ID || p.Capsule != "" && g.Capsule != p.Capsule {
			continue
		}
		found = true
		if g.Status != string(capability.Active) {
			continue // it ended before
		}
		// A client that goes away half-way must not leave the rest standing.
		if rerr := k.revoke(context.WithoutCancel(ctx), principal, g, p.Reason); rerr != nil {
			err = errors.Join(err, fmt.Errorf("%s %s: %w", g.Kind, g.ID, rerr))
			continue
		}
		out = append(out, g)
	}
	if !found {
		return nil, fmt.Errorf("%w: %s%s", capability.ErrNotFound, approval.Display(p.ID), approval.Display(p.Capsule))
	}
	return out, err
}

// revoke records the end of a grant and ends it. It ends even if that cannot be recorded:
// taking back is always the safe side.
func (k *Kernel) revoke(ctx context.Context, principal string, g abi.GrantInfo, reason string) error {
	data, err := json.Marshal(map[string]string{"grant": g.Kind, "id": g.ID, "pattern": g.Pattern, "scope": g.Scope})
	if err != nil {
		return err
	}
	d := audit.Draft{Kind: audit.KindEvent, Type: "capability.revoked", Capsule: g.Capsule, Session: g.Session, Reason: reason, Data: data}
	if id, perr := audit.ParseID(g.AuditID); perr == nil {
		d.Of = id // the entry that created it
	}
	_, err = k.gate.log.Append(ctx, principal, d)
	if g.Kind == abi.GrantAllowance {
		return errors.Join(err, k.gate.Allowances().Revoke(ctx, principal, g.ID))
	}
	id, perr := uuid.Parse(g.ID)
	if perr != nil {
		return errors.Join(err, perr)
	}
	return errors.Join(err, k.gate.tokens.Revoke(ctx, principal, id, reason))
}
