package main

import (
	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
	"github.com/unicity-astrid/astrid-go/sdk/http"
)

// The request of POST /v1/chat/completions. Source: OpenAI API reference, "Create chat completion".
type chatRequest struct {
	Model         string         `json:"model"`
	Stream        bool           `json:"stream"`
	StreamOptions *streamOptions `json:"stream_options,omitempty"`
	MaxTokens     uint64         `json:"max_tokens,omitempty"`
	Temperature   *float64       `json:"temperature,omitempty"`
	Messages      []chatMessage  `json:"messages"`
	// The tools come last, see encode.
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

// chatTool is a function that a tool of the request is made of; its parameters follow.
type chatTool struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

type chatPart struct {
	Type     string        `json:"type"`
	Text     *string       `json:"text,omitempty"`
	ImageURL *chatImageURL `json:"image_url,omitempty"`
}

type chatImageURL struct {
	URL string `json:"url"`
}

// encode makes the request.
func encode(c *provider.Call) (*http.Request, error) {
	q := chatRequest{Model: c.Use.ID, Stream: true, StreamOptions: &streamOptions{IncludeUsage: true}, MaxTokens: c.Use.Output}
	var err error
	if q.Temperature, err = provider.Temperature(); err != nil {
		return nil, err
	}
	var tools [][]byte
	for _, t := range c.LlmRequest.Tools {
		spec := chatTool{Name: c.Tools.Of(t.Name)}
		if t.Description != nil {
			spec.Description = *t.Description
		}
		function, err := provider.WithSchema(spec, "parameters", t)
		if err != nil {
			return nil, err
		}
		tools = append(tools, rawjson.With([]byte(`{"type":"function"}`), "function", function))
	}
	if c.System != "" {
		q.Messages = append(q.Messages, chatMessage{Role: abi.RoleSystem, Content: c.System})
	}
	for _, m := range c.Messages {
		if m.Role != abi.RoleSystem { // there is one system prompt, and it has its own field
			q.add(m, &c.Tools)
		}
	}
	body, err := provider.Body(q, tools)
	if err != nil {
		return nil, err
	}
	h := headers()
	h["accept"] = "text/event-stream"
	return &http.Request{Method: "POST", URL: provider.Endpoint("/v1/chat/completions"), Headers: h, Body: body}, nil
}

// add appends one message in the API's shape.
func (q *chatRequest) add(m abi.ChatMessage, names *provider.Names) {
	c := m.Content
	switch {
	case c.Result != nil:
		q.Messages = append(q.Messages, chatMessage{Role: abi.RoleTool, Content: c.Result.Content, ToolCallID: c.Result.CallID})
	case c.Calls != nil && len(c.Calls) == 0: // the API takes no message without content
	case c.Calls != nil:
		var calls []chatCall
		for _, call := range c.Calls {
			calls = append(calls, chatCall{ID: call.ID, Type: "function", Function: chatFunction{Name: names.Of(call.Name), Arguments: provider.ArgumentText(call.Arguments)}})
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
