package abi

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/unicity-astrid/astrid-go/abi/rawjson"
)

// Appender writes its JSON itself. What encoding/json gets from a MarshalJSON it reads once more,
// which for a conversation takes a guest longer than everything else.
type Appender interface {
	AppendJSON(dst []byte) ([]byte, error)
}

// appendRaw appends JSON that is there already.
func appendRaw(dst []byte, raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return append(dst, "null"...)
	}
	return append(dst, raw...)
}

// AppendJSON writes the parameter.
func (r HookRequest) AppendJSON(dst []byte) ([]byte, error) {
	dst = rawjson.AppendText(append(dst, `{"hook":`...), r.Hook)
	return append(appendRaw(append(dst, `,"payload":`...), r.Payload), '}'), nil
}

// AppendMessages appends a conversation.
func AppendMessages(dst []byte, ms []ChatMessage) (_ []byte, err error) {
	// Room for all of it at once: growing would copy a long conversation several times.
	size := 2
	for i := range ms {
		size += ms[i].Content.size() + 64
	}
	dst = append(slices.Grow(dst, size+size/16), '[')
	for i, m := range ms {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = m.AppendJSON(dst); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// size is about how long the content is, and escapes are not counted.
func (c *Content) size() int {
	n := len(c.Text)
	for i := range c.Calls {
		n += len(c.Calls[i].ID) + len(c.Calls[i].Name) + len(c.Calls[i].Arguments) + 32
	}
	if c.Result != nil {
		n += len(c.Result.CallID) + len(c.Result.Content) + 48
	}
	for i := range c.Parts {
		n += len(c.Parts[i].Text) + len(c.Parts[i].Data) + 48
	}
	return n
}

// AppendJSON writes the message.
func (m ChatMessage) AppendJSON(dst []byte) ([]byte, error) {
	dst = rawjson.AppendText(append(dst, `{"role":`...), m.Role)
	dst, err := m.Content.AppendJSON(append(dst, `,"content":`...))
	return append(dst, '}'), err
}

// AppendJSON writes the untagged form.
func (c Content) AppendJSON(dst []byte) ([]byte, error) {
	switch {
	case c.Result != nil:
		dst = rawjson.AppendText(append(dst, `{"call_id":`...), c.Result.CallID)
		dst = rawjson.AppendText(append(dst, `,"content":`...), c.Result.Content)
		dst = append(dst, `,"is_error":`...)
		if c.Result.IsError {
			dst = append(dst, "true"...)
		} else {
			dst = append(dst, "false"...)
		}
		if c.Result.Code != "" {
			dst = rawjson.AppendText(append(dst, `,"code":`...), c.Result.Code)
		}
		return append(dst, '}'), nil
	case c.Calls != nil:
		dst = append(dst, '[')
		for i, call := range c.Calls {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = rawjson.AppendText(append(dst, `{"id":`...), call.ID)
			dst = rawjson.AppendText(append(dst, `,"name":`...), call.Name)
			dst = append(appendRaw(append(dst, `,"arguments":`...), call.Arguments), '}')
		}
		return append(dst, ']'), nil
	case c.Parts != nil:
		b, err := json.Marshal(c.Parts)
		return append(dst, b...), err
	}
	return rawjson.AppendText(dst, c.Text), nil
}

// AppendJSON writes the request.
func (r LlmRequest) AppendJSON(dst []byte) (_ []byte, err error) {
	dst = rawjson.AppendText(append(dst, `{"request_id":`...), r.RequestID)
	dst = rawjson.AppendText(append(dst, `,"model":`...), r.Model)
	if dst, err = AppendMessages(append(dst, `,"messages":`...), r.Messages); err != nil {
		return nil, err
	}
	dst = AppendTools(append(dst, `,"tools":`...), r.Tools)
	return append(rawjson.AppendText(append(dst, `,"system":`...), r.System), '}'), nil
}

// AppendTools appends definitions of tools.
func AppendTools(dst []byte, tools []LlmToolDefinition) []byte {
	dst = append(dst, '[')
	for i, t := range tools {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(rawjson.AppendText(append(dst, `{"name":`...), t.Name), `,"description":`...)
		if t.Description == nil {
			dst = append(dst, "null"...)
		} else {
			dst = rawjson.AppendText(dst, *t.Description)
		}
		dst = append(appendRaw(append(dst, `,"input_schema":`...), t.InputSchema), '}')
	}
	return append(dst, ']')
}

// MarshalJSON writes what AppendJSON does.
func (r LlmRequest) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil) }

