package main

import (
	"encoding/json"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/http"
)

// request is the body of POST /v1/responses. Source: OpenAI API reference, "Create a model
// response". The vendor keeps nothing: what the model thought comes back encrypted.
type request struct {
	Model           string     `json:"model"`
	Stream          bool       `json:"stream"`
	Store           bool       `json:"store"`
	Include         []string   `json:"include,omitempty"`
	Instructions    string     `json:"instructions,omitempty"`
	Input           []any      `json:"input"`
	MaxOutputTokens uint64     `json:"max_output_tokens,omitempty"`
	Temperature     *float64   `json:"temperature,omitempty"`
	Reasoning       *reasoning `json:"reasoning,omitempty"`
	ServiceTier     string     `json:"service_tier,omitempty"`
}

type reasoning struct {
	Effort  string `json:"effort,omitempty"`
	Summary string `json:"summary,omitempty"`
}

// tool has its parameters besides.
type tool struct {
	Type        string `json:"type"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Strict      bool   `json:"strict"` // our schemas have optional fields
}

type message struct {
	Role    string `json:"role"`
	Content any    `json:"content"` // text or parts
}

type part struct {
	Type     string  `json:"type"`
	Text     *string `json:"text,omitempty"`
	ImageURL string  `json:"image_url,omitempty"`
}

type call struct {
	Type      string `json:"type"`
	CallID    string `json:"call_id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON as text
}

type result struct {
	Type   string `json:"type"`
	CallID string `json:"call_id"`
	Output string `json:"output"`
}

// reasons tells whether a model thinks before it answers: the o series, and GPT from 5 on.
func reasons(model string) bool {
	if strings.Contains(model, "-chat") {
		return false
	}
	if n, ok := strings.CutPrefix(model, "gpt-"); ok {
		return n != "" && (n[0] >= '5' && n[0] <= '9' || len(n) > 1 && n[0] >= '1' && n[0] <= '9' && n[1] >= '0' && n[1] <= '9')
	}
	return len(model) > 1 && model[0] == 'o' && model[1] >= '1' && model[1] <= '9'
}

// encode makes the request.
func encode(c *provider.Call) (*http.Request, error) {
	q := request{
		Model: c.Use.ID, Stream: true, Instructions: c.System, MaxOutputTokens: c.Use.Output,
		ServiceTier: strings.TrimSpace(env.Get("service_tier")), Input: []any{},
	}
	var err error
	if q.Temperature, err = provider.Temperature(); err != nil {
		return nil, err
	}
	if reasons(q.Model) {
		q.Include = []string{"reasoning.encrypted_content"}
		r := reasoning{Effort: strings.TrimSpace(env.Get("reasoning_effort")), Summary: strings.TrimSpace(env.Get("reasoning_summary"))}
		if r != (reasoning{}) {
			q.Reasoning = &r
		}
	}
	var tools [][]byte
	for _, t := range c.LlmRequest.Tools {
		d := tool{Type: "function", Name: c.Tools.Of(t.Name)}
		if t.Description != nil {
			d.Description = *t.Description
		}
		b, err := provider.WithSchema(d, "parameters", t)
		if err != nil {
			return nil, err
		}
		tools = append(tools, b)
	}
	for _, m := range c.Messages {
		if m.Role != abi.RoleSystem { // there is one system prompt, and it has its own field
			q.add(m, c)
		}
	}
	body, err := provider.Body(q, tools)
	if err != nil {
		return nil, err
	}
	h := headers()
	h["accept"] = "text/event-stream"
	return &http.Request{Method: "POST", URL: provider.Endpoint("/v1/responses"), Headers: h, Body: body}, nil
}

// add appends one message in the API's shape.
func (q *request) add(m abi.ChatMessage, c *provider.Call) {
	switch content := m.Content; {
	case content.Result != nil:
		q.Input = append(q.Input, result{Type: "function_call_output", CallID: provider.ID(content.Result.CallID), Output: content.Result.Content})
	case content.Calls != nil:
		q.calls(content.Calls, c)
	case content.Parts != nil:
		var parts []part
		for _, p := range content.Parts {
			if p.Type == "image" {
				parts = append(parts, part{Type: "input_image", ImageURL: "data:" + p.MediaType + ";base64," + p.Data})
				continue
			}
			parts = append(parts, part{Type: "input_text", Text: &p.Text})
		}
		q.Input = append(q.Input, message{Role: m.Role, Content: parts})
	case content.Text != "":
		q.Input = append(q.Input, message{Role: m.Role, Content: content.Text})
	}
}

// calls adds calls, with what the model thought before them if that is known. The vendor
// wants such an answer back as it was, so what is kept takes the place of the text before
// the calls, too, unless the history tells that text otherwise.
func (q *request) calls(calls []abi.ToolCall, c *provider.Call) {
	if kept := c.Kept.Find(c.Use.ID, calls); kept != nil {
		text, n := "", len(q.Input)
		if n > 0 {
			if m, ok := q.Input[n-1].(message); ok && m.Role == abi.RoleAssistant {
				text, _ = m.Content.(string)
				n--
			}
		}
		if textOf(kept) == text {
			q.Input = q.Input[:n]
			for _, item := range kept {
				q.Input = append(q.Input, item)
			}
			return
		}
	}
	for _, t := range calls {
		q.Input = append(q.Input, call{Type: "function_call", CallID: provider.ID(t.ID), Name: c.Tools.Of(t.Name), Arguments: provider.ArgumentText(t.Arguments)})
	}
}

// textOf is the text of kept items, joined.
func textOf(items []json.RawMessage) string {
	s := ""
	for _, raw := range items {
		var i item
		if json.Unmarshal(raw, &i) != nil {
			return "\x00" // like no text at all
		}
		for _, p := range i.Content {
			s += p.Text + p.Refusal
		}
	}
	return s
}
