package abi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestToolRecords: what is written and read by hand is what encoding/json makes of the same fields.
func TestToolRecords(t *testing.T) {
	result := ToolCallResult{CallID: "c", Content: "a\n\"<ü>" + strings.Repeat("\t", 99), IsError: true, Code: "denied"}
	type plainResult ToolExecuteResult
	type plainInput UserInput
	executed := ToolExecuteResult{CallID: "c", Result: result}
	completed := ToolCompleted{SessionID: "s", TurnID: "t", Name: "n", DurationMs: 7, ToolCallResult: result}
	input := UserInput{Text: "x\u2028", SessionID: "s", Context: json.RawMessage(`{"a":1}`)}
	for _, c := range []struct {
		ours        Appender
		plain, into any
	}{
		{executed, plainResult(executed), &ToolExecuteResult{}},
		{ToolExecuteResult{}, plainResult{}, &ToolExecuteResult{}},
		{completed, completed, &ToolCompleted{}},
		{nil, plainInput(input), &UserInput{}},
		{nil, plainInput{Text: "only"}, &UserInput{}},
	} {
		want, err := json.Marshal(c.plain)
		if err != nil {
			t.Fatal(err)
		}
		if c.ours != nil {
			got, err := c.ours.AppendJSON(nil)
			var a, b map[string]any
			if err != nil || json.Unmarshal(got, &a) != nil || json.Unmarshal(want, &b) != nil || !reflect.DeepEqual(a, b) {
				t.Errorf("got  %s\nwant %s\n%v", got, want, err)
			}
		}
		if err := json.Unmarshal(want, c.into); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(c.into); err != nil || string(again) != string(want) {
			t.Errorf("%T: read and written again: %s\nwant %s", c.into, again, want)
		}
	}
}
