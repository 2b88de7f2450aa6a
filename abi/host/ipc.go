package host

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/ipc"
)

func (h *Host) planPublish(_ context.Context, f *frame, args [][]byte) (plan, error) {
	if !utf8.Valid(args[0]) {
		return plan{}, abi.Errorf(abi.CodeInvalid, "topic %q is not valid UTF-8", args[0])
	}
	topic := string(args[0])
	if err := ipc.ValidTopic(topic); err != nil {
		return plan{}, abi.Errorf(abi.CodeInvalid, "%v", err)
	}
	raw := args[1]
	return plan{
		action: approval.Action{Kind: approval.IPCPublish, Resource: "ipc:publish:" + topic, Size: int64(len(raw))},
		bounds: f.inst.capsule.Bounds.publish(topic),
		do: func(ctx context.Context, _ approval.Grant) ([]byte, error) {
			// The quota is charged after the decision: a refused message costs nothing.
			if err := f.inst.limiter.Wait(ctx, len(raw)); err != nil {
				return nil, abi.Errorf(abi.CodeLimit, "%v", err)
			}
			payload, err := ipc.ClassifyPayload(Clone(raw))
			if err != nil {
				return nil, abi.Errorf(abi.CodeInvalid, "publish to %s: %v", topic, err)
			}
			m := f.message(topic, payload)
			if m.Session == "" && f.inst.capsule.Bounds.g.AnySession {
				if m.Session, err = sessionNamed(payload); err != nil {
					return nil, err
				}
			}
			return nil, h.svc.Publisher.Publish(ctx, m)
		},
	}, nil
}

// sessionNamed reads the session that a payload is about.
func sessionNamed(p ipc.Payload) (string, error) {
	var about struct {
		SessionID string `json:"session_id"`
	}
	if json.Unmarshal(p.Guest(), &about) != nil {
		return "", nil // it is about something else
	}
	if s := about.SessionID; len(s) > abi.MaxSessionID || strings.ContainsFunc(s, unicode.IsControl) {
		return "", abi.Errorf(abi.CodeInvalid, "session_id must be at most %d bytes of text without control characters", abi.MaxSessionID)
	}
	return about.SessionID, nil
}

// message makes an envelope of the call: source and principal come from here, never from
// the guest, and so does the session of a call that has one.
func (f *frame) message(topic string, payload ipc.Payload) *ipc.Message {
	return &ipc.Message{
		Topic:     topic,
		Payload:   payload,
		SourceID:  f.inst.capsule.SourceID,
		Source:    f.inst.capsule.ID,
		Principal: f.call.Principal,
		Session:   f.call.Session,
		Chain:     f.call.Chain,
		Hops:      f.call.Hops(),
	}
}

func (h *Host) planSubscribe(_ context.Context, f *frame, args [][]byte) (plan, error) {
	if !utf8.Valid(args[0]) {
		return plan{}, abi.Errorf(abi.CodeInvalid, "topic pattern %q is not valid UTF-8", args[0])
	}
	pattern := string(args[0])
	if err := ipc.ValidPattern(pattern); err != nil {
		return plan{}, abi.Errorf(abi.CodeInvalid, "%v", err)
	}
	return plan{
		action: approval.Action{Kind: approval.IPCSubscribe, Resource: "ipc:subscribe:" + pattern},
		bounds: f.inst.capsule.Bounds.subscribe(pattern),
		do: func(context.Context, approval.Grant) ([]byte, error) {
			id, err := f.inst.subscribe(pattern, f.call.Principal, false)
			if err != nil {
				return nil, err
			}
			return strconv.AppendUint(nil, id, 10), nil
		},
	}, nil
}

