package sdktest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

type hookResponder struct {
	pattern string
	fn      func(payload json.RawMessage) any
}

// OnHook answers hooks on topics that match pattern: what fn returns becomes one element
// of the list, nil none.
func (h *Host) OnHook(pattern string, fn func(payload json.RawMessage) any) {
	h.onHook = append(h.onHook, hookResponder{pattern, fn})
}

func (h *Host) trigger(raw string) ([]byte, error) {
	var req abi.HookRequest
	if err := request(abi.TriggerHook, raw, &req); err != nil {
		return nil, err
	}
	if err := validTopic(req.Hook); err != nil {
		return nil, err
	}
	if req.Payload == nil {
		return nil, abi.Errorf(abi.CodeInvalid, "invalid trigger request: payload is missing")
	}
	answers := []json.RawMessage{}
	for _, r := range h.onHook {
		if !match(r.pattern, req.Hook) {
			continue
		}
		if v := r.fn(req.Payload); v != nil {
			b, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			answers = append(answers, b)
		}
	}
	return json.Marshal(answers)
}

// SetKey stores a value for the caller's principal.
func (h *Host) SetKey(key, value string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kv[h.space()+key] = []byte(value)
}

// Key returns a value of the caller's principal, empty when there is none.
func (h *Host) Key(key string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.kv[h.space()+key])
}

// Keys returns the keys of the caller's principal that start with prefix, sorted.
func (h *Host) Keys(prefix string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for k := range h.kv {
		if key, ok := strings.CutPrefix(k, h.space()); ok && strings.HasPrefix(key, prefix) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// space starts the keys of the caller's principal.
func (h *Host) space() string {
	if h.Caller.Principal == "" {
		return "default\x00"
	}
	return h.Caller.Principal + "\x00"
}

func (h *Host) serveKV(fn abi.Function, p []string) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := p[0]
	switch {
	case strings.ContainsRune(key, 0):
		return nil, abi.Errorf(abi.CodeInvalid, "key %q must not contain NUL", key)
	case key == "" && fn != abi.KvListKeys && fn != abi.KvClearPrefix:
		return nil, abi.Errorf(abi.CodeInvalid, "key must not be empty")
	}
	switch fn {
	case abi.KvGet:
		return slices.Clone(h.kv[h.space()+key]), nil
	case abi.KvSet:
		h.kv[h.space()+key] = []byte(p[1])
		return nil, nil
	case abi.KvDelete:
		delete(h.kv, h.space()+key)
		return nil, nil
	}
	keys := []string{}
	for k := range h.kv {
		if name, ok := strings.CutPrefix(k, h.space()); ok && strings.HasPrefix(name, key) {
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	if fn == abi.KvListKeys {
		return json.Marshal(keys)
	}
	for _, k := range keys {
		delete(h.kv, h.space()+k)
	}
	return strconv.AppendInt(nil, int64(len(keys)), 10), nil
}

// servePerson answers what a person or the kernel would be asked.
func (h *Host) servePerson(fn abi.Function, p []string) ([]byte, error) {
	switch fn {
	case abi.HasSecret:
		var req abi.SecretRequest
		if err := request(fn, p[0], &req); err != nil {
			return nil, err
		}
		return json.Marshal(abi.SecretAnswer{Exists: h.Secrets[req.Key]})
	case abi.CheckCapsuleCapability:
		var req abi.CapabilityCheck
		if err := request(fn, p[0], &req); err != nil {
			return nil, err
		}
		return json.Marshal(abi.CapabilityAnswer{Allowed: slices.Contains(h.Capabilities[req.SourceUUID], req.Capability)})
	case abi.RequestApproval:
		var req abi.ApprovalRequest
		if err := request(fn, p[0], &req); err != nil {
			return nil, err
		}
		if h.Approve == nil || !h.Approve(req) {
			return json.Marshal(abi.ApprovalAnswer{Decision: abi.DecisionDeny})
		}
		return json.Marshal(abi.ApprovalAnswer{Approved: true, Decision: abi.DecisionApprove})
	}
	return h.elicit(p[0])
}

func (h *Host) elicit(raw string) ([]byte, error) {
	var req abi.ElicitRequest
	if err := request(abi.Elicit, raw, &req); err != nil {
		return nil, err
	}
	switch {
	case !h.lifecycle:
		return nil, abi.Errorf(abi.CodeDenied, "elicit is only available while the capsule is installed or upgraded")
	case req.Type == "select" && len(req.Options) == 0:
		return nil, abi.Errorf(abi.CodeInvalid, "select elicit request requires non-empty options")
	case h.Elicit == nil:
		return nil, unscripted(abi.Elicit, "Host.Elicit")
	}
	a, err := h.Elicit(req)
	if err != nil {
		return nil, abi.Errorf(abi.CodeCanceled, "user cancelled elicit request: %v", err)
	}
	if req.Type == "secret" {
		h.Secrets[req.Key] = true
		a = abi.ElicitAnswer{OK: true}
	}
	return json.Marshal(a)
}
