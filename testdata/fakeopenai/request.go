package fakeopenai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
)

// Chat is the body of a request: the fields that decide something here.
type Chat struct {
	Model         string          `json:"model"`
	Messages      []Message       `json:"messages"`
	Tools         []Tool          `json:"tools"`
	Stream        bool            `json:"stream"`
	StreamOptions *StreamOptions  `json:"stream_options"`
	MaxTokens     *int            `json:"max_tokens"`
	Temperature   *float64        `json:"temperature"`
	ToolChoice    json.RawMessage `json:"tool_choice"`
}

// StreamOptions of a request.
type StreamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// Message of a request.
type Message struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"` // text, parts or null
	ToolCalls  []ToolCall      `json:"tool_calls"`
	ToolCallID string          `json:"tool_call_id"`
	Name       string          `json:"name"`
}

// ToolCall of an assistant's message.
type ToolCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string  `json:"name"`
		Arguments *string `json:"arguments"` // JSON as text
	} `json:"function"`
}

// Tool that the model may call.
type Tool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
		Strict      *bool           `json:"strict"`
	} `json:"function"`
}

// Part of a message's content.
type Part struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	ImageURL *struct {
		URL    string `json:"url"`
		Detail string `json:"detail"`
	} `json:"image_url"`
}

// Text is the text of a message's content, parts joined.
func (m *Message) Text() string {
	var text string
	if json.Unmarshal(m.Content, &text) == nil {
		return text
	}
	var parts []Part
	if json.Unmarshal(m.Content, &parts) != nil {
		return ""
	}
	for _, p := range parts {
		text += p.Text
	}
	return text
}

// Limits of the vendor. Source: OpenAI API reference, "Create chat completion", and the
// texts of its errors.
const (
	maxTools      = 128
	maxToolCallID = 40
)

var toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// fields are the documented names at the top of a request.
// shape is what a request may have. Source: OpenAI API reference, "Create chat completion".
var shape = fakellm.Shape{
	"": `messages model audio frequency_penalty function_call functions logit_bias logprobs
		max_completion_tokens max_tokens metadata modalities moderation n parallel_tool_calls prediction presence_penalty
		prompt_cache_key prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop
		store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options`,
	"messages[]":                       "role content name refusal audio tool_calls tool_call_id",
	"messages[].content[]:text":        "type text",
	"messages[].content[]:refusal":     "type refusal",
	"messages[].content[]:image_url":   "type image_url",
	"messages[].content[].image_url":   "url detail",
	"messages[].tool_calls[]":          "id type function",
	"messages[].tool_calls[].function": "name arguments",
	"tools[]":                          "type function",
	"tools[].function":                 "name description parameters strict",
	"stream_options":                   "include_usage include_obfuscation",
}

