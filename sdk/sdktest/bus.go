package sdktest

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

type subscription struct {
	pattern string
	queue   []abi.Message
	owned   bool
}

type responder struct {
	pattern string
	fn      func(m abi.Message)
}

// match compares segment by segment; a trailing * stands for one or more.
func match(pattern, topic string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(topic, ".")
	if n := len(p); p[n-1] == "*" && n > 1 && len(s) > n {
		s = s[:n]
	}
	if len(p) != len(s) {
		return false
	}
	for i := range p {
		if p[i] != "*" && p[i] != s[i] {
			return false
		}
	}
	return true
}

// OnPublish calls fn for each message the capsule publishes on a topic that matches
// pattern, before the publish returns. fn can answer with [Host.Deliver].
func (h *Host) OnPublish(pattern string, fn func(m abi.Message)) {
	h.onPublish = append(h.onPublish, responder{pattern, fn})
}

// Deliver puts a message from another capsule on the bus, where the capsule's
// subscriptions find it. payload is encoded like that of [Host.Call]. To call the
// handler of an interceptor use Call.
func (h *Host) Deliver(topic string, payload any) {
	h.t.Helper()
	raw, err := classify(h.raw(payload))
	if err != nil {
		h.t.Fatalf("message on %s: %v", topic, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.enqueue(abi.Message{Topic: topic, Payload: raw, SourceID: h.Caller.SourceID})
}

// Published returns the payloads of what the capsule has published on topics that match
// pattern, in the form interceptors get.
func (h *Host) Published(pattern string) []json.RawMessage {
	h.t.Helper()
	var out []json.RawMessage
	for _, m := range h.Messages() {
		if match(pattern, m.Topic) {
			raw, err := ipc.Unwrap(m.Payload)
			if err != nil {
				h.t.Fatalf("message on %s: %v", m.Topic, err)
			}
			out = append(out, raw)
		}
	}
	return out
}

// Messages returns all that the capsule has published, in order, in the form that
// subscribers poll.
func (h *Host) Messages() []abi.Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]abi.Message(nil), h.published...)
}

// Forget drops what has been published so far.
func (h *Host) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.published = nil
}

// AddInterceptor opens the subscription that the runtime opens for an interceptor of a
// run-loop capsule.
func (h *Host) AddInterceptor(action, pattern string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := h.subscribe(pattern, true)
	h.handles = append(h.handles, abi.InterceptorHandle{HandleID: id, Action: action, Topic: pattern})
}

func (h *Host) subscribe(pattern string, owned bool) uint64 {
	h.nextSub++
	h.subs[h.nextSub] = &subscription{pattern: pattern, owned: owned}
	return h.nextSub
}

// enqueue stamps a message and hands it to the subscriptions.
func (h *Host) enqueue(m abi.Message) abi.Message {
	h.seq++
	m.Seq, m.Timestamp, m.Principal, m.Session = h.seq, h.Now, h.Caller.Principal, h.Caller.SessionID
	for _, s := range h.subs {
		if match(s.pattern, m.Topic) {
			s.queue = append(s.queue, m)
		}
	}
	return m
}

func (h *Host) publish(topic string, payload []byte) error {
	if err := validTopic(topic); err != nil {
		return err
	}
	raw, err := classify(payload)
	if err != nil {
		return abi.Errorf(abi.CodeInvalid, "publish to %s: %v", topic, err)
	}
	h.mu.Lock()
	m := h.enqueue(abi.Message{Topic: topic, Payload: raw, SourceID: SourceID})
	h.published = append(h.published, m)
	h.mu.Unlock()
	for _, r := range h.onPublish {
		if match(r.pattern, topic) {
			r.fn(m)
		}
	}
	return nil
}

