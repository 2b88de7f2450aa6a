package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// modeQuery decodes a query. The workspace is the one that a session would have; a session that is
// known works in its own.
func (k *Kernel) modeQuery(ctx context.Context, principal, method string, raw json.RawMessage) (abi.ModeQuery, error) {
	var p abi.ModeQuery
	if err := params(method, raw, &p); err != nil {
		return p, err
	}
	if p.Workspace != "" {
		w, err := home.DetectWorkspace(p.Workspace, k.opts.Home)
		if err != nil {
			return p, err
		}
		p.Workspace = w.Root()
	}
	if p.Session != "" {
		old, rec, err := k.files.record(ctx, principal, p.Session)
		if err != nil {
			return p, err
		}
		if old != nil {
			p.Workspace = rec.Workspace
		}
	}
	return p, nil
}

// modeInfo tells the mode in force.
func (k *Kernel) modeInfo(principal string, q abi.ModeQuery) (any, error) {
	if q.Workspace != "" {
		if err := k.refreshWorkspace(q.Workspace, false); err != nil {
			return nil, err
		}
	}
	key := sessionKey{principal, q.Session}
	r := k.policyOf(key, q.Workspace).Rules()
	info := abi.ModeInfo{Mode: r.Mode.String(), Source: r.ModeSource, Workspace: q.Workspace, Session: q.Session}
	if m := k.sessionMode(key); m != nil {
		info.Limit = m.String()
	}
	if v, ok := k.policies.known.Load(q.Workspace); ok {
		info.Notices = v.(*workspacePolicy).notices
		return info, nil
	}
	k.policies.mu.Lock()
	defer k.policies.mu.Unlock()
	info.Notices = k.policies.notices
	return info, nil
}

// sessionMode is the freest mode that a session may have; nil leaves it to the workspace.
func (k *Kernel) sessionMode(key sessionKey) *approval.Mode {
	if key.session == "" {
		return nil
	}
	return k.files.place(key.principal, key.session).Mode
}

// policyOf is what the gate judges a session by.
func (k *Kernel) policyOf(key sessionKey, workspace string) *approval.Policy {
	p := k.gate.PolicyFor(workspace)
	if m := k.sessionMode(key); m != nil {
		p = p.AtMost(*m, approval.SessionModeSource)
	}
	return p
}

// setSessionMode bounds the mode of a session. It is recorded before it counts.
func (k *Kernel) setSessionMode(ctx context.Context, principal string, raw json.RawMessage) (any, error) {
	var p abi.SessionMode
	if err := params(abi.MethodSetSessionMode, raw, &p); err != nil {
		return nil, err
	}
	mode, err := approval.ParseMode(p.Mode)
	if err != nil {
		return nil, err
	}
	if p.Session == "" {
		return nil, errors.New("SetSessionMode: no session is named")
	}
	if _, err := sessionOf(&abi.ClientFrame{Session: p.Session}); err != nil {
		return nil, err
	}
	key := sessionKey{principal, p.Session}
	if err := k.files.bind(ctx, principal, p.Session, p.Workspace); err != nil {
		return nil, err
	}
	before := ""
	if m := k.sessionMode(key); m != nil {
		before = m.String()
	}
	if before != mode.String() {
		data, err := json.Marshal(map[string]string{"mode": mode.String(), "before": before})
		if err != nil {
			return nil, err
		}
		if _, err := k.gate.log.Append(ctx, principal, audit.Draft{
			Kind: audit.KindEvent, Type: "session.mode", Session: p.Session, Reason: "the user chose " + mode.String(), Data: data,
		}); err != nil {
			return nil, fmt.Errorf("the mode stays, because it cannot be recorded: %w", err)
		}
		if err := k.files.setMode(ctx, key, mode); err != nil {
			return nil, err
		}
	}
	_, rec, err := k.files.record(ctx, principal, p.Session)
	if err != nil {
		return nil, err
	}
	return k.modeInfo(principal, abi.ModeQuery{Workspace: rec.Workspace, Session: p.Session})
}

// modeTries bounds how often somebody else's note of the same session is waited out.
const modeTries = 16

// setMode keeps the mode with what is known of the session.
func (f *files) setMode(ctx context.Context, key sessionKey, mode approval.Mode) error {
	for range modeTries {
		old, rec, err := f.record(ctx, key.principal, key.session)
		if err != nil {
			return err
		}
		if old == nil {
			return errors.New("SetSessionMode: the session is new, so it needs the workspace that it will work in")
		}
		rec.Mode, rec.Implied = mode.String(), false
		b, err := json.Marshal(rec)
		if err != nil {
			return err
		}
		err = f.store.CompareAndSwap(ctx, sessionRecordKey(key.principal, key.session), old, b)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("session %q is written to by too many at once: try again", key.session)
}
