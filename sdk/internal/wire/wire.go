// Package wire encodes what a capsule hands to the host.
package wire

import (
	"bytes"
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Marshal is json.Marshal that leaves <, > and & alone: tool results are read by models,
// not by browsers.
func Marshal(v any) ([]byte, error) {
	if a, ok := v.(abi.Appender); ok {
		return a.AppendJSON(nil)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// Payload encodes a message payload. Bytes are taken to be JSON already, a tagged
// payload gets its tag, anything else is encoded as JSON.
func Payload(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case json.RawMessage:
		return v, nil
	case abi.TaggedPayload:
		return abi.MarshalPayload(v)
	}
	return Marshal(v)
}

// Unmarshal decodes what comes from the host, which has seen to it that it is JSON: encoding/json would look once more.
func Unmarshal(b []byte, v any) error {
	switch v := v.(type) {
	case *json.RawMessage:
		*v = b
		return nil
	case json.Unmarshaler:
		return v.UnmarshalJSON(b)
	}
	return json.Unmarshal(b, v)
}
