package abi

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestContent(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Content
	}{
		{`"hi"`, Content{Text: "hi"}},
		{`""`, Content{}},
		{`[]`, Content{Calls: []ToolCall{}}},
		{`[{"id":"c1","name":"read_file","arguments":{"file_path":"a"}}]`, Content{Calls: []ToolCall{{"c1", "read_file", json.RawMessage(`{"file_path":"a"}`)}}}},
		{`[{"id":"c1","name":"t","arguments":null}]`, Content{Calls: []ToolCall{{"c1", "t", json.RawMessage(`null`)}}}},
		{`{"call_id":"c1","content":"text","is_error":false}`, Content{Result: &ToolCallResult{CallID: "c1", Content: "text"}}},
		{`{"call_id":"c1","content":"","is_error":true}`, Content{Result: &ToolCallResult{CallID: "c1", IsError: true}}},
		{`[{"type":"text","text":"see"},{"type":"image","data":"QUJD","media_type":"image/png"}]`, Content{Parts: []ContentPart{
			{Type: "text", Text: "see"}, {Type: "image", Data: "QUJD", MediaType: "image/png"}}}},
		{`[{"type":"text","text":""}]`, Content{Parts: []ContentPart{{Type: "text"}}}},
	} {
		var got Content
		if err := json.Unmarshal([]byte(c.in), &got); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v %v", c.in, got, err)
			continue
		}
		if b, err := json.Marshal(got); err != nil || string(b) != c.in {
			t.Errorf("%s is written as %s (%v)", c.in, b, err)
		}
	}
	for _, bad := range []string{
		`null`, `1`, `true`, `{}`, `{"call_id":"c"}`, `{"content":"x"}`, `[1]`, `[{}]`, `[{"type":"video"}]`, `[{"type":"text"}]`, `[{"type":"image","data":"QUJD"}]`, `[{"id":"a","name":"b"}]`,
		`[{"id":"a","name":"b","arguments":1},{"type":"text","text":"x"}]`,
	} {
		if err := json.Unmarshal([]byte(bad), new(Content)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
	if err := new(Content).UnmarshalJSON(nil); err == nil {
		t.Error("nothing was accepted")
	}
	if b, err := json.Marshal(ContentPart{Type: "video"}); err == nil {
		t.Errorf("unknown part: %s", b)
	}
}

func TestStreamEvent(t *testing.T) {
	for in, want := range map[string]StreamEvent{
		`{"TextDelta":""}`:                               {TextDelta: ptr("")},
		`{"ReasoningDelta":"hm"}`:                        {ReasoningDelta: ptr("hm")},
		`{"ToolCallStart":{"id":"a","name":"b"}}`:        {ToolCallStart: &ToolCallStart{"a", "b"}},
		`{"ToolCallDelta":{"id":"a","args_delta":"{"}}`:  {ToolCallDelta: &ToolCallDelta{"a", "{"}},
		`{"ToolCallEnd":{"id":"a"}}`:                     {ToolCallEnd: &ToolCallEnd{"a"}},
		`{"Usage":{"input_tokens":1,"output_tokens":2}}`: {Usage: &Usage{InputTokens: 1, OutputTokens: 2}},
		`{"Error":"no"}`:                                 {Error: ptr("no")},
		`"Done"`:                                         {Done: true},
	} {
		var got StreamEvent
		if err := json.Unmarshal([]byte(in), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v", in, got, err)
		}
		if b, err := json.Marshal(want); err != nil || string(b) != in {
			t.Errorf("%s is written as %s (%v)", in, b, err)
		}
	}
	for _, bad := range []string{
		`null`, `"done"`, `""`, `{}`, `[]`, `1`, `{"Done":true}`, `{"textdelta":"a"}`, `{"TextDelta":null}`, `{"TextDelta":1}`, `{"Other":1}`,
		`{"TextDelta":"a","Error":"b"}`, `{"TextDelta":"a","Other":1}`, `{"Usage":{"input_tokens":-1}}`,
	} {
		if err := json.Unmarshal([]byte(bad), new(StreamEvent)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
	if b, err := json.Marshal(StreamEvent{}); err == nil {
		t.Errorf("empty event: %s", b)
	}
}

func FuzzContent(f *testing.F) {
	for _, s := range []string{`"hi"`, `[]`, `[{"id":"a","name":"b","arguments":{ "x":1}}]`, `{"call_id":"c","content":"x"}`, `[{"type":"text","text":"a"}]`, `[{"type":"image","data":"","media_type":""}]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(stable[Content])
}

func FuzzStreamEvent(f *testing.F) {
	for _, s := range []string{`"Done"`, `{"TextDelta":"a"}`, `{"Usage":{"input_tokens":1,"output_tokens":2}}`, `{"ToolCallStart":{"id":"a","name":"b"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(stable[StreamEvent])
}