// UnmarshalJSON reads as much as it can: of a request that is not in order whoever waits must be told.
func (r *LlmRequest) UnmarshalJSON(b []byte) error {
	*r = LlmRequest{}
	var wrong error
	err := rawjson.Object(b, func(name string, value json.RawMessage) error {
		var err error
		switch name {
		case "request_id":
			r.RequestID, err = optionalText(value)
		case "model":
			r.Model, err = optionalText(value)
		case "messages":
			r.Messages, err = DecodeMessages(value)
		case "tools":
			r.Tools, err = DecodeTools(value)
		case "system":
			r.System, err = optionalText(value)
		}
		wrong = errors.Join(wrong, err)
		return nil
	})
	return errors.Join(wrong, err)
}

// optionalText is a string, or nothing for null.
func optionalText(value json.RawMessage) (string, error) {
	if string(value) == "null" {
		return "", nil
	}
	return rawjson.Text(value)
}

// DecodeMessages reads a conversation.
func DecodeMessages(b []byte) (ms []ChatMessage, err error) {
	if string(b) != "null" {
		ms = []ChatMessage{}
	}
	err = rawjson.Array(b, func(value json.RawMessage) error {
		var m ChatMessage
		err := m.UnmarshalJSON(value)
		ms = append(ms, m)
		return err
	})
	return ms, err
}

// UnmarshalJSON reads one message.
func (m *ChatMessage) UnmarshalJSON(b []byte) error {
	*m = ChatMessage{}
	return rawjson.Object(b, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "role":
			m.Role, err = optionalText(value)
		case "content":
			err = m.Content.UnmarshalJSON(value)
		}
		return err
	})
}

// DecodeTools reads definitions of tools. Their schemas are left as they are.
func DecodeTools(b []byte) (tools []LlmToolDefinition, err error) {
	err = rawjson.Array(b, func(value json.RawMessage) error {
		var t LlmToolDefinition
		err := rawjson.Object(value, func(name string, value json.RawMessage) (err error) {
			switch name {
			case "name":
				t.Name, err = optionalText(value)
			case "description":
				if string(value) != "null" {
					t.Description = new(string)
					*t.Description, err = rawjson.Text(value)
				}
			case "input_schema":
				t.InputSchema = bytes.Clone(value)
			}
			return err
		})
		tools = append(tools, t)
		return err
	})
	return tools, err
}

// AppendJSON writes the request.
func (r SessionMessagesRequest) AppendJSON(dst []byte) ([]byte, error) {
	type plain SessionMessagesRequest // without this method
	messages := r.AppendBeforeRead
	r.AppendBeforeRead = nil
	b, err := json.Marshal(plain(r))
	if err != nil || len(messages) == 0 {
		return append(dst, b...), err
	}
	dst, err = AppendMessages(append(append(dst, b[:len(b)-1]...), `,"append_before_read":`...), messages)
	return append(dst, '}'), err
}

// UnmarshalJSON reads the answer of a session store.
func (s *SessionMessages) UnmarshalJSON(b []byte) error {
	*s = SessionMessages{}
	return rawjson.Object(b, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "messages":
			s.Messages, err = DecodeMessages(value)
		case "correlation_id":
			s.CorrelationID, err = optionalText(value)
		case "total":
			err = json.Unmarshal(value, &s.Total)
		case "head":
			err = json.Unmarshal(value, &s.Head)
		case "start":
			err = json.Unmarshal(value, &s.Start)
		case "earlier":
			err = json.Unmarshal(value, &s.Earlier)
		case "last_append_id":
			s.LastAppendID, err = optionalText(value)
		case "error":
			s.Error, err = optionalText(value)
		}
		return err
	})
}
