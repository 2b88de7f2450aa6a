package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/env"
)

// The request of POST /v1/chat/completions. Source: OpenAI API reference, "Create chat completion".
type chatRequest struct {
	Model         string         `json:"model"`
	Stream        bool           `json:"stream"`
	StreamOptions *streamOptions `json:"stream_options,omitempty"`
	MaxTokens     uint64         `json:"max_tokens,omitempty"`
	Temperature   *float64       `json:"temperature,omitempty"`
	Messages      []chatMessage  `json:"messages"`
	Tools         []chatTool     `json:"tools,omitempty"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type chatMessage struct {
	Role       string     `json:"role"`
	Content    any        `json:"content"` // text, parts, or null beside tool calls
	ToolCalls  []chatCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

type chatCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function chatFunction `json:"function"`
}

type chatFunction struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON as text
}

type chatTool struct {
	Type     string       `json:"type"`
	Function chatToolSpec `json:"function"`
}

type chatToolSpec struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters"`
}

type chatPart struct {
	Type     string        `json:"type"`
	Text     *string       `json:"text,omitempty"`
	ImageURL *chatImageURL `json:"image_url,omitempty"`
}

type chatImageURL struct {
	URL string `json:"url"`
}

// encode makes the body of the request.
func encode(r *abi.LlmRequest) ([]byte, error) {
	q := chatRequest{Model: r.Model, Stream: true, StreamOptions: &streamOptions{IncludeUsage: true}, MaxTokens: number("max_output_tokens", 0)}
	if q.Model == "" {
		q.Model = env.Get("model")
	}
	if q.Model == "" {
		return nil, fmt.Errorf("no model is configured: set the model of capsule astrid-capsule-openai-compat")
	}
	if t := strings.TrimSpace(env.Get("temperature")); t != "" {
		f, err := strconv.ParseFloat(t, 64)
		if err != nil {
			return nil, fmt.Errorf("temperature %q is not a number", t)
		}
		q.Temperature = &f
	}
	if r.System != "" {
		q.Messages = append(q.Messages, chatMessage{Role: abi.RoleSystem, Content: r.System})
	}
	for _, m := range r.Messages {
		if m.Role != abi.RoleSystem { // there is one system prompt, and it has its own field
			q.add(m)
		}
	}
	for _, t := range r.Tools {
		spec := chatToolSpec{Name: t.Name}
		var err error
		if spec.Parameters, err = parameters(t.InputSchema); err != nil {
			return nil, fmt.Errorf("tool %s: %w", t.Name, err)
		}
		if t.Description != nil {
			spec.Description = *t.Description
		}
		q.Tools = append(q.Tools, chatTool{Type: "function", Function: spec})
	}
	return json.Marshal(q)
}

// add appends one message in the API's shape.
func (q *chatRequest) add(m abi.ChatMessage) {
	c := m.Content
	switch {
	case c.Result != nil:
		q.Messages = append(q.Messages, chatMessage{Role: abi.RoleTool, Content: c.Result.Content, ToolCallID: c.Result.CallID})
	case c.Calls != nil && len(c.Calls) == 0: // the API takes no message without content
	case c.Calls != nil:
		var calls []chatCall
		for _, call := range c.Calls {
			calls = append(calls, chatCall{ID: call.ID, Type: "function", Function: chatFunction{Name: call.Name, Arguments: argumentText(call.Arguments)}})
		}
		// What the model said just before its calls belongs to the same message.
		if n := len(q.Messages); n > 0 && q.Messages[n-1].Role == abi.RoleAssistant && q.Messages[n-1].ToolCalls == nil {
			q.Messages[n-1].ToolCalls = calls
			return
		}
		q.Messages = append(q.Messages, chatMessage{Role: m.Role, ToolCalls: calls})
	case c.Parts != nil:
		var parts []chatPart
		for _, p := range c.Parts {
			if p.Type == "image" {
				parts = append(parts, chatPart{Type: "image_url", ImageURL: &chatImageURL{URL: "data:" + p.MediaType + ";base64," + p.Data}})
				continue
			}
			parts = append(parts, chatPart{Type: "text", Text: &p.Text})
		}
		q.Messages = append(q.Messages, chatMessage{Role: m.Role, Content: parts})
	default:
		q.Messages = append(q.Messages, chatMessage{Role: m.Role, Content: c.Text})
	}
}

// argumentText is the JSON text of a call's arguments; a JSON string is that text already.
func argumentText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// parameters makes a tool's schema fit for the API: it wants the properties spelled out
// even if there are none, and refuses words that are not of JSON Schema, such as the mark
// of tools that change something.
func parameters(schema json.RawMessage) (json.RawMessage, error) {
	fields := map[string]json.RawMessage{"type": json.RawMessage(`"object"`)}
	if len(schema) > 0 {
		if err := json.Unmarshal(schema, &fields); err != nil {
			return nil, fmt.Errorf("input_schema: %w", err)
		}
	}
	if fields == nil { // it was null
		fields = map[string]json.RawMessage{"type": json.RawMessage(`"object"`)}
	}
	delete(fields, "mutable")
	if fields["properties"] == nil {
		fields["properties"] = json.RawMessage("{}")
	}
	return json.Marshal(fields)
}
