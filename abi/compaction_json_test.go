package abi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestCompactionRecords: what is written and read by hand is what encoding/json makes of the same fields.
func TestCompactionRecords(t *testing.T) {
	ms := []ChatMessage{TextMessage(RoleUser, "a\n\"<ü>"), {Role: RoleTool, Content: Content{Result: &ToolCallResult{CallID: "1", Content: strings.Repeat("x\t", 99)}}}}
	request := CompactRequest{CorrelationID: "c", SessionID: "s", Messages: ms, MaxTokens: 9, TargetTokens: 4, Model: "m"}
	response := CompactResponse{CorrelationID: "c", Messages: ms, Kept: 1, Compacted: true, Strategy: "truncate", Usage: Usage{InputTokens: 3, CostUSD: 0.5}, Error: "e"}
	for _, c := range []struct {
		record Appender
		plain  any
		into   any
	}{
		{request, (*plainCompactRequest)(&request), &CompactRequest{}},
		{response, (*plainCompactResponse)(&response), &CompactResponse{}},
		{CompactRequest{}, &plainCompactRequest{Messages: []ChatMessage{}}, &CompactRequest{}},
	} {
		got, err := c.record.AppendJSON([]byte("before"))
		if err != nil || !strings.HasPrefix(string(got), "before{") {
			t.Fatalf("%s %v", got, err)
		}
		want, err := json.Marshal(c.plain)
		if err != nil {
			t.Fatal(err)
		}
		var a, b map[string]any
		if err := json.Unmarshal(got[len("before"):], &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(want, &b); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if err := json.Unmarshal(want, c.into); err != nil {
			t.Fatal(err)
		}
		again, err := c.into.(Appender).AppendJSON(nil)
		if err != nil || string(again) != string(got[len("before"):]) {
			t.Errorf("read and written again: %s %v", again, err)
		}
	}
	var r CompactRequest
	for _, bad := range []string{`{"messages":7}`, `{"max_tokens":"x"}`, `[]`, `{"messages":[{"role":"user","content":7}]}`} {
		if json.Unmarshal([]byte(bad), &r) == nil {
			t.Errorf("%s was read", bad)
		}
	}
}
