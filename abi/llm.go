package abi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi/rawjson"
)

// LlmRequest asks a provider for one answer.
type LlmRequest struct {
	RequestID string              `json:"request_id"`
	Model     string              `json:"model"` // empty: the provider's own
	Messages  []ChatMessage       `json:"messages"`
	Tools     []LlmToolDefinition `json:"tools"`
	System    string              `json:"system"`
}

// LlmStreamEvent carries one event of the answer to request RequestID. An answer is any
// number of events that end with exactly one Done or one Error.
type LlmStreamEvent struct {
	RequestID string      `json:"request_id"`
	Event     StreamEvent `json:"event"`
	// StopReason goes with Done: one of the reasons of [LlmAnswer], if the provider tells.
	StopReason string `json:"stop_reason,omitempty"`
	// Failure goes with Error and says in a form for programs what its text says to people.
	Failure *LlmFailure `json:"failure,omitempty"`
}

// LlmResponse is a whole answer at once.
type LlmResponse struct {
	RequestID string    `json:"request_id"`
	Response  LlmAnswer `json:"response"`
}

// LlmAnswer is the body of an [LlmResponse].
type LlmAnswer struct {
	Message      ChatMessage `json:"message"`
	HasToolCalls bool        `json:"has_tool_calls"`
	StopReason   string      `json:"stop_reason"` // one of the Reason constants
	Usage        Usage       `json:"usage"`
}

func (LlmRequest) PayloadTag() string     { return TagLlmRequest }
func (LlmStreamEvent) PayloadTag() string { return TagLlmStreamEvent }
func (LlmResponse) PayloadTag() string    { return TagLlmResponse }

// Reasons a model stops for.
const (
	ReasonEndTurn      = "EndTurn"      // it has said all it wanted
	ReasonToolUse      = "ToolUse"      // it waits for the results of its calls
	ReasonMaxTokens    = "MaxTokens"    // its answer was cut at the length limit
	ReasonStopSequence = "StopSequence" // it came to a text at which it was told to stop
	ReasonRefusal      = "Refusal"      // it declined, in its own words
)

// Usage counts tokens.
type Usage struct {
	InputTokens  uint64 `json:"input_tokens"`  // all of the prompt, cached or not
	OutputTokens uint64 `json:"output_tokens"` // reasoning included
	// CacheReadTokens and CacheWriteTokens are those of InputTokens that the vendor found in
	// its prompt cache, and those that it has put there.
	CacheReadTokens  uint64 `json:"cache_read_tokens,omitempty"`
	CacheWriteTokens uint64 `json:"cache_write_tokens,omitempty"`
	// CostUSD is what they cost, if the provider knows its prices.
	CostUSD float64 `json:"cost_usd,omitempty"`
}

