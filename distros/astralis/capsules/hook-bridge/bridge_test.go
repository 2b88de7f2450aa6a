package main

import (
	"encoding/json"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func TestToolCalls(t *testing.T) {
	request := abi.ToolExecuteRequest{CallID: "c", ToolName: "look", Arguments: json.RawMessage(`{"a":1}`)}
	for _, c := range []struct {
		name    string
		answers []any
		verdict byte
		want    string
	}{
		{"nobody", nil, abi.VerdictContinue, ""},
		{"nothing to say", []any{map[string]any{"skip": false}, "odd"}, abi.VerdictContinue, ""},
		{"the last change counts", []any{map[string]any{"modified_params": map[string]int{"a": 2}}, map[string]any{"modified_params": map[string]int{"a": 3}}},
			abi.VerdictContinue, `{"type":"tool_execute_request","call_id":"c","tool_name":"look","arguments":{"a":3}}`},
		{"one skip is enough", []any{map[string]any{"skip": true, "reason": "not now"}, map[string]any{}},
			abi.VerdictFinal, `{"type":"tool_execute_result","call_id":"c","result":{"call_id":"c","content":"the call was skipped by a hook: not now","is_error":true}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := sdktest.New(t)
			for _, a := range c.answers {
				h.OnHook("before_tool_call", func(json.RawMessage) any { return a })
			}
			if got := h.Call("on_tool_message", request); got.Verdict != c.verdict || string(got.Payload) != c.want {
				t.Errorf("%d %s", got.Verdict, got.Payload)
			}
		})
	}
}

func TestResults(t *testing.T) {
	h := sdktest.New(t)
	result := abi.ToolExecuteResult{CallID: "c", Result: abi.ToolCallResult{CallID: "c", Content: "raw"}}
	if got := h.Call("on_tool_message", result); got.Verdict != abi.VerdictContinue || len(got.Payload) != 0 {
		t.Errorf("%+v", got)
	}
	h.OnHook("after_tool_call", func(json.RawMessage) any { return map[string]any{"modified_result": "first"} })
	h.OnHook("tool_result_persist", func(raw json.RawMessage) any {
		var r struct{ Content string }
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Error(err)
		}
		return map[string]any{"transformed_result": map[string]string{"of": r.Content}}
	})
	if got := h.Call("on_tool_message", result); string(got.Payload) != `{"type":"tool_execute_result","call_id":"c","result":{"call_id":"c","content":"{\"of\":\"first\"}","is_error":false}}` {
		t.Errorf("%s", got.Payload)
	}
	if got := h.Call("on_tool_message", json.RawMessage(`{"x":1}`)); got.Verdict != abi.VerdictContinue || len(got.Payload) != 0 {
		t.Errorf("%+v", got)
	}
	if got := h.Call("on_tool_message", json.RawMessage(`[`)); !got.Denied() {
		t.Error("a guard that cannot read lets it pass")
	}
}

func TestMessages(t *testing.T) {
	h := sdktest.New(t)
	var heard []string
	for _, hook := range []string{"message_sent", "message_received", "on_compaction_started", "on_compaction_completed", "kernel_start"} {
		h.OnHook(hook, func(raw json.RawMessage) any { heard = append(heard, hook+string(raw)); return nil })
	}
	h.OnHook("message_sending", func(json.RawMessage) any { return map[string]any{"modified_content": "better"} })
	final := abi.AgentResponse{Text: "t", IsFinal: true, SessionID: "s"}
	if got := h.Call("on_message_sending", final); string(got.Payload) != `{"type":"agent_response","text":"better","is_final":true,"session_id":"s"}` {
		t.Errorf("%s", got.Payload)
	}
	h.Call("on_message_sent", final)
	h.Call("on_message_received", abi.UserInput{Text: "hi", SessionID: "s"})
	h.Call("on_compaction_started", map[string]int{"n": 1})
	h.Call("on_compaction_completed", map[string]int{"n": 2})
	h.Call("on_kernel_started", map[string]string{"status": "ready"})
	// These say nothing.
	if got := h.Call("on_message_sending", abi.AgentResponse{Text: "delta"}); len(got.Payload) != 0 {
		t.Errorf("%s", got.Payload)
	}
	h.Call("on_message_sent", abi.AgentResponse{Text: "delta"})
	h.Call("on_message_received", abi.UserInput{SessionID: "s"})
	want := `[message_sent{"session_id":"s","text":"t"} message_received{"session_id":"s","text":"hi"} on_compaction_started{"n":1} on_compaction_completed{"n":2} kernel_start{}]`
	got := "["
	for i, s := range heard {
		if i > 0 {
			got += " "
		}
		got += s
	}
	if got+"]" != want {
		t.Errorf("%s]", got)
	}
}
