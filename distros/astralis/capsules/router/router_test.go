package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

// newRouter has the tools named, and counts how often capsules are asked for theirs.
func newRouter(t *testing.T, names ...string) (h *sdktest.Host, asked *int) {
	t.Helper()
	tools = nil
	h, asked = sdktest.New(t), new(int)
	for _, n := range names {
		h.OnHook(abi.TopicDescribeTools, func(json.RawMessage) any {
			*asked++
			return abi.ToolsDescription{Tools: []abi.ToolDescription{{Name: n, InputSchema: json.RawMessage(`{}`)}}}
		})
	}
	return h, asked
}

func request(h *sdktest.Host, tool string) {
	h.Call("handle_execute_request", abi.ToolExecuteRequest{CallID: "c1", ToolName: tool, Arguments: json.RawMessage(`{"a":1}`)})
}

func TestRoute(t *testing.T) {
	h, asked := newRouter(t, "read_file", "mcp:x-1")
	for _, tool := range []string{"read_file", "mcp:x-1", "read_file"} {
		h.Forget()
		request(h, tool)
		m := h.Published("tool.v1.execute." + tool)
		if len(h.Messages()) != 1 || len(m) != 1 || string(m[0]) != `{"type":"tool_execute_request","call_id":"c1","tool_name":"`+tool+`","arguments":{"a":1}}` {
			t.Errorf("%s: %s", tool, m)
		}
	}
	if *asked != 2 {
		t.Errorf("capsules were asked %d times", *asked)
	}
	h.Call("handle_capsules_loaded", map[string]string{"status": "ready"})
	request(h, "read_file")
	if *asked != 4 {
		t.Error("other capsules, but the tools were not asked for again")
	}
}

// Nobody would answer these calls, so the router does, at once.
func TestRefusals(t *testing.T) {
	for name, want := range map[string]string{
		"nope": "Unknown tool: nope", "": "Invalid tool name: ", "a.b": "Invalid tool name: a.b", "a b": "Invalid tool name: a b",
		"../x": "Invalid tool name: ../x", "*": "Invalid tool name: *", "result": "Invalid tool name: result",
	} {
		h, _ := newRouter(t, "read_file", "result")
		request(h, name)
		var r abi.ToolExecuteResult
		if all := h.Published(abi.TopicToolResult); len(all) != 1 || len(h.Messages()) != 1 || json.Unmarshal(all[0], &r) != nil {
			t.Fatalf("%q: %v", name, h.Messages())
		}
		if r.CallID != "c1" || r.Result != (abi.ToolCallResult{CallID: "c1", Content: want, IsError: true}) {
			t.Errorf("%q: %+v", name, r)
		}
	}
}

// A tool that came after the list was made is found.
func TestNewTool(t *testing.T) {
	h, _ := newRouter(t, "old")
	request(h, "old")
	h.OnHook(abi.TopicDescribeTools, func(json.RawMessage) any {
		return abi.ToolsDescription{Tools: []abi.ToolDescription{{Name: "new"}}}
	})
	request(h, "new")
	if len(h.Published("tool.v1.execute.new")) != 1 {
		t.Errorf("%v", h.Messages())
	}
}

func TestFailures(t *testing.T) {
	h, _ := newRouter(t, "x")
	h.Fail(abi.TriggerHook, abi.CodeInternal, "no hooks today")
	request(h, "x") // the capsule that has the tool can still answer
	if len(h.Published("tool.v1.execute.x")) != 1 {
		t.Errorf("%v", h.Messages())
	}
	h, _ = newRouter(t, "x")
	var answer string
	h.Handle(abi.IpcPublish, func(p []string) ([]byte, error) {
		if p[0] == "tool.v1.execute.x" {
			return nil, abi.Errorf(abi.CodeQueueFull, "queue of fs is full")
		}
		answer = p[1]
		return nil, nil
	})
	request(h, "x")
	if !strings.Contains(answer, "Failed to route tool request") || !strings.Contains(answer, "queue of fs is full") {
		t.Errorf("answer %s", answer)
	}
}

func TestRelay(t *testing.T) {
	h, _ := newRouter(t)
	r := abi.ToolExecuteResult{CallID: "c1", Result: abi.ToolCallResult{CallID: "c1", Content: `"x"`}}
	h.Call("handle_execute_result", r)
	var got abi.ToolExecuteResult
	if all := h.Published(abi.TopicToolResult); len(all) != 1 || json.Unmarshal(all[0], &got) != nil || got != r {
		t.Errorf("%s", all)
	}
}
