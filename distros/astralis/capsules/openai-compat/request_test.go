package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func TestEncode(t *testing.T) {
	description := "reads"
	call := func(id, args string) abi.ToolCall {
		return abi.ToolCall{ID: id, Name: "read", Arguments: json.RawMessage(args)}
	}
	calls := func(c ...abi.ToolCall) abi.ChatMessage {
		return abi.ChatMessage{Role: abi.RoleAssistant, Content: abi.Content{Calls: c}}
	}
	result := func(id string) abi.ChatMessage {
		return abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{Result: &abi.ToolCallResult{CallID: id, Content: "text", IsError: true}}}
	}
	user := abi.TextMessage(abi.RoleUser, "<hi>")
	encodedUser := `{"role":"user","content":"<hi>"}`
	one := `"tool_calls":[{"id":"1","type":"function","function":{"name":"read","arguments":"{\"a\":1}"}}]}`
	for name, c := range map[string]struct {
		request  abi.LlmRequest
		config   map[string]string
		messages string
		other    string // further fields
	}{
		"plain":         {request: abi.LlmRequest{Messages: []abi.ChatMessage{user}}, messages: encodedUser},
		"system prompt": {request: abi.LlmRequest{System: "be kind", Messages: []abi.ChatMessage{abi.TextMessage(abi.RoleSystem, "old"), user}}, messages: `{"role":"system","content":"be kind"},` + encodedUser},
		"calls": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user, calls(call("1", `{"a":1}`)), result("1")}},
			messages: encodedUser + `,{"role":"assistant","content":null,` + one + `,{"role":"tool","content":"text","tool_call_id":"1"}`},
		"text and calls": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user, abi.TextMessage(abi.RoleAssistant, "look"), calls(call("1", `{"a":1}`)), result("1")}},
			messages: encodedUser + `,{"role":"assistant","content":"look",` + one + `,{"role":"tool","content":"text","tool_call_id":"1"}`},
		"two rounds stay apart": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user, calls(call("1", `{"a":1}`)), result("1"), calls(call("1", `"{\"a\":1}"`)), result("1")}},
			messages: encodedUser + strings.Repeat(`,{"role":"assistant","content":null,`+one+`,{"role":"tool","content":"text","tool_call_id":"1"}`, 2)},
		"no calls at all": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user, calls([]abi.ToolCall{}...)}}, messages: encodedUser},
		"image": {request: abi.LlmRequest{Messages: []abi.ChatMessage{{Role: abi.RoleUser, Content: abi.Content{Parts: []abi.ContentPart{
			{Type: "text", Text: "what"}, {Type: "image", Data: "aGk=", MediaType: "image/png"}}}}}},
			messages: `{"role":"user","content":[{"type":"text","text":"what"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}]}`},
		"empty text part": {request: abi.LlmRequest{Messages: []abi.ChatMessage{{Role: abi.RoleUser, Content: abi.Content{Parts: []abi.ContentPart{{Type: "text"}}}}}},
			messages: `{"role":"user","content":[{"type":"text","text":""}]}`},
		"tools": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user}, Tools: []abi.LlmToolDefinition{
			{Name: "read", Description: &description, InputSchema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"}},"mutable":false}`)},
			{Name: "bare", InputSchema: json.RawMessage(`{"type":"object"}`)}, {Name: "none"}}},
			messages: encodedUser,
			other: `,"tools":[{"type":"function","function":{"name":"read","description":"reads","parameters":{"properties":{"a":{"type":"string"}},"type":"object"}}},` +
				`{"type":"function","function":{"name":"bare","parameters":{"properties":{},"type":"object"}}},` +
				`{"type":"function","function":{"name":"none","parameters":{"properties":{},"type":"object"}}}]`},
		"settings": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user}}, config: map[string]string{"max_output_tokens": " 77 ", "temperature": "0"},
			messages: encodedUser, other: `,"max_tokens":77,"temperature":0`},
		"no limit": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user}}, config: map[string]string{"max_output_tokens": "0"}, messages: encodedUser},
	} {
		t.Run(name, func(t *testing.T) {
			h := sdktest.New(t)
			h.Config = c.config
			c.request.Model = "m"
			got, err := encode(&c.request)
			if err != nil {
				t.Fatal(err)
			}
			want := `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[` + c.messages + `]` + c.other + `}`
			if g, w := canonical(t, got), canonical(t, []byte(want)); g != w {
				t.Errorf("got  %s\nwant %s", g, w)
			}
		})
	}
}

func canonical(t *testing.T, raw []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestModel(t *testing.T) {
	h := sdktest.New(t)
	h.Config["model"] = "configured"
	for asked, want := range map[string]string{"": `"model":"configured"`, "asked": `"model":"asked"`} {
		b, err := encode(&abi.LlmRequest{Model: asked})
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s %v, want %s", b, err, want)
		}
	}
	h.Config["temperature"] = "warm"
	if _, err := encode(&abi.LlmRequest{}); err == nil || !strings.Contains(err.Error(), "warm") {
		t.Errorf("got %v", err)
	}
}

func TestDescribe(t *testing.T) {
	h := sdktest.New(t)
	h.Config = map[string]string{"model": "m", "context_window": "5", "max_output_tokens": "lots"}
	var d struct{ Providers []abi.ProviderDescription }
	if err := h.Call("llm_describe", nil).JSON(&d); err != nil || len(d.Providers) != 1 {
		t.Fatalf("%+v %v", d, err)
	}
	p := d.Providers[0]
	if p.ID != "openai-compat" || p.RequestTopic != "llm.v1.request.generate.openai-compat" || p.StreamTopic != "llm.v1.stream.openai-compat" ||
		p.ContextWindow != 5 || p.MaxOutputTokens != 8192 || !strings.Contains(p.Description, "m") {
		t.Errorf("%+v", p)
	}
}
