package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider/providertest"
	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
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
			s := fakeopenai.New(fakeopenai.Options{})
			g := providertest.New(t, vendor.ID, s)
			for k, v := range c.config {
				g.Config[k] = v
			}
			c.request.Model = "m"
			g.Ask(c.request)
			want := `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[` + c.messages + `]` + c.other + `}`
			if got, want := providertest.Canonical(t, s.Requests()[0].Raw), providertest.Canonical(t, []byte(want)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestModel(t *testing.T) {
	s := fakeopenai.New(fakeopenai.Options{})
	g := providertest.New(t, vendor.ID, s)
	g.Config["model"] = "configured"
	for asked, want := range map[string]string{"": "configured", "asked": "asked"} {
		s.Reset()
		r := providertest.Prompt("hi")
		r.Model = asked
		g.Ask(r)
		if got := s.Requests()[0].Body.Model; got != want {
			t.Errorf("%q asks for %q", asked, got)
		}
	}
}
