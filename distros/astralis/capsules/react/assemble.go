package main

import (
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
)

// assembleRequest asks for the prompt.
type assembleRequest struct {
	SystemPrompt string `json:"system_prompt"`
	RequestID    string `json:"request_id"`
	SessionID    string `json:"session_id"`
	Model        string `json:"model"`
	Provider     string `json:"provider"`
	messages     json.RawMessage
}

// AppendJSON writes the messages last. They are the end of the conversation: see recent.
func (r assembleRequest) AppendJSON(dst []byte) ([]byte, error) {
	type plain assembleRequest // without this method
	b, err := json.Marshal(plain(r))
	if err != nil {
		return nil, err
	}
	return append(dst, rawjson.With(b, "messages", r.messages)...), nil
}

// promptResponse is the prompt. It comes with the messages again, which we have.
type promptResponse struct {
	SystemPrompt      string                  `json:"system_prompt"`
	UserContextPrefix string                  `json:"user_context_prefix"`
	RequestID         string                  `json:"request_id"`
	SessionID         string                  `json:"session_id"`
	Tools             []abi.LlmToolDefinition `json:"tools"`
	Error             string                  `json:"error"`
}

// UnmarshalJSON leaves the tools' schemas as they are.
func (r *promptResponse) UnmarshalJSON(b []byte) error {
	return rawjson.Object(b, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "system_prompt":
			err = json.Unmarshal(value, &r.SystemPrompt)
		case "user_context_prefix":
			err = json.Unmarshal(value, &r.UserContextPrefix)
		case "request_id":
			err = json.Unmarshal(value, &r.RequestID)
		case "session_id":
			err = json.Unmarshal(value, &r.SessionID)
		case "tools":
			r.Tools, err = abi.DecodeTools(value)
		case "error":
			err = json.Unmarshal(value, &r.Error)
		}
		return err
	})
}
