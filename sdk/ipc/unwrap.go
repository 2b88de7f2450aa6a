package ipc

import (
	"bytes"
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
)

// Unwrap turns the payload of a polled message into the form interceptors get: the
// inner value of "custom" and "raw_json", the tagged object of all others.
func Unwrap(payload json.RawMessage) (json.RawMessage, error) {
	var tag string
	data := json.RawMessage("null")
	err := rawjson.Object(payload, func(name string, value json.RawMessage) error {
		switch name {
		case "type":
			return json.Unmarshal(value, &tag)
		case "data":
			data = value
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	switch tag {
	case abi.TagCustom:
		return data, nil
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
