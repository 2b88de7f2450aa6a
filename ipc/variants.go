package ipc

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
)

// field is one field of a payload variant or of a record inside it.
type field struct {
	name     string
	required bool
	check    check
	fill     string // JSON to write where an optional field is absent; "" leaves it so
}

// check says whether a JSON text has the form of a field.
type check func(json.RawMessage) error

func need(name string, c check) field     { return field{name: name, required: true, check: c} }
func optional(name string, c check) field { return field{name: name, check: orNull(c)} }

// sessionID is the one field with a default; null is not a session.
var sessionID = field{name: "session_id", check: text, fill: `"default"`}

// variants lists the tagged variants but custom and raw_json, which have rules of their own.
var variants = map[string][]field{
	abi.TagUserInput:     {need("text", text), sessionID, optional("context", anything)},
	abi.TagAgentResponse: {need("text", text), need("is_final", boolean), sessionID, optional("turn_id", text)},
	abi.TagApprovalRequired: {
		need("request_id", text), need("action", text), need("resource", text), need("reason", text), need("risk_level", text),
	},
	abi.TagApprovalResponse:   {need("request_id", text), need("decision", text), optional("reason", text)},
	abi.TagOnboardingRequired: {need("capsule_id", text), need("fields", list(onboardingField))},
	abi.TagLlmRequest: {
		need("request_id", id), need("model", text), need("messages", list(chatMessage)), need("tools", list(toolDefinition)), need("system", text),
	},
	abi.TagLlmStreamEvent:     {need("request_id", id), need("event", decodes[abi.StreamEvent]), optional("stop_reason", text), optional("failure", decodes[abi.LlmFailure])},
	abi.TagLlmResponse:        {need("request_id", id), need("response", answer)},
	abi.TagToolExecuteRequest: {need("call_id", text), need("tool_name", text), need("arguments", anything)},
	abi.TagToolExecuteResult:  {need("call_id", text), need("result", toolResult)},
	abi.TagToolCancelRequest:  {need("call_ids", list(text))},
	abi.TagSelectionRequired: {
		need("request_id", text), need("title", text), need("options", list(selectionOption)), need("callback_topic", text),
	},
	abi.TagElicitRequest:  {need("request_id", id), need("capsule_id", text), need("field", onboardingField)},
	abi.TagElicitResponse: {need("request_id", id), optional("value", text), optional("values", list(text))},
	abi.TagConnect:        {},
	abi.TagDisconnect:     {optional("reason", text)},
}

var (
	onboardingField = record(need("key", text), need("prompt", text), need("field_type", decodes[abi.FieldType]),
		optional("description", text), optional("default", text), optional("placeholder", text))
	selectionOption = record(need("id", text), need("label", text), optional("description", text))
	toolDefinition  = record(need("name", text), optional("description", text), need("input_schema", anything))
	toolResult      = record(need("call_id", text), need("content", text), field{name: "is_error", check: boolean})
	chatMessage     = record(need("role", oneOf(abi.RoleSystem, abi.RoleUser, abi.RoleAssistant, abi.RoleTool)), need("content", decodes[abi.Content]))
	usage           = record(need("input_tokens", decodes[uint64]), need("output_tokens", decodes[uint64]))
	answer          = record(need("message", chatMessage), need("has_tool_calls", boolean),
		need("stop_reason", oneOf("EndTurn", "MaxTokens", "ToolUse", "StopSequence")), need("usage", usage))
)

func anything(json.RawMessage) error { return nil }

func text(b json.RawMessage) error {
	if b[0] != '"' {
		return errors.New("must be text")
	}
	return nil
}

func boolean(b json.RawMessage) error {
	if s := string(b); s != "true" && s != "false" {
		return errors.New("must be true or false")
	}
	return nil
}

func id(b json.RawMessage) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if _, err := uuid.Parse(s); err != nil {
		return errors.New("must be a UUID")
	}
	return nil
}

func oneOf(words ...string) check {
	return func(b json.RawMessage) error {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		for _, w := range words {
			if s == w {
				return nil
			}
		}
		return fmt.Errorf("%q is not one of %q", s, words)
	}
}

// decodes asks the type itself; null is never a value of one.
func decodes[T any](b json.RawMessage) error {
	if string(b) == "null" {
		return errors.New("must not be null")
	}
	return json.Unmarshal(b, new(T))
}

func orNull(c check) check {
	return func(b json.RawMessage) error {
		if string(b) == "null" {
			return nil
		}
		return c(b)
	}
}

func list(item check) check {
	return func(b json.RawMessage) error {
		if b[0] != '[' {
			return errors.New("must be a list")
		}
		var items []json.RawMessage
		if err := json.Unmarshal(b, &items); err != nil {
			return err
		}
		for i, it := range items {
			if err := item(it); err != nil {
				return fmt.Errorf("item %d: %w", i, err)
			}
		}
		return nil
	}
}

func record(fields ...field) check {
	return func(b json.RawMessage) error {
		if b[0] != '{' {
			return errors.New("must be an object")
		}
		s, err := scan(b)
		if err != nil {
			return err
		}
		for _, f := range fields {
			m, err := s.field(f.name)
			switch {
			case err != nil:
				return err
			case m == nil && f.required:
				return fmt.Errorf("field %q is missing", f.name)
			case m == nil:
				continue
			}
			if err := f.check(b[m.val:m.end]); err != nil {
				return fmt.Errorf("field %q: %w", f.name, err)
			}
		}
		return nil
	}
}
