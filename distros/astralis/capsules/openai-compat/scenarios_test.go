package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
)

// What servers do on good and on bad days, over real connections.
func TestScenarios(t *testing.T) {
	whole := func(t *testing.T, o outcome) {
		if o.terminal[0] != "Done" || o.text != fakeopenai.Echo("hi") {
			t.Errorf("%+v", o)
		}
	}
	failed := func(words ...string) func(*testing.T, outcome) {
		return func(t *testing.T, o outcome) {
			for _, w := range words {
				if !strings.Contains(o.terminal[0], w) {
					t.Errorf("error %q lacks %q", o.terminal[0], w)
				}
			}
		}
	}
	for model, check := range map[string]func(*testing.T, outcome){
		"text": whole, "crlf": whole, "ping": whole, "nospace": whole, "nodone": whole, "drip:1": whole, "429": whole, "500:3": whole,
		"nousage": func(t *testing.T, o outcome) {
			whole(t, o)
			if o.usage != nil {
				t.Errorf("usage %+v", o.usage)
			}
		},
		"reasoning": func(t *testing.T, o outcome) {
			whole(t, o)
			if o.reasoning == "" {
				t.Error("no reasoning")
			}
		},
		"length": whole,
		"empty": func(t *testing.T, o outcome) {
			if o.terminal[0] != "Done" || o.text != "" {
				t.Errorf("%+v", o)
			}
		},
		"cut": failed("stream"), "cut:1": failed("stream"), "cut:7": failed("stream"),
		"broken":  failed("cannot be read"),
		"error":   failed("API error", "server had an error"),
		"error:0": failed("API error"),
		"giant":   failed("longer than"),
		"401":     failed("401", "API key"),
		"500":     failed("500", "server had an error"),
	} {
		t.Run(model, func(t *testing.T) {
			l := newLive(t, fakeopenai.Options{})
			l.Config["model"] = model
			check(t, l.generate(t, prompt("hi")))
			for _, r := range l.server.Requests() {
				if r.Fault != "" {
					t.Errorf("malformed request: %s", r.Fault)
				}
			}
		})
	}
}

func TestUsage(t *testing.T) {
	l := newLive(t, fakeopenai.Options{})
	o := l.generate(t, prompt("one two three"))
	r := l.server.Requests()[0]
	want := fakeopenai.UsageOf(&r, &fakeopenai.Answer{Text: fakeopenai.Echo("one two three")})
	if o.usage == nil || *o.usage != (abi.Usage{InputTokens: uint64(want.PromptTokens), OutputTokens: uint64(want.CompletionTokens)}) {
		t.Errorf("%+v, want %+v", o.usage, want)
	}
}

func TestToolCallsAndTheirResults(t *testing.T) {
	l := newLive(t, fakeopenai.Options{})
	r := prompt("call read_file {\"file_path\":\"grün.txt\"}\ncall list_directory {\"dir_path\":\".\"}")
	o := l.generate(t, r)
	if len(o.calls) != 2 || string(o.calls[0].Arguments) != `{"file_path":"grün.txt"}` || string(o.calls[1].Arguments) != `{"dir_path":"."}` {
		t.Fatalf("%+v", o)
	}
	if want := []string{o.calls[0].ID, o.calls[1].ID}; !slices.Equal(o.ended, want) || o.terminal[0] != "Done" {
		t.Errorf("ended %v %v", o.ended, o.terminal)
	}
	r.Messages = append(r.Messages,
		abi.TextMessage(abi.RoleAssistant, o.text),
		abi.ChatMessage{Role: abi.RoleAssistant, Content: abi.Content{Calls: o.calls}})
	var results []string
	for _, c := range o.calls {
		results = append(results, "result of "+c.Name)
		r.Messages = append(r.Messages, abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{
			Result: &abi.ToolCallResult{CallID: c.ID, Content: "result of " + c.Name}}})
	}
	if o := l.generate(t, r); o.text != fakeopenai.Quote(results) {
		t.Errorf("%+v, fault %q", o, l.server.Requests()[1].Fault)
	}
}

func TestLengthInsideCall(t *testing.T) {
	l := newLive(t, fakeopenai.Options{})
	o := l.generate(t, prompt("scenario:length\ncall a {\"x\":\"y\"}"))
	if !strings.Contains(o.terminal[0], "max_output_tokens") {
		t.Errorf("%+v", o)
	}
}

