package main

import (
	"encoding/json"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider/providertest"
	"github.com/unicity-astrid/astrid-go/testdata/fakeresponses"
)

func rig(t *testing.T) (*providertest.Rig, *fakeresponses.Server) {
	s := fakeresponses.New(fakeresponses.Options{})
	g := providertest.New(t, vendor.ID, s)
	g.Config["api_key"] = "k"
	t.Cleanup(func() {
		for _, r := range s.Requests() {
			if r.Fault != "" {
				t.Errorf("%s\n%s", r.Fault, r.Raw)
			}
		}
	})
	return g, s
}

func TestEncode(t *testing.T) {
	description := "reads"
	call := func(id, args string) abi.ToolCall {
		return abi.ToolCall{ID: id, Name: "read", Arguments: json.RawMessage(args)}
	}
	calls := func(c ...abi.ToolCall) abi.ChatMessage {
		return abi.ChatMessage{Role: abi.RoleAssistant, Content: abi.Content{Calls: c}}
	}
	result := func(id string) abi.ChatMessage {
		return abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{Result: &abi.ToolCallResult{CallID: id, Content: "text"}}}
	}
	user := abi.TextMessage(abi.RoleUser, "<hi>")
	const hi = `{"role":"user","content":"<hi>"}`
	for name, c := range map[string]struct {
		request abi.LlmRequest
		config  map[string]string
		input   string
		other   string // further fields
	}{
		"plain":  {request: abi.LlmRequest{Messages: []abi.ChatMessage{user}}, input: hi},
		"system": {request: abi.LlmRequest{System: "be kind", Messages: []abi.ChatMessage{abi.TextMessage(abi.RoleSystem, "old"), user}}, input: hi, other: `,"instructions":"be kind"`},
		"calls": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user, abi.TextMessage(abi.RoleAssistant, "look"), calls(call("1", `{"a":1}`), call("b:2", `"{}"`)), result("1"), result("b:2")}},
			input: hi + `,{"role":"assistant","content":"look"},{"type":"function_call","call_id":"1","name":"read","arguments":"{\"a\":1}"},{"type":"function_call","call_id":"b_2","name":"read","arguments":"{}"},` +
				`{"type":"function_call_output","call_id":"1","output":"text"},{"type":"function_call_output","call_id":"b_2","output":"text"}`},
		"image": {request: abi.LlmRequest{Messages: []abi.ChatMessage{{Role: abi.RoleUser, Content: abi.Content{Parts: []abi.ContentPart{
			{Type: "text", Text: "what"}, {Type: "image", Data: "aGk=", MediaType: "image/png"}}}}}},
			input: `{"role":"user","content":[{"type":"input_text","text":"what"},{"type":"input_image","image_url":"data:image/png;base64,aGk="}]}`},
		"tools": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user}, Tools: []abi.LlmToolDefinition{
			{Name: "read", Description: &description, InputSchema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"}},"mutable":false}`)}, {Name: "none"}}},
			input: hi, other: `,"tools":[{"type":"function","name":"read","description":"reads","parameters":{"type":"object","properties":{"a":{"type":"string"}}},"strict":false},{"type":"function","name":"none","parameters":{"type":"object","properties":{}},"strict":false}]`},
		"settings": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user}}, config: map[string]string{"temperature": "1", "max_output_tokens": "77", "service_tier": "flex"},
			input: hi, other: `,"temperature":1,"max_output_tokens":77,"service_tier":"flex"`},
		"a model that reasons": {request: abi.LlmRequest{Model: "gpt-5.4", Messages: []abi.ChatMessage{user}}, config: map[string]string{"reasoning_effort": "low", "reasoning_summary": "auto"},
			input: hi, other: `,"include":["reasoning.encrypted_content"],"reasoning":{"effort":"low","summary":"auto"}`},
		"left to the vendor": {request: abi.LlmRequest{Model: "o3", Messages: []abi.ChatMessage{user}}, input: hi, other: `,"include":["reasoning.encrypted_content"]`},
	} {
		t.Run(name, func(t *testing.T) {
			g, s := rig(t)
			for k, v := range c.config {
				g.Config[k] = v
			}
			if c.request.Model == "" {
				c.request.Model = "gpt-4.1"
			}
			g.Ask(c.request)
			want := `{"model":"` + c.request.Model + `","stream":true,"store":false,"input":[` + c.input + `]` + c.other + `}`
			if got, want := providertest.Canonical(t, s.Requests()[0].Raw), providertest.Canonical(t, []byte(want)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestReasons(t *testing.T) {
	for model, want := range map[string]bool{
		"gpt-6.1-sol": true, "gpt-5": true, "gpt-5.4-mini": true, "gpt-10": true, "o3": true, "o4-mini": true,
		"gpt-4.1": false, "gpt-4o": false, "gpt-3.5-turbo": false, "gpt-5-chat-latest": false, "gpt-": false, "o": false, "omni": false, "": false,
	} {
		if reasons(model) != want {
			t.Errorf("%s: %v", model, !want)
		}
	}
}