// subscribe opens a subscription that sees the messages of one principal and those that
// belong to nobody. An instance may serve several principals, one call after the other.
func (i *Instance) subscribe(pattern, principal string, owned bool) (uint64, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return 0, abi.Errorf(abi.CodeCanceled, "capsule is being unloaded")
	}
	if len(i.subs) >= abi.MaxSubscriptions {
		return 0, abi.Errorf(abi.CodeLimit, "subscription limit reached (%d per instance)", abi.MaxSubscriptions)
	}
	s, err := i.host.svc.Bus.Subscribe(pattern, ipc.SubscribeOptions{
		Owner:    i.capsule.ID,
		Capacity: abi.DefaultSubscription,
		Room:     i.room,
		Overflow: ipc.DropOldest,
		Accept:   func(m *ipc.Message) bool { return m.Principal == "" || m.Principal == principal },
	})
	if err != nil {
		return 0, err
	}
	i.nextSub++
	i.subs[i.nextSub] = &subscription{Subscription: s, principal: principal, owned: owned}
	return i.nextSub, nil
}

func (f *frame) subscription(handle []byte) (uint64, *subscription, error) {
	i := f.inst
	id, err := strconv.ParseUint(string(handle), 10, 64)
	if err != nil {
		return 0, nil, abi.Errorf(abi.CodeInvalid, "subscription handle %q is not a number", handle)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.subs[id]
	if s == nil || s.principal != f.call.Principal {
		return 0, nil, abi.Errorf(abi.CodeHandle, "subscription handle %d not found", id)
	}
	return id, s, nil
}

func (h *Host) unsubscribe(_ context.Context, f *frame, args [][]byte) ([]byte, error) {
	id, s, err := f.subscription(args[0])
	if err != nil {
		return nil, err
	}
	if s.owned {
		return nil, abi.Errorf(abi.CodeDenied, "subscription %d belongs to the runtime: it carries an interceptor", id)
	}
	f.inst.mu.Lock()
	delete(f.inst.subs, id)
	f.inst.mu.Unlock()
	s.Close()
	return nil, nil
}

func (h *Host) poll(_ context.Context, f *frame, args [][]byte) ([]byte, error) {
	_, s, err := f.subscription(args[0])
	if err != nil {
		return nil, err
	}
	return drain(s, nil)
}

func (h *Host) recv(ctx context.Context, f *frame, args [][]byte) ([]byte, error) {
	_, s, err := f.subscription(args[0])
	if err != nil {
		return nil, err
	}
	ms, err := strconv.ParseUint(string(args[1]), 10, 64)
	if err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "timeout %q is not a number of milliseconds", args[1])
	}
	wait := abi.MaxRecv
	if ms < uint64(abi.MaxRecv/time.Millisecond) {
		wait = time.Duration(ms) * time.Millisecond
	}
	// The deadline of this wait must be told from the deadline of the call.
	tctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	first, err := s.Recv(tctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if tctx.Err() == nil {
			return nil, abi.Errorf(abi.CodeClosed, "subscription is closed: the capsule is being unloaded")
		}
		first = nil
	}
	return drain(s, first)
}

// drain encodes what is waiting, up to the batch limit. A message that would exceed the
// limit stays queued.
func drain(s *subscription, first *ipc.Message) ([]byte, error) {
	env := abi.PollEnvelope{Messages: []abi.Message{}}
	size := 0
	for m := first; ; {
		if m == nil {
			var ok bool
			if m, ok = s.TryRecv(); !ok {
				break
			}
		}
		env.Messages = append(env.Messages, m.Wire())
		if size += len(m.Payload.Tagged()); size > abi.MaxValue/2 {
			break // the next one could be 5 MiB: leave it for the next poll
		}
		m = nil
	}
	env.Lagged = s.Lagged()
	if s.Pending() > 0 {
		env.Dropped = 1
	}
	return encode(env)
}

func (h *Host) interceptorHandles(_ context.Context, f *frame, _ [][]byte) ([]byte, error) {
	if len(f.inst.handles) == 0 {
		return []byte("[]"), nil
	}
	return encode(f.inst.handles)
}