func TestRetries(t *testing.T) {
	for _, c := range []struct {
		model    string
		requests int
		done     bool
		least    []time.Duration // of the waits
	}{
		{"429:2:3", 3, true, []time.Duration{3 * time.Second, 3 * time.Second}},
		{"429:3", attempts, true, []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second}},
		{"429:9", attempts, false, []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second}},
		{"429:9:0.5", attempts, false, []time.Duration{500 * time.Millisecond, 500 * time.Millisecond, time.Second}},
		{"429:9:3600", 1, false, nil}, // longer than anybody waits
		{"401", 1, false, nil},
		{"cut", 1, false, nil}, // some of the answer has come
		{"error", 1, false, nil},
	} {
		t.Run(c.model, func(t *testing.T) {
			l := newLive(t, fakeopenai.Options{})
			l.Config["model"] = c.model
			o := l.generate(t, prompt("hi"))
			if n := len(l.server.Requests()); n != c.requests || (o.terminal[0] == "Done") != c.done {
				t.Errorf("%d requests, ended with %q", n, o.terminal[0])
			}
			if len(l.slept) != len(c.least) {
				t.Fatalf("waits %v", l.slept)
			}
			for i, d := range l.slept {
				if d < c.least[i] || d > maxWait {
					t.Errorf("wait %d is %s, want at least %s", i+1, d, c.least[i])
				}
			}
		})
	}
}

func TestKey(t *testing.T) {
	l := newLive(t, fakeopenai.Options{APIKey: "secret"})
	if o := l.generate(t, prompt("hi")); !strings.Contains(o.terminal[0], "401") {
		t.Errorf("without a key: %+v", o)
	}
	l.Config["api_key"] = " secret\n"
	if o := l.generate(t, prompt("hi")); o.terminal[0] != "Done" {
		t.Errorf("with the key: %+v", o)
	}
	if h := l.server.Requests()[0].Header; h.Get("Authorization") != "" {
		t.Errorf("authorization %q without a key", h.Get("Authorization"))
	}
}

func TestBaseURL(t *testing.T) {
	l := newLive(t, fakeopenai.Options{})
	base := l.Config["base_url"]
	for _, tail := range []string{"", "/", "/v1", "/v1/"} {
		l.Config["base_url"] = base + tail
		if o := l.generate(t, prompt("hi")); o.terminal[0] != "Done" {
			t.Errorf("%q: %+v", tail, o)
		}
	}
}

func TestHostRefusals(t *testing.T) {
	l := newLive(t, fakeopenai.Options{})
	l.Fail(abi.HTTPStreamStart, abi.CodeDenied, "denied by policy at config.toml:3")
	if o := l.generate(t, prompt("hi")); !strings.Contains(o.terminal[0], "config.toml:3") {
		t.Errorf("%+v", o)
	}
	l = newLive(t, fakeopenai.Options{})
	l.Config["model"] = ""
	if o := l.generate(t, prompt("hi")); !strings.Contains(o.terminal[0], "no model") || len(l.server.Requests()) != 0 {
		t.Errorf("%+v", o)
	}
}

// A request that cannot be decoded has an answer, too, if it has an id.
func TestUndecodableRequest(t *testing.T) {
	l := newLive(t, fakeopenai.Options{})
	l.Call("handle_llm_request", `{"type":"llm_request","request_id":"r","messages":[{"role":"user","content":7}],"tools":[]}`)
	if o := l.outcome(t, "r"); !strings.Contains(o.terminal[0], "content") {
		t.Errorf("%+v", o)
	}
}

// A bus that refuses ends the request: there is nobody to tell.
func TestRefusingBus(t *testing.T) {
	l := newLive(t, fakeopenai.Options{})
	n := 0
	l.Handle(abi.IpcPublish, func([]string) ([]byte, error) {
		n++
		return nil, abi.Errorf(abi.CodeQueueFull, "queue of react is full")
	})
	l.Call("handle_llm_request", abi.LlmRequest{RequestID: "r", Messages: prompt("hi").Messages})
	if n != 1 {
		t.Errorf("%d events were published to a full queue", n)
	}
}
