// Capsule hook-bridge turns what happens on the bus into named hooks.
package main

import (
	"encoding/json"

	"github.com/unicity-astrid/astrid-go/abi"
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

// onToolMessage sees calls on their way to the tool and results on their way back: both are
// published by the router on topics of one form.
func onToolMessage(ctx *sdk.Context, payload []byte) (sdk.Verdict, error) {
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(payload, &head); err != nil {
		return sdk.Verdict{}, err
	}
	switch head.Type {
	case abi.TagToolExecuteRequest:
		return beforeToolCall(ctx, payload)
	case abi.TagToolExecuteResult:
		return afterToolCall(ctx, payload)
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

func afterToolCall(ctx *sdk.Context, payload []byte) (sdk.Verdict, error) {
	var r abi.ToolExecuteResult
	if err := json.Unmarshal(payload, &r); err != nil {
		return sdk.Verdict{}, err
	}
	changed := false
	for _, step := range [][2]string{{"after_tool_call", "modified_result"}, {"tool_result_persist", "transformed_result"}} {
		v, err := lastOf(step[0], step[1], map[string]any{
			"call_id": r.CallID, "content": r.Result.Content, "is_error": r.Result.IsError, "session_id": ctx.Session(),
		})
		if err != nil {
			return sdk.Verdict{}, err
		}
		if v != nil {
			r.Result.Content, changed = text(v), true
		}
	}
	if !changed {
		return sdk.Continue(), nil
	}
	return sdk.Rewrite(r), nil
}

// text is a JSON string's text, or any other value as it is written.
func text(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

func onMessageSending(_ *sdk.Context, payload []byte) (sdk.Verdict, error) {
	var r abi.AgentResponse
	if err := json.Unmarshal(payload, &r); err != nil {
		return sdk.Verdict{}, err
	}
	if !r.IsFinal {
		return sdk.Continue(), nil
	}
	v, err := lastOf("message_sending", "modified_content", map[string]string{"text": r.Text, "session_id": r.SessionID})
	if err != nil || v == nil {
		return sdk.Continue(), err
	}
	r.Text = text(v)
	return sdk.Rewrite(r), nil
}

func onMessageSent(_ *sdk.Context, r abi.AgentResponse) error {
	if !r.IsFinal {
		return nil
	}
	return tell("message_sent", map[string]string{"text": r.Text, "session_id": r.SessionID})
}

func onMessageReceived(_ *sdk.Context, in abi.UserInput) error {
	if in.Text == "" {
		return nil // a wish, not a message
	}
	return tell("message_received", map[string]string{"text": in.Text, "session_id": in.SessionID})
}
