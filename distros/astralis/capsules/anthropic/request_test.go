package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider/providertest"
	"github.com/unicity-astrid/astrid-go/testdata/fakeanthropic"
)

func rig(t *testing.T) (*providertest.Rig, *fakeanthropic.Server) {
	s := fakeanthropic.New(fakeanthropic.Options{})
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
	result := func(id string, bad bool) abi.ChatMessage {
		return abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{Result: &abi.ToolCallResult{CallID: id, Content: "", IsError: bad}}}
	}
	user := abi.TextMessage(abi.RoleUser, "<hi>")
	said := abi.TextMessage(abi.RoleAssistant, "look")
	const (
		hi   = `{"role":"user","content":[{"type":"text","text":"<hi>"}]}`
		use1 = `{"type":"tool_use","id":"1","name":"read","input":{"a":1}}`
		use2 = `{"type":"tool_use","id":"a_2","name":"read","input":{}}`
	)
	for name, c := range map[string]struct {
		request  abi.LlmRequest
		config   map[string]string
		messages string
		other    string // further fields
	}{
		"plain":  {request: abi.LlmRequest{Messages: []abi.ChatMessage{user}}, messages: hi},
		"system": {request: abi.LlmRequest{System: "be kind", Messages: []abi.ChatMessage{abi.TextMessage(abi.RoleSystem, "old"), user}}, messages: hi, other: `,"system":[{"type":"text","text":"be kind"}]`},
		"calls and results": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user, said, calls(call("1", `{"a":1}`), call("a:2", `"nonsense"`)), result("1", true), result("a:2", false), user}},
			messages: hi + `,{"role":"assistant","content":[{"type":"text","text":"look"},` + use1 + `,` + use2 + `]},{"role":"user","content":[` +
				`{"type":"tool_result","tool_use_id":"1","content":"","is_error":true},{"type":"tool_result","tool_use_id":"a_2","content":""},{"type":"text","text":"<hi>"}]}`},
		"text between results": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user, calls(call("1", `{"a":1}`), call("a:2", `{}`)), result("1", false), user, result("a:2", false)}},
			messages: hi + `,{"role":"assistant","content":[` + use1 + `,` + use2 + `]},{"role":"user","content":[` +
				`{"type":"tool_result","tool_use_id":"1","content":""},{"type":"tool_result","tool_use_id":"a_2","content":""},{"type":"text","text":"<hi>"}]}`},
		"empty texts": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user, abi.TextMessage(abi.RoleAssistant, " "), abi.TextMessage(abi.RoleUser, "")}}, messages: hi},
		"the model began": {request: abi.LlmRequest{Messages: []abi.ChatMessage{said, user}},
			messages: `{"role":"user","content":[{"type":"text","text":"Go on."}]},{"role":"assistant","content":[{"type":"text","text":"look"}]},` + hi},
		"image": {request: abi.LlmRequest{Messages: []abi.ChatMessage{{Role: abi.RoleUser, Content: abi.Content{Parts: []abi.ContentPart{
			{Type: "text", Text: "what"}, {Type: "image", Data: "aGk=", MediaType: "image/png"}}}}}},
			messages: `{"role":"user","content":[{"type":"text","text":"what"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}]}`},
		"tools": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user}, Tools: []abi.LlmToolDefinition{
			{Name: "read", Description: &description, InputSchema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"}},"mutable":false}`)}, {Name: "none"}}},
			messages: hi, other: `,"tools":[{"name":"read","description":"reads","input_schema":{"type":"object","properties":{"a":{"type":"string"}}}},{"name":"none","input_schema":{"type":"object","properties":{}}}]`},
		"settings": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user}}, config: map[string]string{"temperature": "1", "thinking": "1024", "effort": "low"},
			messages: hi, other: `,"temperature":1,"thinking":{"type":"enabled","budget_tokens":1024},"output_config":{"effort":"low"}`},
		"thinking off": {request: abi.LlmRequest{Messages: []abi.ChatMessage{user}}, config: map[string]string{"thinking": "off"}, messages: hi, other: `,"thinking":{"type":"disabled"}`},
	} {
		t.Run(name, func(t *testing.T) {
			g, s := rig(t)
			g.Config["prompt_cache"], g.Config["max_output_tokens"] = "off", "2000"
			for k, v := range c.config {
				g.Config[k] = v
			}
			c.request.Model = "m"
			g.Ask(c.request)
			want := `{"model":"m","max_tokens":2000,"stream":true,"messages":[` + c.messages + `]` + c.other + `}`
			if got, want := providertest.Canonical(t, s.Requests()[0].Raw), providertest.Canonical(t, []byte(want)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if h := s.Requests()[0].Header; h.Get("Anthropic-Version") != "2023-06-01" || h.Get("X-Api-Key") != "k" {
				t.Errorf("%v", h)
			}
		})
	}
}

func TestThinkingByModel(t *testing.T) {
	for model, want := range map[string]bool{
		"claude-opus-5-5": true, "claude-opus-5": true, "claude-fable-5-1": true, "claude-sonnet-4-6": true, "claude-opus-4-10": true,
		"claude-opus-4-5-20251101": false, "claude-haiku-4-5": false, "claude-3-5-sonnet-20241022": false, "claude-opus-4-20250514": false,
		"other": false, "claude-next": false,
	} {
		got, err := thinkingOf(model, 2000)
		if err != nil || (got != nil) != want || want && (got.Type != "adaptive" || got.Display != "summarized") {
			t.Errorf("%s: %+v %v", model, got, err)
		}
	}
	g, _ := rig(t)
	for _, bad := range []string{"warm", "1023", "32000"} {
		g.Config["thinking"], g.Config["max_output_tokens"] = bad, "32000"
		if o := g.Ask(providertest.Prompt("hi")); o.Failure.Kind != abi.LlmConfig || !strings.Contains(o.Error, bad) {
			t.Errorf("%s: %+v", bad, o)
		}
	}
}

// The prompt is marked where the next request can go on, and read from the cache then.
func TestPromptCache(t *testing.T) {
	g, s := rig(t)
	r := providertest.Prompt("one")
	r.System = "a long system prompt of eight words here"
	o := g.Ask(r)
	if o.Usage.CacheWriteTokens != 8 || o.Usage.CacheReadTokens != 0 || o.Usage.InputTokens != 9 {
		t.Errorf("first: %+v", o.Usage)
	}
	r.Messages = append(r.Messages, abi.TextMessage(abi.RoleAssistant, o.Text), abi.TextMessage(abi.RoleUser, "two"))
	if o = g.Ask(r); o.Usage.CacheReadTokens != 8 || o.Usage.CacheWriteTokens != 0 {
		t.Errorf("second: %+v", o.Usage)
	}
	const mark = `"cache_control":{"type":"ephemeral"}`
	raw := string(s.Requests()[1].Raw)
	for _, part := range []string{`words here",` + mark, `"one",` + mark, `"two",` + mark} {
		if !strings.Contains(raw, part) {
			t.Errorf("%s is not in %s", part, raw)
		}
	}
	r.System, r.Tools = "", []abi.LlmToolDefinition{{Name: "a"}, {Name: "b"}}
	g.Ask(r)
	if raw := string(s.Requests()[2].Raw); strings.Count(raw, mark) != 3 || !strings.Contains(raw, `"name":"b",`+mark) {
		t.Errorf("%s", raw)
	}
	g.Config["prompt_cache"] = "off"
	g.Ask(r)
	if raw := string(s.Requests()[3].Raw); strings.Contains(raw, "cache_control") {
		t.Errorf("%s", raw)
	}
}