// LlmToolDefinition describes a tool to a model.
type LlmToolDefinition struct {
	Name        string          `json:"name"`
	Description *string         `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
}

// Roles of a [ChatMessage].
const (
	RoleSystem    = "system"
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleTool      = "tool"
)

// ChatMessage is one message of a conversation.
type ChatMessage struct {
	Role    string  `json:"role"`
	Content Content `json:"content"`
}

// TextMessage makes a message with plain text.
func TextMessage(role, text string) ChatMessage {
	return ChatMessage{Role: role, Content: Content{Text: text}}
}

// Content is exactly one of: tool calls, a tool result, parts, or text.
// On the wire it is untagged: an array of calls, an object, an array of parts, or a string.
type Content struct {
	Text   string
	Calls  []ToolCall
	Result *ToolCallResult
	Parts  []ContentPart
}

// ContentPart is a piece of text or an image.
type ContentPart struct {
	Type      string `json:"type"` // text or image
	Text      string `json:"text,omitempty"`
	Data      string `json:"data,omitempty"` // base64
	MediaType string `json:"media_type,omitempty"`
}

// MarshalJSON writes the fields of the part's type, also when they are empty: readers require them.
func (p ContentPart) MarshalJSON() ([]byte, error) {
	switch p.Type {
	case "text":
		return json.Marshal(struct {
			Type string `json:"type"`
			Text string `json:"text"`
		}{p.Type, p.Text})
	case "image":
		return json.Marshal(struct {
			Type      string `json:"type"`
			Data      string `json:"data"`
			MediaType string `json:"media_type"`
		}{p.Type, p.Data, p.MediaType})
	}
	return nil, fmt.Errorf("content part has unknown type %q", p.Type)
}

// ToolCall is a model's wish to run a tool.
type ToolCall struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

// ToolCallResult is what a tool answered.
type ToolCallResult struct {
	CallID  string `json:"call_id"`
	Content string `json:"content"`
	IsError bool   `json:"is_error"`
	// Code says why it failed, if the tool knows: the name of a [Code], such as denied.
	Code string `json:"code,omitempty"`
}

// Refused tells whether the gate, or whoever it asked, said no for good.
func (r *ToolCallResult) Refused() bool {
	return r.IsError && (r.Code == CodeDenied.String() || r.Code == CodeBudget.String())
}

// MarshalJSON writes the untagged form.
func (c Content) MarshalJSON() ([]byte, error) { return c.AppendJSON(nil) }

// UnmarshalJSON reads the untagged form. An empty array is an empty list of calls.
func (c *Content) UnmarshalJSON(b []byte) (err error) {
	*c = Content{}
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return errors.New("message content is missing")
	}
	switch b[0] {
	case '"':
		c.Text, err = rawjson.Text(b)
		return err
	case '{':
		return c.unmarshalResult(b)
	case '[':
		return c.unmarshalList(b)
	}
	return errors.New("message content must be text, a list or a tool result")
}

func (c *Content) unmarshalResult(b []byte) error {
	var r ToolCallResult
	var named, told bool
	err := rawjson.Object(b, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "call_id":
			r.CallID, err = rawjson.Text(value)
			named = true
		case "content":
			r.Content, err = rawjson.Text(value)
			told = true
		case "is_error":
			err = json.Unmarshal(value, &r.IsError)
		case "code":
			err = json.Unmarshal(value, &r.Code)
		}
		return err
	})
	if err == nil && (!named || !told) {
		err = errors.New("message content is an object but not a tool result: call_id and content are required")
	}
	c.Result = &r
	return err
}

// contentItem is an item of a list of either kind.
type contentItem struct {
	Type      string
	ID        *string
	Name      *string
	Text      *string
	Data      *string
	MediaType *string
	Arguments json.RawMessage
}

func (it *contentItem) read(b []byte) error {
	return rawjson.Object(b, func(name string, value json.RawMessage) error {
		var field **string
		switch name {
		case "id":
			field = &it.ID
		case "name":
			field = &it.Name
		case "text":
			field = &it.Text
		case "data":
			field = &it.Data
		case "media_type":
			field = &it.MediaType
		case "arguments":
			it.Arguments = bytes.Clone(value)
		case "type":
			return json.Unmarshal(value, &it.Type)
		}
		if field == nil || string(value) == "null" {
			return nil
		}
		s, err := rawjson.Text(value)
		*field = &s
		return err
	})
}

func (c *Content) unmarshalList(b []byte) error {
	var items []contentItem
	err := rawjson.Array(b, func(value json.RawMessage) error {
		items = append(items, contentItem{})
		return items[len(items)-1].read(value)
	})
	if err != nil {
		return err
	}
	calls := make([]ToolCall, 0, len(items))
	parts := make([]ContentPart, 0, len(items))
	for _, it := range items {
		switch {
		case it.ID != nil && it.Name != nil && it.Arguments != nil:
			calls = append(calls, ToolCall{ID: *it.ID, Name: *it.Name, Arguments: it.Arguments})
		case it.Type == "text" && it.Text != nil:
			parts = append(parts, ContentPart{Type: it.Type, Text: *it.Text})
		case it.Type == "image" && it.Data != nil && it.MediaType != nil:
			parts = append(parts, ContentPart{Type: it.Type, Data: *it.Data, MediaType: *it.MediaType})
		default:
			return errors.New("message content list holds neither tool calls nor parts")
		}
	}
	switch {
	case len(calls) == len(items):
		c.Calls = calls
	case len(parts) == len(items):
		c.Parts = parts
	default:
		return errors.New("message content list mixes tool calls and parts")
	}
	return nil
}

// StreamEvent is one event of a provider's stream; exactly one field is set.
type StreamEvent struct {
	TextDelta      *string
	ReasoningDelta *string
	ToolCallStart  *ToolCallStart
	ToolCallDelta  *ToolCallDelta
	ToolCallEnd    *ToolCallEnd
	Usage          *Usage
	Error          *string
	Done           bool
}

// ToolCallStart opens a call in a stream.
type ToolCallStart struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// ToolCallDelta adds a piece of the arguments' JSON text.
type ToolCallDelta struct {
	ID        string `json:"id"`
	ArgsDelta string `json:"args_delta"`
}

// ToolCallEnd closes a call in a stream.
type ToolCallEnd struct {
	ID string `json:"id"`
}

// MarshalJSON writes the externally tagged form; Done is the bare string "Done".
func (e StreamEvent) MarshalJSON() ([]byte, error) {
	switch {
	case e.TextDelta != nil:
		return json.Marshal(map[string]string{"TextDelta": *e.TextDelta})
	case e.ReasoningDelta != nil:
		return json.Marshal(map[string]string{"ReasoningDelta": *e.ReasoningDelta})
	case e.ToolCallStart != nil:
		return json.Marshal(map[string]*ToolCallStart{"ToolCallStart": e.ToolCallStart})
	case e.ToolCallDelta != nil:
		return json.Marshal(map[string]*ToolCallDelta{"ToolCallDelta": e.ToolCallDelta})
	case e.ToolCallEnd != nil:
		return json.Marshal(map[string]*ToolCallEnd{"ToolCallEnd": e.ToolCallEnd})
	case e.Usage != nil:
		return json.Marshal(map[string]*Usage{"Usage": e.Usage})
	case e.Error != nil:
		return json.Marshal(map[string]string{"Error": *e.Error})
	case e.Done:
		return []byte(`"Done"`), nil
	}
	return nil, errors.New("empty stream event")
}

// UnmarshalJSON reads the externally tagged form.
func (e *StreamEvent) UnmarshalJSON(b []byte) error {
	*e = StreamEvent{}
	if string(bytes.TrimSpace(b)) == `"Done"` {
		e.Done = true
		return nil
	}
	// A map keeps names exact, which a struct would not: readers elsewhere know no other spelling.
	var variant map[string]json.RawMessage
	if err := json.Unmarshal(b, &variant); err != nil {
		return err
	}
	if len(variant) != 1 {
		return errors.New("stream event must have exactly one field")
	}
	for name, body := range variant {
		if string(body) == "null" {
			return fmt.Errorf("stream event %s has no body", name)
		}
		if err := e.set(name, body); err != nil {
			return fmt.Errorf("stream event %s: %w", name, err)
		}
	}
	return nil
}

func (e *StreamEvent) set(name string, body []byte) error {
	switch name {
	case "TextDelta":
		return json.Unmarshal(body, &e.TextDelta)
	case "ReasoningDelta":
		return json.Unmarshal(body, &e.ReasoningDelta)
	case "ToolCallStart":
		return json.Unmarshal(body, &e.ToolCallStart)
	case "ToolCallDelta":
		return json.Unmarshal(body, &e.ToolCallDelta)
	case "ToolCallEnd":
		return json.Unmarshal(body, &e.ToolCallEnd)
	case "Usage":
		return json.Unmarshal(body, &e.Usage)
	case "Error":
		return json.Unmarshal(body, &e.Error)
	}
	return errors.New("unknown variant")
}
