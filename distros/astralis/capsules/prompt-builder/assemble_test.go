package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

// trusted is the source of what the fake host delivers.
const trusted = sdktest.SourceID

// What the topics carry.
type (
	asked struct {
		Messages     []abi.ChatMessage `json:"messages"`
		SystemPrompt string            `json:"system_prompt"`
		RequestID    string            `json:"request_id"`
		SessionID    string            `json:"session_id"`
	}
	answered struct {
		SystemPrompt      string                  `json:"system_prompt"`
		UserContextPrefix string                  `json:"user_context_prefix"`
		RequestID         string                  `json:"request_id"`
		SessionID         string                  `json:"session_id"`
		Tools             []abi.LlmToolDefinition `json:"tools"`
		Messages          []abi.ChatMessage       `json:"messages"`
		Error             string                  `json:"error"`
	}
)

func newBuilder(t *testing.T) *sdktest.Host {
	t.Helper()
	h := sdktest.New(t)
	h.Capabilities = map[string][]string{trusted: {"allow_prompt_injection"}}
	return h
}

// contribute publishes what capsules say to the hook, in order.
func contribute(h *sdktest.Host, all ...contribution) {
	h.OnHook(abi.TopicBeforeBuild, func(raw json.RawMessage) any {
		var req struct {
			ResponseTopic string `json:"response_topic"`
		}
		if json.Unmarshal(raw, &req) == nil {
			for _, c := range all {
				h.Deliver(req.ResponseTopic, c)
			}
		}
		return nil
	})
}

