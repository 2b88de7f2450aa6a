package sdk_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
)

func TestGuest(t *testing.T) {
	h := newNativeHost(t, build(t, "./testdata/tool"))

	t.Run("tool", func(t *testing.T) {
		h.calls = nil
		out := h.trigger("tool_execute_echo", `{"type":"tool_execute_request","call_id":"c1","tool_name":"echo","arguments":{"text":"a<b"}}`)
		if len(out) != 0 {
			t.Errorf("output %q", out)
		}
		want := `{"type":"tool_execute_result","call_id":"c1","result":{"call_id":"c1","content":"\"a<b\"","is_error":false}}`
		if len(h.calls) != 1 || h.calls[0].fn != abi.IpcPublish || h.calls[0].params[0] != "tool.v1.execute.echo.result" || h.calls[0].params[1] != want {
			t.Errorf("calls %+v", h.calls)
		}
	})
	t.Run("describe", func(t *testing.T) {
		out := h.trigger("tool_describe", "")
		if len(out) == 0 || out[0] != abi.VerdictContinue {
			t.Fatalf("output %q", out)
		}
		var d abi.ToolsDescription
		if err := json.Unmarshal(out[1:], &d); err != nil {
			t.Fatal(err)
		}
		want := `{"$schema":"http://json-schema.org/draft-07/schema#","title":"echoArgs","type":"object","required":["text"],` +
			`"properties":{"text":{"type":"string","description":"what to say"},"times":{"type":["integer","null"],"format":"int"}},"mutable":false}`
		if len(d.Tools) != 5 || d.Tools[0].Name != "echo" || string(d.Tools[0].InputSchema) != want {
			t.Errorf("%s", out)
		}
	})
}

// result is what the guest published for the last tool call.
func (h *nativeHost) result(name, args string) abi.ToolCallResult {
	h.t.Helper()
	h.calls = nil
	h.trigger("tool_execute_"+name, `{"call_id":"c","tool_name":"`+name+`","arguments":`+args+`}`)
	for _, c := range slices.Backward(h.calls) { // the last one: a refused one may come before
		if c.fn == abi.IpcPublish {
			var r abi.ToolExecuteResult
			if err := json.Unmarshal([]byte(c.params[1]), &r); err != nil {
				h.t.Fatal(err)
			}
			return r.Result
		}
	}
	h.t.Fatalf("tool %s published nothing", name)
	return abi.ToolCallResult{}
}

func TestGuestTools(t *testing.T) {
	h := newNativeHost(t, build(t, "./testdata/tool"))
	big := strings.Repeat("x", 3<<20)
	h.answer = func(fn abi.Function, params []string) ([]byte, *abi.Error) {
		switch {
		case fn == abi.IpcPublish && len(params[1]) > abi.MaxPublish:
			return nil, abi.Errorf(abi.CodeTooLarge, "too large")
		case fn != abi.ReadFile:
			return nil, nil
		case params[0] == "big":
			return []byte(big), nil
		case params[0] == "empty":
			return nil, nil
		}
		return nil, abi.Errorf(abi.CodeNotFound, "nothing at %s", params[0])
	}
	for _, tt := range []struct {
		name, args, content string
		isError             bool
	}{
		{"echo", `{"text":"hi"}`, `"hi"`, false},
		{"echo", `{"text":"<&>"}`, `"<&>"`, false},
		{"echo", `{}`, `failed to parse tool arguments: argument "text" is missing`, true},
		{"fail", `{}`, "no", true},
		{"panic", `{}`, "tool panic failed unexpectedly: oh", true},
		{"echo", `{"text":"still alive"}`, `"still alive"`, false},
		{"read", `{"path":"gone"}`, "read gone: nothing at gone", true},
		{"read", `{"path":"empty"}`, `""`, false},
		{"read", `{"path":"big"}`, `"` + big + `"`, false},
		{"repeat", `{"text":"0123456789","times":600000}`, "tool repeat: the result could not be delivered: too large", true},
	} {
		if got := h.result(tt.name, tt.args); got.Content != tt.content || got.IsError != tt.isError {
			t.Errorf("%s %s: %.200q %v", tt.name, tt.args, got.Content, got.IsError)
		}
	}
}

// A capsule is compiled at install and held in memory: a dependency that makes all of
// them much larger should be noticed.
func TestGuestSize(t *testing.T) {
	for _, dir := range []string{"./testdata/tool", "./testdata/loop", "../testdata/guests/everything"} {
		if n := len(build(t, dir)); n > 4_500_000 {
			t.Errorf("%s is %d bytes", dir, n)
		}
	}
}

func TestGuestVerdicts(t *testing.T) {
	h := newNativeHost(t, build(t, "./testdata/tool"))
	for _, tt := range []struct{ action, payload, out string }{
		{"nothing", "x", ""},
		{"rewrite", `{"a":1}`, "\x00" + `{"a":1}`},
		{"rewrite", "", ""},
		{"no such action", "x", "\x02no handler for action no such action"},
		{"tool_execute_echo", "{}", "\x02tool_execute_echo: failed to parse tool execute payload: call_id is missing"},
	} {
		if got := h.trigger(tt.action, tt.payload); string(got) != tt.out {
			t.Errorf("%s %q: %q", tt.action, tt.payload, got)
		}
	}
	// A truncated input denies; it never runs a handler.
	for _, in := range []string{"", "abc", "\xff\xff\xff\xffx"} {
		out, err := h.call(abi.ExportHookTrigger, []byte(in))
		if err != nil || string(out) != "\x02hook input is truncated" {
			t.Errorf("%q: %q %v", in, out, err)
		}
	}
}

