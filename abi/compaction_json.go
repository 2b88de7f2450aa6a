package abi

import (
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi/rawjson"
)

// The records of a compaction hold a whole conversation, which encoding/json is slow with. Their other fields are few.

// compactRequest and compactResponse are the records without these methods, and without their messages.
type (
	plainCompactRequest  CompactRequest
	plainCompactResponse CompactResponse
	compactRequest       struct {
		plainCompactRequest
		Messages *struct{} `json:"messages,omitempty"`
	}
	compactResponse struct {
		plainCompactResponse
		Messages *struct{} `json:"messages,omitempty"`
	}
)

// AppendJSON writes the request.
func (r CompactRequest) AppendJSON(dst []byte) ([]byte, error) {
	return appendWith(dst, compactRequest{plainCompactRequest: plainCompactRequest(r)}, r.Messages)
}

// UnmarshalJSON reads the request.
func (r *CompactRequest) UnmarshalJSON(b []byte) (err error) {
	var p compactRequest
	messages, err := decodeWith(b, &p)
	*r = CompactRequest(p.plainCompactRequest)
	r.Messages = messages
	return err
}

// AppendJSON writes the answer.
func (r CompactResponse) AppendJSON(dst []byte) ([]byte, error) {
	return appendWith(dst, compactResponse{plainCompactResponse: plainCompactResponse(r)}, r.Messages)
}

// UnmarshalJSON reads the answer.
func (r *CompactResponse) UnmarshalJSON(b []byte) (err error) {
	var p compactResponse
	messages, err := decodeWith(b, &p)
	*r = CompactResponse(p.plainCompactResponse)
	r.Messages = messages
	return err
}

// appendWith appends the fields of v and a conversation.
func appendWith(dst []byte, v any, messages []ChatMessage) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dst, err = AppendMessages(append(append(dst, b[:len(b)-1]...), `,"messages":`...), messages)
	return append(dst, '}'), err
}

// decodeWith reads the fields of v, and the conversation that is among them.
func decodeWith(b []byte, v any) (messages []ChatMessage, err error) {
	rest := []byte{'{'}
	err = rawjson.Object(b, func(name string, value json.RawMessage) (err error) {
		if name == "messages" {
			messages, err = DecodeMessages(value)
			return err
		}
		if len(rest) > 1 {
			rest = append(rest, ',')
		}
		rest = append(append(rawjson.AppendText(rest, name), ':'), value...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return messages, json.Unmarshal(append(rest, '}'), v)
}
