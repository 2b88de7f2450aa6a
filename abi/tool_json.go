package abi

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/unicity-astrid/astrid-go/abi/rawjson"
)

// What tools and people say passes several capsules and may be long, so it is written and read without encoding/json.

// AppendJSON writes the payload.
func (r ToolExecuteResult) AppendJSON(dst []byte) ([]byte, error) {
	dst = slices.Grow(dst, len(r.Result.Content)+len(r.Result.Content)/16+128)
	dst = rawjson.AppendText(append(dst, `{"call_id":`...), r.CallID)
	dst, err := Content{Result: &r.Result}.AppendJSON(append(dst, `,"result":`...))
	return append(dst, '}'), err
}

// UnmarshalJSON reads the payload.
func (r *ToolExecuteResult) UnmarshalJSON(b []byte) error {
	*r = ToolExecuteResult{}
	return rawjson.Object(b, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "call_id":
			r.CallID, err = optionalText(value)
		case "result":
			err = r.Result.read(value)
		}
		return err
	})
}

func (r *ToolCallResult) read(b []byte) error {
	return rawjson.Object(b, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "call_id":
			r.CallID, err = optionalText(value)
		case "content":
			r.Content, err = optionalText(value)
		case "is_error":
			err = json.Unmarshal(value, &r.IsError)
		case "code":
			r.Code, err = optionalText(value)
		}
		return err
	})
}

// AppendJSON writes the payload.
func (t ToolCompleted) AppendJSON(dst []byte) ([]byte, error) {
	dst = rawjson.AppendText(append(dst, `{"session_id":`...), t.SessionID)
	dst = rawjson.AppendText(append(dst, `,"turn_id":`...), t.TurnID)
	dst = rawjson.AppendText(append(dst, `,"name":`...), t.Name)
	dst = strconv.AppendInt(append(dst, `,"duration_ms":`...), t.DurationMs, 10)
	at := len(dst)
	dst, err := Content{Result: &t.ToolCallResult}.AppendJSON(dst)
	if err != nil {
		return nil, err
	}
	dst[at] = ',' // the result's fields are this object's
	return dst, nil
}

// UnmarshalJSON reads the payload.
func (u *UserInput) UnmarshalJSON(b []byte) error {
	*u = UserInput{}
	return rawjson.Object(b, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "text":
			u.Text, err = optionalText(value)
		case "session_id":
			u.SessionID, err = optionalText(value)
		case "context":
			if string(value) != "null" {
				u.Context = slices.Clone(value)
			}
		}
		return err
	})
}
