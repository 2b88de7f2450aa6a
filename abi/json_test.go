package abi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestLlmRequest: what is written by hand is what encoding/json writes for the same fields, and is read again.
func TestLlmRequest(t *testing.T) {
	about := "a <tool> \"quoted\"\n"
	want := LlmRequest{RequestID: "r", Model: "m", System: "be\x00 good \u2028", Messages: []ChatMessage{
		TextMessage(RoleUser, "hi \\ \xff"),
		{Role: RoleAssistant, Content: Content{Calls: []ToolCall{{"c1", "t", json.RawMessage(`{"a":[1,"]"]}`)}, {"c2", "u", nil}}}},
		{Role: RoleTool, Content: Content{Result: &ToolCallResult{CallID: "c1", Content: "{\"x\":\t1}", IsError: true, Code: "denied"}}},
		{Role: RoleUser, Content: Content{Parts: []ContentPart{{Type: "text", Text: "see"}, {Type: "image", Data: "QUJD", MediaType: "image/png"}}}},
	}, Tools: []LlmToolDefinition{{"t", &about, json.RawMessage(`{"type":"object"}`)}, {Name: "bare"}}}
	b, err := MarshalPayload(want)
	if err != nil || !strings.HasPrefix(string(b), `{"type":"llm_request","request_id":"r",`) {
		t.Fatalf("%s %v", b, err)
	}
	type plain struct { // without methods
		RequestID string              `json:"request_id"`
		Model     string              `json:"model"`
		Messages  []ChatMessage       `json:"messages"`
		Tools     []LlmToolDefinition `json:"tools"`
		System    string              `json:"system"`
	}
	theirs, err := json.Marshal(plain(want))
	if err != nil {
		t.Fatal(err)
	}
	var ours, other map[string]any
	if json.Unmarshal(b, &ours) != nil || json.Unmarshal(theirs, &other) != nil {
		t.Fatalf("%s\n%s", b, theirs)
	}
	delete(ours, "type")
	if !reflect.DeepEqual(ours, other) {
		t.Errorf("%s\n%s", b, theirs)
	}
	var got LlmRequest
	if err := got.UnmarshalJSON(b); err != nil {
		t.Fatal(err)
	}
	want.Messages[0].Content.Text = "hi \\ \uFFFD"
	want.Messages[1].Content.Calls[1].Arguments, want.Tools[1].InputSchema = json.RawMessage("null"), json.RawMessage("null")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\n%+v", got, want)
	}
	clear(b) // what was read must not lie in what it was read from
	if !reflect.DeepEqual(got, want) {
		t.Error("the request changed with its source")
	}
	// Whoever waits can be told, though the request is wrong.
	if err := got.UnmarshalJSON([]byte(`{"messages":7,"tools":[{"name":1}],"request_id":"r2"}`)); err == nil || got.RequestID != "r2" {
		t.Errorf("%v %+v", err, got)
	}
}

// TestSessionMessagesJSON: all fields are read.
func TestSessionMessagesJSON(t *testing.T) {
	want := SessionMessages{CorrelationID: "c", Messages: []ChatMessage{TextMessage(RoleUser, "x")}, Total: 1, Head: 2, Start: 3, Earlier: 4, LastAppendID: "a", Error: "e"}
	v := reflect.ValueOf(want)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Fatalf("the test leaves out %s", v.Type().Field(i).Name)
		}
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got SessionMessages
	if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, err)
	}
}
