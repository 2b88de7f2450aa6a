package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/ipc"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// spaces opens the key-value namespaces of capsules.
type spaces struct {
	store storage.Engine
	quota storage.Quota // of one capsule and principal
	open  sync.Map      // namespace → *storage.Scope
}

// get returns the namespace of a capsule and principal. Both names were validated where
// they came in; a bad one yields a space that fails.
func (s *spaces) get(principal, capsuleID string) host.Space {
	ns := principal + ":capsule:" + capsuleID
	if v, ok := s.open.Load(ns); ok {
		return v.(*storage.Scope)
	}
	scope, err := storage.Scoped(s.store, ns, s.quota)
	if err != nil {
		return failedSpace{err}
	}
	v, _ := s.open.LoadOrStore(ns, scope)
	return v.(*storage.Scope)
}

// failedSpace fails every call with the error that kept a namespace from being opened.
type failedSpace struct{ err error }

func (f failedSpace) Get(context.Context, string) ([]byte, error)      { return nil, f.err }
func (f failedSpace) Put(context.Context, string, []byte) error        { return f.err }
func (f failedSpace) Delete(context.Context, string) error             { return f.err }
func (f failedSpace) List(context.Context, string) ([]string, error)   { return nil, f.err }
func (f failedSpace) ClearPrefix(context.Context, string) (int, error) { return 0, f.err }

// publisher is the door from host functions to the dispatcher.
type publisher struct{ k *Kernel }

func (p publisher) Publish(ctx context.Context, m *ipc.Message) error {
	err := p.k.dispatcher.Publish(ctx, m)
	p.k.noteStopped(ctx, m, err)
	return err
}

// noteStopped records a message that a guard has stopped.
func (k *Kernel) noteStopped(ctx context.Context, m *ipc.Message, err error) {
	guard := ""
	var denied *capsule.DeniedError
	var failed *capsule.GuardError
	switch {
	case errors.As(err, &failed): // what made it fail may be another guard's denial
		guard = failed.Capsule
	case errors.As(err, &denied):
		guard = denied.Capsule
	default:
		return
	}
	s := approval.Subject{Principal: m.Principal, Capsule: m.Source, Session: m.Session, Via: m.Chain}
	a := approval.Action{Kind: approval.IPCPublish, Class: approval.Message, Function: abi.IpcPublish.String(), Resource: "ipc:publish:" + m.Topic}
	if rerr := k.gate.Stopped(ctx, s, a, "guard "+guard, err.Error()); !errors.Is(rerr, approval.ErrDenied) && !errors.Is(rerr, approval.ErrBraked) {
		slog.Error("That a guard stopped a message was not recorded", "topic", m.Topic, "guard", guard, "error", rerr)
	}
}

func (p publisher) Trigger(ctx context.Context, from *host.Instance, call *host.Call, hook string, payload []byte) ([]json.RawMessage, error) {
	return p.k.dispatcher.Trigger(ctx, capsule.Caller{
		Capsule: from.Capsule().ID, SourceID: from.Capsule().SourceID,
		Principal: call.Principal, Session: call.Session, Chain: call.Chain, Hops: call.Hops(),
	}, hook, payload)
}

// HasCapability answers astrid_check_capsule_capability: unknown ids and names have none.
func (k *Kernel) HasCapability(sourceID, capability string) bool {
	c := k.registry.ByUUID(sourceID)
	return c != nil && capability == "allow_prompt_injection" && c.Manifest().Capabilities.AllowPromptInjection
}

// maxComplaint bounds what is kept of a guest's last words, in bytes.
const maxComplaint = 1 << 10

// CapsuleLog writes a capsule's line to its principal's log of that capsule.
func (k *Kernel) CapsuleLog(principal, capsuleID string, level slog.Level, text string) {
	// What a guest dies of is the first line of what its runtime prints.
	if said, ok := strings.CutPrefix(text, "panic: "); ok && level == slog.LevelWarn {
		k.complaints.Store(capsuleID, strings.ToValidUTF8(said[:min(len(said), maxComplaint)], ""))
	}
	if err := k.capsuleLog(principal, capsuleID, level, text); err != nil {
		slog.Warn("Log of a capsule cannot be written", "capsule", capsuleID, "error", err)
	}
}

func (k *Kernel) capsuleLog(principal, capsuleID string, level slog.Level, text string) error {
	p, err := k.opts.Home.Principal(principal)
	if err != nil {
		return err
	}
	c, err := p.Capsule(capsuleID)
	if err != nil {
		return err
	}
	return k.logs.Log(c.LogDir(), capsuleID, abi.LevelName(level), text)
}
