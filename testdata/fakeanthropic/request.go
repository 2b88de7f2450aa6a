package fakeanthropic

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
)

// Message is the body of a request: the fields that decide something here. Source:
// Anthropic API, "Create a Message".
type Message struct {
	Model       string          `json:"model"`
	MaxTokens   *int            `json:"max_tokens"`
	Messages    []Turn          `json:"messages"`
	System      json.RawMessage `json:"system"`
	Tools       []Tool          `json:"tools"`
	Stream      bool            `json:"stream"`
	Temperature *float64        `json:"temperature"`
	Thinking    *Thinking       `json:"thinking"`
	Output      *struct {
		Effort string `json:"effort"`
	} `json:"output_config"`

	system []Block
}

// Thinking is the field of that name.
type Thinking struct {
	Type    string `json:"type"`
	Budget  *int   `json:"budget_tokens"`
	Display string `json:"display"`
}

// Turn is a message of the conversation.
type Turn struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"` // text or blocks

	blocks []Block
}

// Block of a message's content.
type Block struct {
	Type         string          `json:"type"`
	Text         string          `json:"text"`
	Thinking     *string         `json:"thinking"`
	Signature    string          `json:"signature"`
	Data         string          `json:"data"`
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Input        json.RawMessage `json:"input"`
	ToolUseID    string          `json:"tool_use_id"`
	Content      json.RawMessage `json:"content"`
	CacheControl *struct {
		Type string `json:"type"`
	} `json:"cache_control"`
	Source *struct {
		Type      string `json:"type"`
		MediaType string `json:"media_type"`
		Data      string `json:"data"`
	} `json:"source"`
}

// Tool that the model may call.
type Tool struct {
	Name         string          `json:"name"`
	Description  string          `json:"description"`
	InputSchema  json.RawMessage `json:"input_schema"`
	CacheControl *struct {
		Type string `json:"type"`
	} `json:"cache_control"`
}

func (t Turn) has(kind string) bool {
	return slices.ContainsFunc(t.blocks, func(b Block) bool { return b.Type == kind })
}

func (b Block) resultText() string {
	blocks, _ := content(b.Content)
	text := ""
	for _, b := range blocks {
		text += b.Text
	}
	return text
}

var (
	toolName   = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	toolID     = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	imageTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp"}
	efforts    = []string{"low", "medium", "high", "xhigh", "max"}
	blockTypes = map[string][]string{
		"user":      {"text", "image", "tool_result", "document"},
		"assistant": {"text", "tool_use", "thinking", "redacted_thinking"},
	}
)

// shape is what a request may have. Source: Anthropic API, "Create a Message".
var shape = fakellm.Shape{
	"": `model max_tokens messages system metadata stop_sequences stream temperature thinking tool_choice
		tools top_k top_p service_tier container context_management mcp_servers output_config cache_control inference_geo`,
	"cache_control":                          "type ttl",
	"system[]":                               "type text cache_control citations",
	"system[].cache_control":                 "type ttl",
	"messages[]":                             "role content",
	"messages[].content[]:text":              "type text cache_control citations",
	"messages[].content[]:image":             "type source cache_control",
	"messages[].content[]:tool_use":          "type id name input cache_control caller",
	"messages[].content[]:tool_result":       "type tool_use_id content is_error cache_control",
	"messages[].content[]:thinking":          "type thinking signature",
	"messages[].content[]:redacted_thinking": "type data",
	"messages[].content[].source":            "type media_type data url",
	"messages[].content[].cache_control":     "type ttl",
	"messages[].content[].content[]:text":    "type text cache_control citations",
	"tools[]":                                "name description input_schema cache_control type strict",
	"tools[].cache_control":                  "type ttl",
	"thinking":                               "type budget_tokens display",
	"output_config":                          "effort format",
}

// content decodes a text or a list of blocks.
func content(raw json.RawMessage) ([]Block, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '"' {
		var text string
		err := json.Unmarshal(raw, &text)
		return []Block{{Type: "text", Text: text}}, err
	}
	var blocks []Block
	err := json.Unmarshal(raw, &blocks)
	return blocks, err
}

