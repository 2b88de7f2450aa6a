package ipc

import (
	"bytes"
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Unwrap turns the payload of a polled message into the form interceptors get: the
// inner value of "custom" and "raw_json", the tagged object of all others.
func Unwrap(payload json.RawMessage) (json.RawMessage, error) {
	var head struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(payload, &head); err != nil {
		return nil, err
	}
	switch head.Type {
	case abi.TagCustom:
		if head.Data == nil {
			return json.RawMessage("null"), nil
		}
		return head.Data, nil
	case abi.TagRawJSON:
		return withoutTag(payload)
	}
	return payload, nil
}

var rawPrefix = []byte(`{"type":"` + abi.TagRawJSON + `"`)

// withoutTag drops the tag, which the host writes first.
func withoutTag(payload json.RawMessage) (json.RawMessage, error) {
	if rest, ok := bytes.CutPrefix(payload, rawPrefix); ok && len(rest) > 0 {
		rest = bytes.TrimPrefix(rest, []byte{','})
		return append(json.RawMessage{'{'}, rest...), nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(payload, &fields); err != nil {
		return nil, err
	}
	delete(fields, "type")
	return json.Marshal(fields)
}
