package abi

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

func ptr[T any](v T) *T { return &v }

// The examples of the specification, byte for byte.
func TestMarshalPayload(t *testing.T) {
	for want, p := range map[string]TaggedPayload{
		`{"type":"user_input","text":"hi","session_id":"s1","context":{"action":"cancel_turn"}}`: UserInput{"hi", "s1", json.RawMessage(`{"action":"cancel_turn"}`)},
		`{"type":"agent_response","text":"done","is_final":true,"session_id":"s1"}`:              AgentResponse{Text: "done", IsFinal: true, SessionID: "s1"},
		`{"type":"approval_required","request_id":"r1","action":"git push","resource":"git push origin main","reason":"...","risk_level":"high"}`: ApprovalRequired{
			RequestID: "r1", Action: "git push", Resource: "git push origin main", Reason: "...", RiskLevel: "high"},
		`{"type":"approval_response","request_id":"r1","decision":"approve_session"}`: ApprovalResponse{RequestID: "r1", Decision: DecisionApproveSession},
		`{"type":"onboarding_required","capsule_id":"c","fields":[{"key":"net","prompt":"Pick","field_type":{"Enum":["a","b"]},"default":"a"}]}`: OnboardingRequired{
			"c", []OnboardingField{{Key: "net", Prompt: "Pick", FieldType: FieldType{"Enum", []string{"a", "b"}}, Default: "a"}}},
		`{"type":"llm_request","request_id":"u","model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"name":"t","description":null,"input_schema":{"type":"object"}}],"system":"s"}`: LlmRequest{
			"u", "m", []ChatMessage{TextMessage(RoleUser, "hi")}, []LlmToolDefinition{{Name: "t", InputSchema: json.RawMessage(`{"type":"object"}`)}}, "s"},
		`{"type":"llm_stream_event","request_id":"u","event":{"TextDelta":"He"}}`: LlmStreamEvent{RequestID: "u", Event: StreamEvent{TextDelta: ptr("He")}},
		`{"type":"llm_response","request_id":"u","response":{"message":{"role":"assistant","content":"x"},"has_tool_calls":false,"stop_reason":"EndTurn","usage":{"input_tokens":1,"output_tokens":2}}}`: LlmResponse{
			"u", LlmAnswer{TextMessage(RoleAssistant, "x"), false, "EndTurn", Usage{InputTokens: 1, OutputTokens: 2}}},
		`{"type":"tool_execute_request","call_id":"c1","tool_name":"read_file","arguments":{"file_path":"a"}}`: ToolExecuteRequest{
			"c1", "read_file", json.RawMessage(`{"file_path":"a"}`)},
		`{"type":"tool_execute_result","call_id":"c1","result":{"call_id":"c1","content":"ok","is_error":false}}`: ToolExecuteResult{
			"c1", ToolCallResult{CallID: "c1", Content: "ok"}},
		`{"type":"tool_cancel_request","call_ids":["c1","c2"]}`: ToolCancelRequest{[]string{"c1", "c2"}},
		`{"type":"selection_required","request_id":"r","title":"Pick","options":[{"id":"i","label":"L","description":"d"}],"callback_topic":"registry.v1.selection.callback"}`: SelectionRequired{
			"r", "Pick", []SelectionOption{{"i", "L", "d"}}, "registry.v1.selection.callback"},
		`{"type":"elicit_request","request_id":"u","capsule_id":"c","field":{"key":"api_key","prompt":"Key?","field_type":"Secret","placeholder":"sk-..."}}`: ElicitRequestEvent{
			"u", "c", OnboardingField{Key: "api_key", Prompt: "Key?", FieldType: FieldType{Name: "Secret"}, Placeholder: "sk-..."}},
		`{"type":"elicit_response","request_id":"u","value":"abc"}`:      ElicitResponse{RequestID: "u", Value: ptr("abc")},
		`{"type":"elicit_response","request_id":"u","values":["x","y"]}`: ElicitResponse{RequestID: "u", Values: []string{"x", "y"}},
		`{"type":"connect"}`:                             Connect{},
		`{"type":"disconnect","reason":"stream_closed"}`: Disconnect{"stream_closed"},
	} {
		b, err := MarshalPayload(p)
		if err != nil || string(b) != want {
			t.Errorf("%T: %v\ngot  %s\nwant %s", p, err, b, want)
			continue
		}
		back := reflect.New(reflect.TypeOf(p))
		if err := json.Unmarshal(b, back.Interface()); err != nil || !reflect.DeepEqual(back.Elem().Interface(), p) {
			t.Errorf("%s came back as %+v (%v)", b, back.Elem(), err)
		}
	}
}

type textPayload string

func (textPayload) PayloadTag() string { return "text" }

func TestMarshalPayloadRefuses(t *testing.T) {
	for _, p := range []TaggedPayload{textPayload("x"), LlmStreamEvent{}, OnboardingRequired{Fields: []OnboardingField{{}}}} {
		if b, err := MarshalPayload(p); err == nil {
			t.Errorf("%T: %s", p, b)
		}
	}
}

func TestFieldTypeRefuses(t *testing.T) {
	for _, s := range []string{`null`, `""`, `"text"`, `"Enum"`, `{}`, `{"Enum":null}`, `{"enum":["a"]}`, `{"Enum":["a"],"x":[]}`, `{"Enum":"a"}`, `[]`, `1`} {
		if err := json.Unmarshal([]byte(s), new(FieldType)); err == nil {
			t.Errorf("%s was accepted", s)
		}
	}
	if b, err := json.Marshal(FieldType{Name: "Enum"}); err != nil || string(b) != `{"Enum":[]}` {
		t.Errorf("%s %v", b, err)
	}
}

// stable checks that what T reads of b it writes in a form that means the same to it.
func stable[T any](t *testing.T, b []byte) {
	var first, second T
	if json.Unmarshal(b, &first) != nil {
		return
	}
	out, err := json.Marshal(first)
	if err != nil {
		t.Fatalf("%q was read as %+v, which cannot be written: %v", b, first, err)
	}
	if err := json.Unmarshal(out, &second); err != nil {
		t.Fatalf("%q was written as %s, which cannot be read: %v", b, out, err)
	}
	again, err := json.Marshal(second)
	if err != nil || !bytes.Equal(out, again) {
		t.Fatalf("%q was written as %s, then as %s (%v)", b, out, again, err)
	}
}

func FuzzFieldType(f *testing.F) {
	for _, s := range []string{`"Text"`, `"Secret"`, `"Array"`, `{"Enum":["a"]}`, `{"Enum":[]}`, `{"Enum":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(stable[FieldType])
}