// parse decodes and checks a body.
func (m *Message) parse(raw []byte) *APIError {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(raw, &top); err != nil {
		return malformed("The request body is not valid JSON: %v", err)
	}
	if name := shape.Extra(raw); name != "" {
		return malformed("%s: Extra inputs are not permitted", name)
	}
	if err := json.Unmarshal(raw, m); err != nil {
		return malformed("%v", err)
	}
	switch {
	case m.Model == "":
		return malformed("model: Field required")
	case m.MaxTokens == nil:
		return malformed("max_tokens: Field required")
	case *m.MaxTokens < 1:
		return malformed("max_tokens: Input should be greater than or equal to 1")
	case len(m.Messages) == 0:
		return malformed("messages: at least one message is required")
	case m.Temperature != nil && (*m.Temperature < 0 || *m.Temperature > 1):
		return malformed("temperature: range: 0..1")
	case m.Output != nil && m.Output.Effort != "" && !slices.Contains(efforts, m.Output.Effort):
		return malformed("output_config.effort: Input should be one of %s", strings.Join(efforts, ", "))
	}
	if top["system"] != nil {
		var err error
		if m.system, err = content(m.System); err != nil || len(m.system) == 0 {
			return malformed("system: Input should be a valid string or list of text blocks")
		}
		for i, b := range m.system {
			if b.Type != "text" || b.Text == "" {
				return malformed("system.%d: text content blocks must be non-empty", i)
			}
		}
	}
	if e := m.checkThinking(); e != nil {
		return e
	}
	names := map[string]bool{}
	for i, t := range m.Tools {
		var schema map[string]json.RawMessage
		var kind string
		switch {
		case !toolName.MatchString(t.Name):
			return malformed("tools.%d.custom.name: String should match pattern '%s'", i, toolName)
		case names[t.Name]:
			return malformed("tools: Tool names must be unique.")
		case json.Unmarshal(t.InputSchema, &schema) != nil || schema == nil:
			return malformed("tools.%d.custom.input_schema: Field required", i)
		case json.Unmarshal(schema["type"], &kind) != nil || kind != "object":
			return malformed("tools.%d.custom.input_schema.type: Input should be 'object'", i)
		case schema["mutable"] != nil:
			return malformed("tools.%d.custom.input_schema: JSON schema is invalid", i)
		}
		names[t.Name] = true
	}
	return m.checkMessages()
}