func validTopic(topic string) error {
	segments := strings.Split(topic, ".")
	for _, s := range segments {
		if s == "" {
			return abi.Errorf(abi.CodeInvalid, "topic %q has an empty segment", topic)
		}
	}
	if len(segments) > abi.MaxTopicSegments {
		return abi.Errorf(abi.CodeInvalid, "topic %q has more than %d segments", topic, abi.MaxTopicSegments)
	}
	return nil
}

// tags of payloads that keep their own form on the bus.
var tags = map[string]bool{
	abi.TagRawJSON: true, abi.TagUserInput: true, abi.TagAgentResponse: true, abi.TagApprovalRequired: true,
	abi.TagApprovalResponse: true, abi.TagOnboardingRequired: true, abi.TagLlmRequest: true, abi.TagLlmStreamEvent: true,
	abi.TagLlmResponse: true, abi.TagToolExecuteRequest: true, abi.TagToolExecuteResult: true, abi.TagToolCancelRequest: true,
	abi.TagSelectionRequired: true, abi.TagElicitRequest: true, abi.TagElicitResponse: true, abi.TagConnect: true,
	abi.TagDisconnect: true, abi.TagCustom: true,
}

// classify gives a payload its full form: what has no known tag becomes "custom". The
// fields of tagged ones are not checked.
func classify(raw []byte) (json.RawMessage, error) {
	if len(raw) == 0 {
		raw = []byte("null")
	}
	var head struct {
		Type any `json:"type"`
	}
	if !json.Valid(raw) {
		return nil, abi.Errorf(abi.CodeInvalid, "payload is not valid JSON: %.100q", raw)
	}
	if raw[0] == '{' && json.Unmarshal(raw, &head) == nil {
		if tag, ok := head.Type.(string); ok && tags[tag] {
			return raw, nil
		}
	}
	return json.Marshal(map[string]any{"type": abi.TagCustom, "data": json.RawMessage(raw)})
}

func (h *Host) serveBus(fn abi.Function, p []string) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch fn {
	case abi.GetInterceptorHandles:
		if h.handles == nil {
			return []byte("[]"), nil
		}
		return json.Marshal(h.handles)
	case abi.IpcSubscribe:
		if err := validTopic(p[0]); err != nil {
			return nil, err
		}
		if len(h.subs) >= abi.MaxSubscriptions {
			return nil, abi.Errorf(abi.CodeLimit, "subscription limit reached (%d per instance)", abi.MaxSubscriptions)
		}
		return strconv.AppendUint(nil, h.subscribe(p[0], false), 10), nil
	}
	id, err := number(p[0])
	if err != nil {
		return nil, err
	}
	s := h.subs[id]
	if s == nil {
		return nil, abi.Errorf(abi.CodeHandle, "subscription handle %d not found", id)
	}
	if fn == abi.IpcUnsubscribe {
		if s.owned {
			return nil, abi.Errorf(abi.CodeDenied, "subscription %d belongs to the runtime", id)
		}
		delete(h.subs, id)
		return nil, nil
	}
	if len(s.queue) == 0 {
		if err := h.wait(fn, p); err != nil {
			return nil, err
		}
	} else {
		h.idle = 0
	}
	env := abi.PollEnvelope{Messages: s.queue}
	if env.Messages == nil {
		env.Messages = []abi.Message{}
	}
	s.queue = nil
	return json.Marshal(env)
}

// maxIdle is how many empty polls in a row end a run loop.
const maxIdle = 100

// wait is what a poll or a wait does when nothing is there. Nothing can arrive while the
// test stands still, so time passes at once; a run loop that has run dry is ended.
func (h *Host) wait(fn abi.Function, p []string) error {
	if fn == abi.IpcRecv {
		ms, err := number(p[1])
		if err != nil {
			return err
		}
		h.Now = h.Now.Add(min(time.Duration(ms)*time.Millisecond, abi.MaxRecv))
	}
	if h.idle++; h.looping && h.idle > maxIdle {
		return abi.Errorf(abi.CodeClosed, "subscription is closed: the capsule is being unloaded")
	}
	return nil
}
