package main

import (
	"encoding/json"
	"errors"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
)

// request and response pass the conversation on as it is: it may be long, and nobody here reads it.
type request struct {
	Messages     json.RawMessage
	SystemPrompt string
	RequestID    string
	SessionID    string
	Model        string
	Provider     string
}

type response struct {
	SystemPrompt      string
	UserContextPrefix string
	RequestID         string
	SessionID         string
	Tools             []abi.LlmToolDefinition
	Messages          json.RawMessage
}

// empty tells whether there is no conversation.
func empty(messages json.RawMessage) bool {
	return len(messages) == 0 || string(messages) == "null" || string(messages) == "[]"
}

// UnmarshalJSON reads as much as it can: of a request that is not in order whoever waits must be told.
func (r *request) UnmarshalJSON(b []byte) error {
	var wrong error
	err := rawjson.Object(b, func(name string, value json.RawMessage) error {
		var err error
		switch name {
		case "messages":
			if r.Messages = value; !empty(value) && value[0] != '[' {
				err = errors.New("messages is not a list")
			}
		case "system_prompt":
			err = json.Unmarshal(value, &r.SystemPrompt)
		case "request_id":
			err = json.Unmarshal(value, &r.RequestID)
		case "session_id":
			err = json.Unmarshal(value, &r.SessionID)
		case "model":
			err = json.Unmarshal(value, &r.Model)
		case "provider":
			err = json.Unmarshal(value, &r.Provider)
		}
		wrong = errors.Join(wrong, err)
		return nil
	})
	return errors.Join(wrong, err)
}

// AppendJSON writes the answer; what is empty and optional is left out.
func (r *response) AppendJSON(dst []byte) (_ []byte, err error) {
	dst = rawjson.AppendText(append(dst, `{"system_prompt":`...), r.SystemPrompt)
	dst = rawjson.AppendText(append(dst, `,"user_context_prefix":`...), r.UserContextPrefix)
	dst = rawjson.AppendText(append(dst, `,"request_id":`...), r.RequestID)
	if r.SessionID != "" {
		dst = rawjson.AppendText(append(dst, `,"session_id":`...), r.SessionID)
	}
	if len(r.Tools) > 0 {
		dst = abi.AppendTools(append(dst, `,"tools":`...), r.Tools)
	}
	if !empty(r.Messages) {
		dst = append(append(dst, `,"messages":`...), r.Messages...)
	}
	return append(dst, '}'), nil
}

// hook is what contributors are asked with.
type hook struct {
	request
	messages []json.RawMessage
	topic    string
}

func (h hook) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, `{"messages":[`...)
	for i, m := range h.messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, m...)
	}
	dst = rawjson.AppendText(append(dst, `],"system_prompt":`...), h.SystemPrompt)
	dst = rawjson.AppendText(append(dst, `,"request_id":`...), h.RequestID)
	dst = rawjson.AppendText(append(dst, `,"model":`...), h.Model)
	dst = rawjson.AppendText(append(dst, `,"provider":`...), h.Provider)
	return append(rawjson.AppendText(append(dst, `,"response_topic":`...), h.topic), '}'), nil
}
