package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

// fake answers requests as a server does; others are what it says besides.
type fake struct {
	t       *testing.T
	starts  int
	before  string // said before each answer
	results map[string]func(params json.RawMessage) string
	heard   []string // methods
}

func (f *fake) talk(_ abi.ProcessRequest, stdin string) string {
	var out strings.Builder
	for text := range strings.Lines(stdin) {
		var m struct {
			Version string          `json:"jsonrpc"`
			ID      json.RawMessage `json:"id"`
			Method  string          `json:"method"`
			Params  json.RawMessage `json:"params"`
			Error   *failure        `json:"error"`
			Result  json.RawMessage `json:"result"`
		}
		if err := json.Unmarshal([]byte(text), &m); err != nil || m.Version != "2.0" {
			f.t.Errorf("%q: %v", text, err)
		}
		switch {
		case m.Method == "":
			f.heard = append(f.heard, fmt.Sprintf("answer %s %s", m.ID, m.Result))
			if m.Error != nil {
				f.heard[len(f.heard)-1] += fmt.Sprint(m.Error.Code)
			}
			continue
		default:
			f.heard = append(f.heard, m.Method)
		}
		if len(m.ID) == 0 {
			continue
		}
		result := `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"f","version":"1"}}`
		if r := f.results[m.Method]; r != nil {
			result = r(m.Params)
		} else if m.Method != "initialize" {
			fmt.Fprintf(&out, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no %s"}}`+"\n", m.ID, m.Method)
			continue
		}
		fmt.Fprintf(&out, "%s{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n", f.before, m.ID, result)
	}
	return out.String()
}

func newFake(t *testing.T) (*sdktest.Host, *fake) {
	h := sdktest.New(t)
	f := &fake{t: t, results: map[string]func(json.RawMessage) string{
		"tools/list": func(p json.RawMessage) string {
			if strings.Contains(string(p), "more") {
				return `{"tools":[{"name":"two","inputSchema":{"type":"object"}}]}`
			}
			return `{"tools":[{"name":"one","description":"first","inputSchema":{"type":"object","properties":{"x":{}}}}],"nextCursor":"more"}`
		},
		"tools/call": func(p json.RawMessage) string {
			text, _ := json.Marshal(string(p))
			return `{"content":[{"type":"text","text":` + string(text) + `},{"type":"image","mimeType":"image/png","data":"AAAA"}]}`
		},
	}}
	h.Process = func(r abi.ProcessRequest) (abi.ProcessResult, error) {
		if f.starts++; !r.Interactive || r.Cmd != "./srv" || strings.Join(r.Args, " ") != "-a b" {
			t.Errorf("started %+v", r)
		}
		return abi.ProcessResult{}, nil
	}
	h.Talk = f.talk
	h.Running(true)
	h.Config["servers"] = "# mine\n\nnotes: ./srv   -a b\n"
	return h, f
}

func TestTools(t *testing.T) {
	h, f := newFake(t)
	r := h.CallTool("list_mcp_tools", map[string]any{})
	want := `[{"server":"notes","tools":[{"name":"one","description":"first","input_schema":{"type":"object","properties":{"x":{}}}},{"name":"two","input_schema":{"type":"object"}}]}]`
	if r.IsError || r.Content != want {
		t.Errorf("%+v", r)
	}
	// The same server answers the next call, with an object that was written as text, too.
	for _, args := range []any{map[string]int{"x": 1}, `{"x":1}`} {
		r = h.CallTool("call_mcp_tool", map[string]any{"server": "notes", "tool": "one", "arguments": args})
		if text := `{\"arguments\":{\"x\":1},\"name\":\"one\"}\n[image, image/png, 3 bytes: it cannot be shown here]`; r.IsError || !strings.Contains(strings.ReplaceAll(r.Content, `\\`, `\`), text) {
			t.Errorf("%+v", r)
		}
	}
	if f.starts != 1 || strings.Join(f.heard, " ") != "initialize notifications/initialized tools/list tools/list tools/call tools/call" {
		t.Errorf("%d starts, heard %q", f.starts, f.heard)
	}
	// With the turn the server ends; the next one starts it anew.
	h.Call("handle_turn_completed", abi.TurnCompleted{SessionID: "session"})
	if keys := h.Keys("running."); len(keys) != 0 {
		t.Errorf("left over: %v", keys)
	}
	h.CallTool("call_mcp_tool", map[string]any{"server": "notes", "tool": "one"})
	if f.starts != 2 {
		t.Errorf("%d starts", f.starts)
	}
}

// Servers say what they like; none of it is taken for an answer.
func TestChatter(t *testing.T) {
	h, f := newFake(t)
	f.before = "starting up…\n\n" + `{"jsonrpc":"2.0","method":"notifications/message","params":{}}` + "\n" + `{"jsonrpc":"2.0","id":99,"result":{}}` + "\n" +
		`{"jsonrpc":"2.0","id":"a","method":"ping"}` + "\n" + `{"jsonrpc":"2.0","id":1,"method":"roots/list"}` + "\n"
	if r := h.CallTool("call_mcp_tool", map[string]any{"server": "notes", "tool": "one"}); r.IsError {
		t.Errorf("%+v", r)
	}
	if heard := strings.Join(f.heard, "; "); !strings.Contains(heard, `answer "a" {}`) || !strings.Contains(heard, "answer 1 -32601") {
		t.Errorf("heard %s", heard)
	}
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		change func(h *sdktest.Host, f *fake)
		args   map[string]any
		says   string
	}{
		"unknown server": {args: map[string]any{"server": "x", "tool": "one"}, says: `no MCP server "x"; set up are: notes`},
		"bad setting":    {change: func(h *sdktest.Host, _ *fake) { h.Config["servers"] = "notes ./srv" }, says: "line 1"},
		"no object":      {args: map[string]any{"server": "notes", "tool": "one", "arguments": 7}, says: "must be an object"},
		"the tool fails": {change: result(`{"content":[{"type":"text","text":"no such note"}],"isError":true}`), says: "no such note"},
		"nonsense":       {change: result(`[]`), says: "cannot be read"},
		"unknown method": {change: func(_ *sdktest.Host, f *fake) { delete(f.results, "tools/call") }, says: "no tools/call (code -32601)"},
		"refused": {change: func(h *sdktest.Host, _ *fake) {
			h.Process = func(abi.ProcessRequest) (abi.ProcessResult, error) {
				return abi.ProcessResult{}, abi.Errorf(abi.CodeDenied, "the user said no")
			}
		}, says: "the user said no"},
		"it ends at once": {change: func(h *sdktest.Host, _ *fake) { h.Running(false) }, says: "reads no input"},
		"it ends talking": {change: func(h *sdktest.Host, f *fake) {
			h.Talk = func(abi.ProcessRequest, string) string { h.Stop(); return "half a line" }
		}, says: "it has ended: status 0"},
		"too much at once": {change: func(_ *sdktest.Host, f *fake) { f.before = strings.Repeat("x", maxLine) }, says: "was ended"},
	} {
		t.Run(name, func(t *testing.T) {
			h, f := newFake(t)
			if c.change != nil {
				c.change(h, f)
			}
			if c.args == nil {
				c.args = map[string]any{"server": "notes", "tool": "one"}
			}
			if r := h.CallTool("call_mcp_tool", c.args); !r.IsError || !strings.Contains(r.Content, c.says) {
				t.Errorf("%+v", r)
			}
		})
	}
	h, _ := newFake(t)
	h.Config["servers"] = ""
	if r := h.CallTool("list_mcp_tools", map[string]any{}); !r.IsError || !strings.Contains(r.Content, "astrid capsule config") {
		t.Errorf("%+v", r)
	}
}

func result(text string) func(*sdktest.Host, *fake) {
	return func(_ *sdktest.Host, f *fake) {
		f.results["tools/call"] = func(json.RawMessage) string { return text }
	}
}