// parse decodes and checks a body.
func (c *Chat) parse(raw []byte) *APIError {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(raw, &top); err != nil {
		return malformed("We could not parse the JSON body of your request: %v", err)
	}
	if name := shape.Extra(raw); name != "" {
		return malformed("Unrecognized request argument supplied: %s", name)
	}
	if err := json.Unmarshal(raw, c); err != nil {
		return malformed("Invalid type: %v", err)
	}
	switch {
	case c.Model == "":
		return malformed("you must provide a model parameter")
	case len(c.Messages) == 0:
		return malformed("Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	case top["stream_options"] != nil && !c.Stream:
		return malformed("The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	case c.MaxTokens != nil && *c.MaxTokens < 1:
		return malformed("Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got %d instead.", *c.MaxTokens)
	case c.Temperature != nil && (*c.Temperature < 0 || *c.Temperature > 2):
		return malformed("Invalid 'temperature': decimal out of range. Expected a value between 0 and 2, but got %g instead.", *c.Temperature)
	case top["tools"] != nil && len(c.Tools) == 0:
		return malformed("Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	case len(c.Tools) > maxTools:
		return malformed("Invalid 'tools': array too long. Expected an array with maximum length %d, but got an array with length %d instead.", maxTools, len(c.Tools))
	case top["tool_choice"] != nil && len(c.Tools) == 0:
		return malformed("Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.")
	}
	for i := range c.Tools {
		if e := c.Tools[i].check(i); e != nil {
			return e
		}
	}
	return c.checkMessages()
}

// schemaKeys are the words of JSON Schema that the vendor takes at the top of a tool's parameters.
var schemaKeys = strings.Fields(`$schema $id $defs definitions title description type properties required
	additionalProperties patternProperties minProperties maxProperties anyOf allOf oneOf default examples`)

func (t *Tool) check(i int) *APIError {
	f := &t.Function
	at := fmt.Sprintf("tools[%d]", i)
	switch {
	case t.Type != "function":
		return malformed("Invalid value: '%s'. Supported values are: 'function'. (%s.type)", t.Type, at)
	case !toolName.MatchString(f.Name):
		return malformed("Invalid '%s.function.name': string does not match pattern. Expected a string that matches the pattern '%s'.", at, toolName)
	case f.Parameters == nil:
		return nil
	}
	var schema map[string]json.RawMessage
	if json.Unmarshal(f.Parameters, &schema) != nil || schema == nil {
		return malformed("Invalid schema for function '%s': schema must be a JSON Schema of 'type: \"object\"'.", f.Name)
	}
	var kind string
	if json.Unmarshal(schema["type"], &kind) != nil || kind != "object" {
		return malformed("Invalid schema for function '%s': schema must be a JSON Schema of 'type: \"object\"', got 'type: %s'.", f.Name, schema["type"])
	}
	if schema["properties"] == nil {
		return malformed("Invalid schema for function '%s': In context=(), object schema missing properties.", f.Name)
	}
	for key := range schema {
		if !slices.Contains(schemaKeys, key) {
			return malformed("Invalid schema for function '%s': In context=(), '%s' is not permitted.", f.Name, key)
		}
	}
	return nil
}

func (c *Chat) checkMessages() *APIError {
	var open []string // ids of calls that wait for their tool messages
	for i := range c.Messages {
		m := &c.Messages[i]
		at := fmt.Sprintf("messages[%d]", i)
		if m.Role == "tool" {
			j := slices.Index(open, m.ToolCallID)
			switch {
			case m.ToolCallID == "":
				return malformed("Missing required parameter: '%s.tool_call_id'.", at)
			case j < 0:
				return malformed("Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'. (%s, '%s')", at, m.ToolCallID)
			}
			open = slices.Delete(open, j, j+1)
		} else if len(open) > 0 {
			return unanswered(open)
		}
		if e := m.check(at); e != nil {
			return e
		}
		for _, call := range m.ToolCalls {
			if slices.Contains(open, call.ID) {
				return malformed("Duplicate value for 'tool_call_id' of '%s' in %s.tool_calls.", call.ID, at)
			}
			open = append(open, call.ID)
		}
	}
	if len(open) > 0 {
		return unanswered(open)
	}
	return nil
}

func unanswered(ids []string) *APIError {
	return malformed("An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "+
		"The following tool_call_ids did not have response messages: %s", strings.Join(ids, ", "))
}

// partTypes are the kinds of parts that a role may use.
var partTypes = map[string][]string{
	"system": {"text"}, "developer": {"text"}, "tool": {"text"},
	"assistant": {"text", "refusal"},
	"user":      {"text", "image_url", "input_audio", "file"},
}

func (m *Message) check(at string) *APIError {
	allowed, ok := partTypes[m.Role]
	null := len(m.Content) == 0 || string(m.Content) == "null"
	switch {
	case !ok:
		return malformed("Invalid value: '%s'. Supported values are: 'system', 'assistant', 'user', 'tool', and 'developer'. (%s.role)", m.Role, at)
	case m.ToolCallID != "" && m.Role != "tool":
		return malformed("Unrecognized parameter '%s.tool_call_id' of a message with role '%s'.", at, m.Role)
	case m.ToolCalls != nil && m.Role != "assistant":
		return malformed("Unrecognized parameter '%s.tool_calls' of a message with role '%s'.", at, m.Role)
	case m.ToolCalls != nil && len(m.ToolCalls) == 0:
		return malformed("Invalid '%s.tool_calls': empty array. Expected an array with minimum length 1, but got an empty array instead.", at)
	case null && m.ToolCalls == nil:
		return malformed("Invalid value for 'content': expected a string, got null. (%s.content)", at)
	}
	for i, call := range m.ToolCalls {
		where := fmt.Sprintf("%s.tool_calls[%d]", at, i)
		switch {
		case call.ID == "":
			return malformed("Missing required parameter: '%s.id'.", where)
		case len(call.ID) > maxToolCallID:
			return malformed("Invalid '%s.id': string too long. Expected a string with maximum length %d, but got a string with length %d instead.", where, maxToolCallID, len(call.ID))
		case call.Type != "function":
			return malformed("Invalid value: '%s'. Supported values are: 'function'. (%s.type)", call.Type, where)
		case !toolName.MatchString(call.Function.Name):
			return malformed("Invalid '%s.function.name': string does not match pattern '%s'.", where, toolName)
		case call.Function.Arguments == nil:
			return malformed("Missing required parameter: '%s.function.arguments'.", where)
		}
	}
	if null || bytes.HasPrefix(bytes.TrimSpace(m.Content), []byte{'"'}) {
		return nil
	}
	return checkParts(m.Content, allowed, at)
}

func checkParts(content []byte, allowed []string, at string) *APIError {
	var parts []Part
	if err := json.Unmarshal(content, &parts); err != nil {
		return malformed("Invalid type for '%s.content': expected one of a string or array of objects.", at)
	}
	if len(parts) == 0 {
		return malformed("Invalid '%s.content': empty array.", at)
	}
	for i, p := range parts {
		where := fmt.Sprintf("%s.content[%d]", at, i)
		switch {
		case !slices.Contains(allowed, p.Type):
			return malformed("Invalid value: '%s'. Supported values are: '%s'. (%s.type)", p.Type, strings.Join(allowed, "', '"), where)
		case p.Type == "image_url" && p.ImageURL == nil:
			return malformed("Missing required parameter: '%s.image_url'.", where)
		case p.Type == "image_url" && !imageURL.MatchString(p.ImageURL.URL):
			return malformed("Invalid '%s.image_url': expected a base64-encoded data URL with an image MIME type, or an http(s) URL.", where)
		}
	}
	return nil
}

var imageURL = regexp.MustCompile(`^(https?://\S+|data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*)$`)