// assembled sends a request and returns the answer.
func assembled(t *testing.T, h *sdktest.Host, req any) (r answered) {
	t.Helper()
	h.Forget()
	h.Call("handle_assemble", req)
	all := h.Published(abi.TopicAssembled)
	if len(all) != 1 {
		t.Fatalf("%d answers", len(all))
	}
	if err := json.Unmarshal(all[0], &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMerge(t *testing.T) {
	for name, c := range map[string]struct {
		base           string
		said           []contribution
		system, prefix string
	}{
		"nothing": {base: "base", system: "base"},
		"no base": {said: []contribution{{AppendSystemContext: "a"}}, system: "a"},
		"order": {base: "base", said: []contribution{
			{PrependSystemContext: "p1", AppendSystemContext: "a1", PrependContext: "c1"}, {},
			{PrependSystemContext: "p2", AppendSystemContext: "a2", PrependContext: "c2"}}, system: "p1\np2\nbase\na1\na2", prefix: "c1\nc2"},
		"the last base counts": {base: "base", said: []contribution{{SystemPrompt: "one", AppendSystemContext: "a"}, {SystemPrompt: "two"}, {SystemPrompt: ""}}, system: "two\na"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newBuilder(t)
			contribute(h, c.said...)
			r := assembled(t, h, asked{SystemPrompt: c.base, RequestID: "r1", SessionID: "s", Messages: []abi.ChatMessage{abi.TextMessage("user", "hi")}})
			if r.SystemPrompt != c.system || r.UserContextPrefix != c.prefix || r.RequestID != "r1" || r.SessionID != "s" || len(r.Messages) != 1 {
				t.Errorf("%+v", r)
			}
			var after map[string]string
			if all := h.Published(abi.TopicAfterBuild); len(all) != 1 || json.Unmarshal(all[0], &after) != nil ||
				after["system_prompt"] != c.system || after["user_context_prefix"] != c.prefix || after["request_id"] != "r1" {
				t.Errorf("after_build %s", all)
			}
		})
	}
}

// Only a capsule that may change the system prompt does.
func TestTrust(t *testing.T) {
	all := contribution{SystemPrompt: "s", PrependSystemContext: "p", AppendSystemContext: "a", PrependContext: "c"}
	req := asked{SystemPrompt: "base", RequestID: "r1"}
	distrust := map[string]func(h *sdktest.Host){
		"without the capability": func(h *sdktest.Host) { h.Capabilities = nil; contribute(h, all) },
		"unknown source": func(h *sdktest.Host) {
			h.Fail(abi.CheckCapsuleCapability, abi.CodeNotFound, "no such capsule")
			contribute(h, all)
		},
		"direct answer, which has no source": func(h *sdktest.Host) {
			h.OnHook(abi.TopicBeforeBuild, func(json.RawMessage) any { return all })
			h.OnHook(abi.TopicBeforeBuild, func(json.RawMessage) any { return 7 })
		},
	}
	for name, set := range distrust {
		t.Run(name, func(t *testing.T) {
			h := newBuilder(t)
			set(h)
			if r := assembled(t, h, req); r.SystemPrompt != "base" || r.UserContextPrefix != "c" || r.Error != "" {
				t.Errorf("%+v", r)
			}
		})
	}
	h := newBuilder(t)
	contribute(h, all)
	if r := assembled(t, h, req); r.SystemPrompt != "p\ns\na" {
		t.Errorf("trusted: %+v", r)
	}
}

func TestNonsenseIsPassedOver(t *testing.T) {
	h := newBuilder(t)
	h.OnHook(abi.TopicBeforeBuild, func(json.RawMessage) any {
		h.Deliver("prompt_builder.v1.hook_response.r1", `{"appendSystemContext":7}`)
		h.Deliver("prompt_builder.v1.hook_response.r1", `"text"`)
		h.Deliver("prompt_builder.v1.hook_response.other", contribution{AppendSystemContext: "of another request"})
		h.Deliver("prompt_builder.v1.hook_response.r1", contribution{AppendSystemContext: "fine"})
		return nil
	})
	if r := assembled(t, h, asked{RequestID: "r1", SystemPrompt: "base"}); r.SystemPrompt != "base\nfine" {
		t.Errorf("%+v", r)
	}
}

func TestTools(t *testing.T) {
	h := newBuilder(t)
	for _, d := range []abi.ToolsDescription{
		{Tools: []abi.ToolDescription{{Name: "read", Description: "first", InputSchema: json.RawMessage(`{"type":"object","properties":{}}`)}, {Name: "bare"}}},
		{Tools: []abi.ToolDescription{{Name: "read", Description: "second"}, {Name: "", Description: "nameless"}, {Name: "write"}}},
	} {
		h.OnHook(abi.TopicDescribeTools, func(json.RawMessage) any { return d })
	}
	h.OnHook(abi.TopicDescribeTools, func(json.RawMessage) any { return "nonsense" })
	r := assembled(t, h, asked{RequestID: "r1"})
	var names []string
	for _, d := range r.Tools {
		names = append(names, d.Name)
		if len(d.InputSchema) == 0 {
			t.Errorf("%s has no schema", d.Name)
		}
	}
	if got := strings.Join(names, " "); got != "read bare write" || r.Tools[0].Description == nil || *r.Tools[0].Description != "first" || r.Tools[1].Description != nil {
		t.Errorf("%s", got)
	}
}

func TestHistory(t *testing.T) {
	h := newBuilder(t)
	answer := map[string]any{"messages": []abi.ChatMessage{abi.TextMessage("user", "from the store")}}
	h.OnPublish(abi.TopicSessionGet, func(m abi.Message) {
		var req struct {
			Data struct{ SessionID, CorrelationID string }
		}
		raw := strings.NewReplacer("session_id", "SessionID", "correlation_id", "CorrelationID").Replace(string(m.Payload))
		if err := json.Unmarshal([]byte(raw), &req); err != nil || req.Data.SessionID != "s" {
			t.Errorf("%s: %v", m.Payload, err)
		}
		h.Deliver(abi.TopicSessionGetResponse+req.Data.CorrelationID, answer)
	})
	if r := assembled(t, h, asked{RequestID: "r1", SessionID: "s"}); len(r.Messages) != 1 || r.Messages[0].Content.Text != "from the store" {
		t.Errorf("%+v", r)
	}
	answer = map[string]any{"messages": []any{}, "error": "disk full"}
	if r := assembled(t, h, asked{RequestID: "r1", SessionID: "s"}); !strings.Contains(r.Error, "disk full") {
		t.Errorf("%+v", r)
	}
	if r := assembled(t, h, asked{RequestID: "r1"}); len(r.Messages) != 0 || r.Error != "" {
		t.Errorf("no session, but %+v", r)
	}
}

// Whoever asks has an answer, also when it cannot be given.
func TestErrors(t *testing.T) {
	h := newBuilder(t)
	for payload, want := range map[string]string{
		`{"session_id":"s"}`:                   "missing request_id",
		`{"request_id":"r1","messages":7}`:     "invalid request",
		`7`:                                    "invalid request",
		`{"request_id":"r1","session_id":"s"}`: "history", // the session capsule never answers
		`{"request_id":"a..b","messages":[],"model":""}`: "empty segment",
	} {
		r := assembled(t, h, payload)
		if !strings.Contains(r.Error, want) || strings.Contains(payload, `"r1"`) && r.RequestID != "r1" || strings.Contains(payload, `"s"`) && r.SessionID != "s" {
			t.Errorf("%s: %+v", payload, r)
		}
	}
	for _, f := range []abi.Function{abi.TriggerHook, abi.IpcSubscribe, abi.IpcPoll} {
		h := newBuilder(t)
		h.Fail(f, abi.CodeLimit, "limit reached")
		if r := assembled(t, h, asked{RequestID: "r1", SessionID: "s"}); !strings.Contains(r.Error, "limit reached") || r.SessionID != "s" {
			t.Errorf("%s: %+v", f, r)
		}
	}
}
