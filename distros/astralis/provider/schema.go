package provider

import (
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
)

// Schema makes a tool's schema fit for the APIs: they want the properties spelled out even
// if there are none, and refuse words that are not of JSON Schema, such as the mark of tools
// that change something.
func Schema(t abi.LlmToolDefinition) (json.RawMessage, error) {
	out := append(make([]byte, 0, len(t.InputSchema)+40), '{')
	typed, propertied := false, false
	err := rawjson.Object(orNull(t.InputSchema), func(name string, value json.RawMessage) error {
		switch name {
		case "mutable":
			return nil
		case "type":
			typed = true
		case "properties":
			if string(value) == "null" {
				return nil
			}
			propertied = true
		}
		out = append(append(rawjson.AppendText(out, name), ':'), value...)
		out = append(out, ',')
		return nil
	})
	if err != nil {
		return nil, Fail(abi.LlmInvalid, "tool %s: input_schema: %v", t.Name, err)
	}
	if !typed {
		out = append(out, `"type":"object",`...)
	}
	if !propertied {
		out = append(out, `"properties":{},`...)
	}
	out[len(out)-1] = '}'
	return out, nil
}

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
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

// WithSchema is a tool as a vendor takes it: the fields of v, and the schema by the vendor's name for it.
func WithSchema(v any, name string, t abi.LlmToolDefinition) ([]byte, error) {
	schema, err := Schema(t)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return rawjson.With(b, name, schema), nil
}

// Body is a request with its tools, if there are any.
func Body(v any, tools [][]byte) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil || len(tools) == 0 {
		return b, err
	}
	return rawjson.With(b, "tools", rawjson.List(tools)), nil
}