func TestGuestLifecycle(t *testing.T) {
	bin := build(t, "./testdata/tool")
	h := newNativeHost(t, bin)
	out, err := h.call(abi.ExportUpgrade, []byte(`{"prev_version":"0.1.0"}`))
	if err != nil || string(out) != `{"ok":true}` {
		t.Errorf("upgrade: %q %v", out, err)
	}
	if n := len(h.calls); n != 1 || h.calls[0].params[0] != "before" || h.calls[0].params[1] != "0.1.0" {
		t.Errorf("calls %+v", h.calls)
	}
	// A failed installation must not look like a good one.
	if out, err := h.call(abi.ExportInstall, nil); err == nil {
		t.Errorf("install: %q", out)
	}
	if h.mod.ExportedFunction(abi.ExportRun) != nil {
		t.Error("a capsule without a run loop exports run")
	}
}

func TestGuestRunLoop(t *testing.T) {
	h := newNativeHost(t, build(t, "./testdata/loop"))
	polls := 0
	h.answer = func(fn abi.Function, params []string) ([]byte, *abi.Error) {
		switch fn {
		case abi.GetInterceptorHandles:
			return []byte(`[{"handle_id":1,"action":"on_a","topic":"a.*"}]`), nil
		case abi.IpcRecv, abi.IpcPoll:
			if polls++; polls == 1 {
				return []byte(`{"messages":[{"topic":"a.b","payload":{"type":"custom","data":{"n":7}},"principal":"ida","session":"s"}],"dropped":0,"lagged":0}`), nil
			}
			return nil, abi.Errorf(abi.CodeClosed, "unloading")
		}
		return nil, nil
	}
	if _, err := h.call(abi.ExportRun, nil); err != nil {
		t.Fatal(err)
	}
	var names, logged []string
	for _, c := range h.calls {
		names = append(names, c.fn.String())
		if c.fn == abi.Log {
			logged = append(logged, c.params[1])
		}
	}
	if len(logged) != 1 || logged[0] != "Got n=7 principal=ida session=s" {
		t.Errorf("logged %q; calls %v", logged, names)
	}
	if names[0] != abi.SignalReady.String() {
		t.Errorf("the first call is %s", names[0])
	}
}

func TestGuestEverything(t *testing.T) {
	h := newNativeHost(t, build(t, "../testdata/guests/everything"))
	h.answer = func(fn abi.Function, params []string) ([]byte, *abi.Error) {
		if len(params) > 0 && params[0] == "refuse" {
			return nil, abi.Errorf(abi.CodeDenied, "%s refused", fn)
		}
		return []byte(fn.String() + "(" + strings.Join(params, "|") + ")"), nil
	}
	for fn := range abi.FunctionCount {
		params := []string{"a", "\x00\xff", "c"}[:link.Arity(fn)]
		list := []any{}
		for _, p := range params {
			list = append(list, map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(p))})
		}
		payload, _ := json.Marshal(map[string]any{"params": list})
		var got struct {
			Code   int
			Name   string
			Result []byte
		}
		out := h.trigger(fn.String(), string(payload))
		if err := json.Unmarshal(out[1:], &got); err != nil {
			t.Fatalf("%s: %q", fn, out)
		}
		if want := fn.String() + "(" + strings.Join(params, "|") + ")"; got.Code != 0 || got.Name != "ok" || string(got.Result) != want {
			t.Errorf("%s: %+v %q", fn, got, got.Result)
		}
	}
	out := h.trigger("astrid_read_file", `{"params":["refuse"]}`)
	if want := "\x00" + `{"code":2,"name":"denied","message":"astrid_read_file refused","result":""}`; string(out) != want {
		t.Errorf("%q", out)
	}
	out = h.trigger("sequence", `{"calls":[{"fn":"astrid_clock_ms","params":[]},{"fn":"astrid_kv_get","params":[{"result":0}]}]}`)
	if !strings.Contains(string(out), base64.StdEncoding.EncodeToString([]byte("astrid_kv_get(astrid_clock_ms())"))) {
		t.Errorf("%q", out)
	}
}

func BenchmarkHookTrigger(b *testing.B) {
	h := newNativeHost(b, build(b, "./testdata/tool"))
	h.t = b
	for _, bb := range []struct{ name, action, payload string }{
		{"nothing", "nothing", `{"a":1}`},
		{"rewrite-4k", "rewrite", `"` + strings.Repeat("x", 4<<10) + `"`},
		{"tool", "tool_execute_echo", `{"call_id":"c","tool_name":"echo","arguments":{"text":"hi"}}`},
		{"hostcall-x100", "hundred", ""},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				h.calls = h.calls[:0]
				h.trigger(bb.action, bb.payload)
			}
		})
	}
}
