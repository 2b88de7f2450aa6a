package provider

import (
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Schema makes a tool's schema fit for the APIs: they want the properties spelled out even
// if there are none, and refuse words that are not of JSON Schema, such as the mark of tools
// that change something.
func Schema(t abi.LlmToolDefinition) (json.RawMessage, error) {
	object := json.RawMessage(`"object"`)
	fields := map[string]json.RawMessage{"type": object}
	if len(t.InputSchema) > 0 {
		if err := json.Unmarshal(t.InputSchema, &fields); err != nil {
			return nil, Fail(abi.LlmInvalid, "tool %s: input_schema: %v", t.Name, err)
		}
	}
	if fields == nil { // it was null
		fields = map[string]json.RawMessage{"type": object}
	}
	delete(fields, "mutable")
	if fields["properties"] == nil {
		fields["properties"] = json.RawMessage("{}")
	}
	return json.Marshal(fields)
}

// ArgumentText is the JSON text of a call's arguments; a JSON string is that text already.
func ArgumentText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// ArgumentObject is the same as an object; what is none is an empty one.
func ArgumentObject(raw json.RawMessage) json.RawMessage {
	text := json.RawMessage(ArgumentText(raw))
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil || object == nil {
		return json.RawMessage("{}")
	}
	return text
}
