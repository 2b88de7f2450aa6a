// Capsule hook-bridge turns what happens on the bus into named hooks.
package main

import (
	"encoding/json"
	"slices"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/hooks"
)

var (
	_ = sdk.Interceptor("on_tool_message", onToolMessage)
	_ = sdk.Interceptor("on_message_sending", onMessageSending)
	_ = sdk.On("on_message_sent", onMessageSent)
	_ = sdk.On("on_message_received", onMessageReceived)
	_ = sdk.On("on_compaction_started", func(_ *sdk.Context, p json.RawMessage) error { return tell("on_compaction_started", p) })
	_ = sdk.On("on_compaction_completed", func(_ *sdk.Context, p json.RawMessage) error { return tell("on_compaction_completed", p) })
	_ = sdk.On("on_kernel_started", func(*sdk.Context, json.RawMessage) error { return tell("kernel_start", struct{}{}) })
)

func main() {}

// tell asks a hook whose answers change nothing.
func tell(hook string, payload any) error {
	_, err := hooks.Trigger(hook, payload)
	return err
}

// lastOf is the last answer to a hook that has the field, if any.
func lastOf(hook, field string, payload any) (json.RawMessage, error) {
	answers, err := hooks.Collect[map[string]json.RawMessage](hook, payload)
	var last json.RawMessage
	for _, a := range answers {
		if v := a[field]; len(v) > 0 && string(v) != "null" {
			last = v
		}
	}
	return last, err
}

// fields are those of an object, as they are written. What is only passed on may be long, and is not decoded.
func fields(payload []byte) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	err := rawjson.Object(payload, func(name string, value json.RawMessage) error {
		all[name] = value
		return nil
	})
	return all, err
}

// object writes an object of fields that are written already; a field that is missing is null.
func object(nameAndValue ...any) json.RawMessage {
	out := []byte{'{'}
	for i := 0; i < len(nameAndValue); i += 2 {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(rawjson.AppendText(out, nameAndValue[i].(string)), ':')
		switch v := nameAndValue[i+1].(type) {
		case string:
			out = rawjson.AppendText(out, v)
		case json.RawMessage:
			if len(v) == 0 {
				v = json.RawMessage("null")
			}
			out = append(slices.Grow(out, len(v)+128), v...)
		}
	}
	return append(out, '}')
}

// onToolMessage sees calls on their way to the tool and results on their way back: both are
// published by the router on topics of one form.
func onToolMessage(ctx *sdk.Context, payload []byte) (sdk.Verdict, error) {
	head, err := fields(payload)
	if err != nil {
		return sdk.Verdict{}, err
	}
	switch text(head["type"]) {
	case abi.TagToolExecuteRequest:
		return beforeToolCall(ctx, payload)
	case abi.TagToolExecuteResult:
		return afterToolCall(ctx, payload, head)
	}
	return sdk.Continue(), nil
}

// verdict is what a listener may say about a call.
type verdict struct {
	Skip           bool            `json:"skip"`
	Reason         string          `json:"reason"`
	ModifiedParams json.RawMessage `json:"modified_params"`
}

func beforeToolCall(ctx *sdk.Context, payload []byte) (sdk.Verdict, error) {
	var r abi.ToolExecuteRequest
	if err := json.Unmarshal(payload, &r); err != nil {
		return sdk.Verdict{}, err
	}
	answers, err := hooks.Collect[verdict]("before_tool_call", map[string]any{
		"call_id": r.CallID, "tool_name": r.ToolName, "arguments": r.Arguments, "session_id": ctx.Session(),
	})
	if err != nil {
		return sdk.Verdict{}, err
	}
	changed := false
	for _, a := range answers {
		if a.Skip {
			text := "the call was skipped by a hook"
			if a.Reason != "" {
				text += ": " + a.Reason
			}
			// The answer in the tool's place.
			return sdk.Final(abi.ToolExecuteResult{CallID: r.CallID, Result: abi.ToolCallResult{CallID: r.CallID, Content: text, IsError: true}}), nil
		}
		if p := a.ModifiedParams; len(p) > 0 && string(p) != "null" {
			r.Arguments, changed = p, true
		}
	}
	if !changed {
		return sdk.Continue(), nil
	}
	return sdk.Rewrite(r), nil
}

func afterToolCall(ctx *sdk.Context, payload []byte, head map[string]json.RawMessage) (sdk.Verdict, error) {
	if len(head["result"]) == 0 {
		return sdk.Continue(), nil
	}
	result, err := fields(head["result"])
	if err != nil {
		return sdk.Verdict{}, err
	}
	content, changed := result["content"], false
	for _, step := range [][2]string{{"after_tool_call", "modified_result"}, {"tool_result_persist", "transformed_result"}} {
		v, err := lastOf(step[0], step[1], object("call_id", head["call_id"], "content", content, "is_error", result["is_error"], "session_id", ctx.Session()))
		if err != nil {
			return sdk.Verdict{}, err
		}
		if v != nil {
			content, changed = rawjson.AppendText(nil, text(v)), true
		}
	}
	if !changed {
		return sdk.Continue(), nil
	}
	var r abi.ToolExecuteResult
	if err := json.Unmarshal(payload, &r); err != nil {
		return sdk.Verdict{}, err
	}
	r.Result.Content = text(content)
	return sdk.Rewrite(r), nil
}

// text is a JSON string's text, or any other value as it is written.
func text(v json.RawMessage) string {
	if s, err := rawjson.Text(v); err == nil {
		return s
	}
	return string(v)
}

func onMessageSending(_ *sdk.Context, payload []byte) (sdk.Verdict, error) {
	said, err := fields(payload)
	if err != nil || string(said["is_final"]) != "true" {
		return sdk.Continue(), err
	}
	v, err := lastOf("message_sending", "modified_content", object("text", said["text"], "session_id", said["session_id"]))
	if err != nil || v == nil {
		return sdk.Continue(), err
	}
	var r abi.AgentResponse
	if err := json.Unmarshal(payload, &r); err != nil {
		return sdk.Verdict{}, err
	}
	r.Text = text(v)
	return sdk.Rewrite(r), nil
}

func onMessageSent(_ *sdk.Context, payload json.RawMessage) error {
	said, err := fields(payload)
	if err != nil || string(said["is_final"]) != "true" {
		return err
	}
	return tell("message_sent", object("session_id", said["session_id"], "text", said["text"]))
}

func onMessageReceived(_ *sdk.Context, payload json.RawMessage) error {
	in, err := fields(payload)
	if t := string(in["text"]); err != nil || t == "" || t == `""` {
		return err // a wish, not a message
	}
	return tell("message_received", object("session_id", in["session_id"], "text", in["text"]))
}