func (m *Message) checkThinking() *APIError {
	t := m.Thinking
	switch {
	case t == nil || t.Type == "disabled":
		return nil
	case t.Display != "" && t.Display != "summarized" && t.Display != "omitted":
		return malformed("thinking.display: Input should be 'summarized' or 'omitted'")
	case t.Type == "adaptive" && t.Budget == nil:
		return nil
	case t.Type == "adaptive":
		return malformed("thinking.adaptive.budget_tokens: Extra inputs are not permitted")
	case t.Type != "enabled":
		return malformed("thinking: Input tag '%s' found using 'type' does not match any of the expected tags", t.Type)
	case t.Budget == nil || *t.Budget < 1024:
		return malformed("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
	case *t.Budget >= *m.MaxTokens:
		return malformed("`max_tokens` must be greater than `thinking.budget_tokens`")
	case m.Temperature != nil && *m.Temperature != 1:
		return malformed("`temperature` may only be set to 1 when thinking is enabled.")
	}
	return nil
}

func (m *Message) checkMessages() *APIError {
	points := 0
	for _, b := range m.system {
		if b.CacheControl != nil {
			points++
		}
	}
	for _, t := range m.Tools {
		if t.CacheControl != nil {
			points++
		}
	}
	var open []string // ids of calls in the message before
	for i := range m.Messages {
		t := &m.Messages[i]
		var err error
		if t.blocks, err = content(t.Content); err != nil {
			return malformed("messages.%d.content: Input should be a valid list", i)
		}
		switch {
		case blockTypes[t.Role] == nil:
			return malformed("messages.%d.role: Input should be 'user' or 'assistant'", i)
		case i == 0 && t.Role != "user":
			return malformed("messages: first message must use the \"user\" role")
		case len(t.blocks) == 0:
			return malformed("messages.%d: all messages must have non-empty content", i)
		case i == len(m.Messages)-1 && t.Role != "user":
			return malformed("This model does not support assistant message prefill. The conversation must end with a user message.")
		}
		left := slices.Clone(open)
		others := false
		for j, b := range t.blocks {
			if e := b.check(i, j, t.Role); e != nil {
				return e
			}
			if b.CacheControl != nil {
				points++
			}
			if b.Type != "tool_result" {
				others = true
				continue
			}
			k := slices.Index(left, b.ToolUseID)
			if k < 0 {
				return malformed("messages.%d.content.%d: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.", i, j, b.ToolUseID)
			}
			if others {
				return malformed("messages.%d: `tool_result` blocks must come first", i)
			}
			left = slices.Delete(left, k, k+1)
		}
		if len(left) > 0 {
			return malformed("messages.%d: `tool_use` ids were found without `tool_result` blocks immediately after: %s.", i-1, strings.Join(left, ", "))
		}
		if open = nil; t.Role != "assistant" {
			continue
		}
		thought := t.has("thinking") || t.has("redacted_thinking")
		for j, b := range t.blocks {
			if b.Type != "tool_use" {
				continue
			}
			open = append(open, b.ID)
			if strings.HasPrefix(b.ID, thoughtful) && !thought {
				return malformed("messages.%d.content.%d.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.", i, j)
			}
		}
	}
	if points > 4 {
		return malformed("A maximum of 4 blocks with cache_control may be provided. Found %d.", points)
	}
	return nil
}

// thoughtful is what ids of calls begin with that the model thought about.
const thoughtful = "toolu_thought_"

func (b Block) check(i, j int, role string) *APIError {
	at := func(format string, args ...any) *APIError {
		return malformed("messages.%d.content.%d: "+format, append([]any{i, j}, args...)...)
	}
	var object map[string]json.RawMessage
	switch {
	case !slices.Contains(blockTypes[role], b.Type):
		return at("block type '%s' is not allowed for role %s", b.Type, role)
	case b.Type == "text" && strings.TrimSpace(b.Text) == "":
		return at("text content blocks must contain non-whitespace text")
	case b.CacheControl != nil && b.CacheControl.Type != "ephemeral":
		return at("cache_control.type: Input should be 'ephemeral'")
	case b.CacheControl != nil && strings.Contains(b.Type, "thinking"):
		return at("cache_control: Extra inputs are not permitted")
	case b.Type == "thinking" && (b.Thinking == nil || b.Signature != sign(*b.Thinking)):
		return at("Invalid `signature` in `thinking` block")
	case b.Type == "redacted_thinking" && b.Data != hidden:
		return at("Invalid `data` in `redacted_thinking` block")
	case b.Type == "tool_use" && !toolID.MatchString(b.ID):
		return at("tool_use.id: String should match pattern '%s'", toolID)
	case b.Type == "tool_use" && !toolName.MatchString(b.Name):
		return at("tool_use.name: String should match pattern '%s'", toolName)
	case b.Type == "tool_use" && (json.Unmarshal(b.Input, &object) != nil || object == nil):
		return at("tool_use.input: Input should be a valid dictionary")
	case b.Type == "tool_result" && b.ToolUseID == "":
		return at("tool_result.tool_use_id: Field required")
	case b.Type == "image" && (b.Source == nil || b.Source.Type != "base64" || !slices.Contains(imageTypes, b.Source.MediaType)):
		return at("image.source: only base64 images of the types %s are supported here", strings.Join(imageTypes, ", "))
	}
	if b.Type == "image" {
		if _, err := base64.StdEncoding.DecodeString(b.Source.Data); err != nil {
			return at("image.source.base64: invalid base64 data")
		}
	}
	return nil
}
