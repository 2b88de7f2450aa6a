package main

import (
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/http"
)

// request is the body of POST /v1/messages. Source: Anthropic API, "Create a Message".
type request struct {
	Model       string    `json:"model"`
	MaxTokens   uint64    `json:"max_tokens"`
	Stream      bool      `json:"stream"`
	System      []block   `json:"system,omitempty"`
	Messages    []message `json:"messages"`
	Tools       []tool    `json:"-"` // they come last
	Temperature *float64  `json:"temperature,omitempty"`
	Thinking    *thinking `json:"thinking,omitempty"`
	Output      *output   `json:"output_config,omitempty"`
}

type output struct {
	Effort string `json:"effort"`
}

type message struct {
	Role    string  `json:"role"`
	Content []block `json:"content"`

	results int // how many blocks of the beginning are results
}

type tool struct {
	Name         string        `json:"name"`
	Description  string        `json:"description,omitempty"`
	CacheControl *cacheControl `json:"cache_control,omitempty"`

	of abi.LlmToolDefinition // with its schema
}

type cacheControl struct {
	Type string `json:"type"`
}

// ephemeral marks the end of a part of the prompt that the vendor keeps for some minutes.
var ephemeral = &cacheControl{Type: "ephemeral"}

// fallbackTokens is max_tokens for a model whose limit nobody knows; the API wants a figure.
const fallbackTokens = 8192

// encode makes the request.
func encode(c *provider.Call) (*http.Request, error) {
	q := request{Model: c.Use.ID, MaxTokens: c.Use.Output, Stream: true}
	if q.MaxTokens == 0 {
		q.MaxTokens = fallbackTokens
	}
	var err error
	if q.Temperature, err = provider.Temperature(); err != nil {
		return nil, err
	}
	if q.Thinking, err = thinkingOf(c.Use.ID, q.MaxTokens); err != nil {
		return nil, err
	}
	if e := strings.TrimSpace(env.Get("effort")); e != "" {
		q.Output = &output{Effort: e}
	}
	if strings.TrimSpace(c.System) != "" {
		q.System = []block{{Type: "text", Text: &c.System}}
	}
	for _, t := range c.LlmRequest.Tools {
		d := tool{Name: c.Tools.Of(t.Name), of: t}
		if t.Description != nil {
			d.Description = *t.Description
		}
		q.Tools = append(q.Tools, d)
	}
	for _, m := range c.Messages {
		if m.Role != abi.RoleSystem { // there is one system prompt, and it has its own field
			q.add(m, c)
		}
	}
	if len(q.Messages) > 0 && q.Messages[0].Role != abi.RoleUser { // the API has the person begin
		q.Messages = append([]message{{Role: abi.RoleUser, Content: []block{textBlock("Go on.")}}}, q.Messages...)
	}
	if env.Get("prompt_cache") != "off" {
		q.mark()
	}
	var tools [][]byte
	for _, t := range q.Tools {
		b, err := provider.WithSchema(t, "input_schema", t.of)
		if err != nil {
			return nil, err
		}
		tools = append(tools, b)
	}
	body, err := provider.Body(q, tools)
	if err != nil {
		return nil, err
	}
	h := headers()
	h["accept"] = "text/event-stream"
	return &http.Request{Method: "POST", URL: provider.Endpoint("/v1/messages"), Headers: h, Body: body}, nil
}

// add appends one message in the API's shape. Messages of one side that follow each other
// are one message there, and results of tools come first in it.
func (q *request) add(m abi.ChatMessage, c *provider.Call) {
	switch content := m.Content; {
	case content.Result != nil:
		r := content.Result
		b := block{Type: "tool_result", ToolUseID: provider.ID(r.CallID), Content: &r.Content, IsError: r.IsError}
		to := q.last(abi.RoleUser)
		to.Content = append(to.Content[:to.results:to.results], append([]block{b}, to.Content[to.results:]...)...)
		to.results++
	case content.Calls != nil:
		if len(content.Calls) > 0 {
			q.last(abi.RoleAssistant).calls(content.Calls, c)
		}
	case content.Parts != nil:
		for _, p := range content.Parts {
			if p.Type == "image" {
				to := q.last(m.Role)
				to.Content = append(to.Content, block{Type: "image", Source: &source{Type: "base64", MediaType: p.MediaType, Data: p.Data}})
			} else {
				q.say(m.Role, p.Text)
			}
		}
	default:
		q.say(m.Role, content.Text)
	}
}

// say adds text; the API takes none that is empty.
func (q *request) say(role, text string) {
	if strings.TrimSpace(text) != "" {
		to := q.last(role)
		to.Content = append(to.Content, textBlock(text))
	}
}

// last is the last message, if it is of that side, else a new one.
func (q *request) last(role string) *message {
	if role != abi.RoleAssistant {
		role = abi.RoleUser
	}
	if n := len(q.Messages); n == 0 || q.Messages[n-1].Role != role {
		q.Messages = append(q.Messages, message{Role: role})
	}
	return &q.Messages[len(q.Messages)-1]
}

// calls adds calls, with what the model thought before them if that is known. The vendor
// wants such an answer back as it was, so what is kept takes the place of the text before
// the calls, too, unless the history tells that text otherwise.
func (m *message) calls(calls []abi.ToolCall, c *provider.Call) {
	if kept := keptBlocks(c.Kept.Find(c.Use.ID, calls)); kept != nil && textOf(kept) == textOf(m.Content) {
		m.Content = kept
		return
	}
	for _, call := range calls {
		m.Content = append(m.Content, block{
			Type: "tool_use", ID: provider.ID(call.ID), Name: c.Tools.Of(call.Name), Input: provider.ArgumentObject(call.Arguments),
		})
	}
}

// mark sets the points up to which the vendor is to keep the prompt: the system prompt with
// the tools before it, the person's last message but one, where the last request had its
// last point, and the last. The API takes four.
func (q *request) mark() {
	if n := len(q.System); n > 0 {
		q.System[n-1].CacheControl = ephemeral
	} else if n := len(q.Tools); n > 0 {
		q.Tools[n-1].CacheControl = ephemeral
	}
	marks := 0
	for i := len(q.Messages) - 1; i >= 0 && marks < 2; i-- {
		if m := &q.Messages[i]; m.Role == abi.RoleUser && len(m.Content) > 0 {
			m.Content[len(m.Content)-1].CacheControl = ephemeral
			marks++
		}
	}
}
