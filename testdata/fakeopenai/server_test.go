package fakeopenai

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// said is what a plain client makes of an answer.
type said struct {
	status  int
	text    string
	think   string
	args    map[int]string
	names   map[int]string
	finish  string
	usage   *Usage
	done    bool
	fault   string
	err     error
	reads   int
	comment int
}

func ask(t *testing.T, url, body string) said {
	t.Helper()
	resp, err := http.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	s := said{status: resp.StatusCode, args: map[int]string{}, names: map[int]string{}}
	if resp.StatusCode != http.StatusOK {
		var e struct{ Error APIError }
		if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
			t.Fatalf("status %d without the vendor's error object: %v", resp.StatusCode, err)
		}
		s.fault = e.Error.Message
		return s
	}
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if err != io.EOF {
				s.err = err
			}
			return s
		}
		line = strings.TrimRight(line, "\r\n")
		data, ok := strings.CutPrefix(line, "data:")
		switch data = strings.TrimSpace(data); {
		case strings.HasPrefix(line, ":"):
			s.comment++
		case ok && data == "[DONE]":
			s.done = true
		case ok:
			s.take(t, data)
		}
	}
}

func (s *said) take(t *testing.T, data string) {
	var c struct {
		completion
		Error *APIError
	}
	if err := json.Unmarshal([]byte(data), &c); err != nil {
		s.fault = err.Error()
		return
	}
	if c.Error != nil {
		s.fault = c.Error.Message
		return
	}
	if c.Usage != nil {
		s.usage = c.Usage
		if len(c.Choices) != 0 {
			t.Errorf("the usage came with choices: %s", data)
		}
	}
	for _, ch := range c.Choices {
		s.reads++
		if ch.FinishReason != nil {
			s.finish = *ch.FinishReason
		}
		if ch.Delta.Content != nil {
			s.text += *ch.Delta.Content
		}
		s.think += ch.Delta.Reasoning
		for _, call := range ch.Delta.ToolCalls {
			s.names[call.Index] += call.Function.Name
			s.args[call.Index] += call.Function.Arguments
		}
	}
}

func body(model, prompt string) string {
	return fmt.Sprintf(`{"model":%q,"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":%q}]}`, model, prompt)
}

func start(t *testing.T, o Options) (*Server, string) {
	t.Helper()
	s := New(o)
	hs := httptest.NewServer(s)
	t.Cleanup(hs.Close)
	return s, hs.URL
}

func TestScenarios(t *testing.T) {
	_, url := start(t, Options{})
	whole := func(t *testing.T, s said) {
		if s.text != Echo("hi") || s.finish != "stop" || s.err != nil || s.fault != "" {
			t.Errorf("%+v", s)
		}
	}
	complete := func(t *testing.T, s said) {
		whole(t, s)
		if !s.done || s.usage == nil || s.usage.PromptTokens != 1 || s.usage.TotalTokens != 1+s.usage.CompletionTokens {
			t.Errorf("%+v %+v", s, s.usage)
		}
	}
	cut := func(want int) func(*testing.T, said) {
		return func(t *testing.T, s said) {
			if s.err == nil || s.finish != "" || s.done || s.reads != want {
				t.Errorf("%+v", s)
			}
		}
	}
	for model, check := range map[string]func(*testing.T, said){
		"gpt-5.4": complete, "text": complete, "crlf": complete, "nospace": complete, "drip:1": complete,
		"ping": func(t *testing.T, s said) {
			complete(t, s)
			if s.comment < s.reads {
				t.Errorf("%d comments for %d events", s.comment, s.reads)
			}
		},
		"nodone": func(t *testing.T, s said) {
			whole(t, s)
			if s.done {
				t.Error("[DONE] came")
			}
		},
		"nousage": func(t *testing.T, s said) {
			whole(t, s)
			if s.usage != nil || !s.done {
				t.Errorf("%+v", s)
			}
		},
		"cut": cut(2), "cut:1": cut(1), "cut:5": cut(5),
		"error:3": func(t *testing.T, s said) {
			if s.fault == "" || s.finish != "" || s.done || s.reads != 3 || s.err != nil {
				t.Errorf("%+v", s)
			}
		},
		"broken": func(t *testing.T, s said) {
			if s.fault == "" {
				t.Errorf("%+v", s)
			}
		},
		"reasoning": func(t *testing.T, s said) {
			complete(t, s)
			if s.think == "" {
				t.Error("no reasoning")
			}
		},
		"giant:5000": func(t *testing.T, s said) {
			if len(s.text) != len(Echo("hi"))+5000 {
				t.Errorf("%d bytes", len(s.text))
			}
		},
		"empty": func(t *testing.T, s said) {
			if s.text != "" || s.finish != "stop" || !s.done {
				t.Errorf("%+v", s)
			}
		},
		"length": func(t *testing.T, s said) {
			if s.finish != "length" {
				t.Errorf("%+v", s)
			}
		},
		"401": func(t *testing.T, s said) {
			if s.status != 401 || s.fault == "" {
				t.Errorf("%+v", s)
			}
		},
	} {
		t.Run(model, func(t *testing.T) { check(t, ask(t, url, body(model, "hi"))) })
	}
}

// A write ends within each character of several bytes.
func TestBytesAreSplit(t *testing.T) {
	w := &writes{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(body("text", "ü")))
	r.Header.Set("Content-Type", "application/json")
	New(Options{}).ServeHTTP(w, r)
	for _, p := range w.parts {
		if len(p) > 1 && strings.ContainsAny(p, "üß你🚀—") {
			t.Fatalf("a whole character in one write: %q", p)
		}
	}
	if all := strings.Join(w.parts, ""); !strings.Contains(all, "你") {
		t.Errorf("got %q", all)
	}
}

type writes struct {
	*httptest.ResponseRecorder
	parts []string
}

func (w *writes) Write(b []byte) (int, error) {
	w.parts = append(w.parts, string(b))
	return w.ResponseRecorder.Write(b)
}

func TestTools(t *testing.T) {
	_, url := start(t, Options{})
	s := ask(t, url, body("gpt", "please\ncall read_file {\"file_path\":\"ä.txt\"}\ncall list_directory\nthen\ncall third {}"))
	if s.finish != "tool_calls" || s.names[0] != "read_file" || s.names[1] != "list_directory" || len(s.names) != 2 ||
		s.args[0] != `{"file_path":"ä.txt"}` || s.args[1] != "{}" {
		t.Fatalf("%+v", s)
	}
	history := `{"model":"gpt","stream":true,"messages":[{"role":"user","content":"call a\nthen\ncall b"},` +
		`{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"a","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"1","content":"one"}`
	if s := ask(t, url, history+"]}"); s.names[0] != "b" || len(s.names) != 1 {
		t.Errorf("second round: %+v", s)
	}
	history += `,{"role":"assistant","content":null,"tool_calls":[{"id":"2","type":"function","function":{"name":"b","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"2","content":"two"}]}`
	if s := ask(t, url, history); s.text != Quote([]string{"one", "two"}) || s.finish != "stop" {
		t.Errorf("answer: %+v", s)
	}
	offered := `{"model":"tools","stream":true,"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":` +
		`{"name":"f","parameters":{"type":"object","required":["n","s"],"properties":{"n":{"type":"integer"},"s":{"type":"string"},"o":{"type":"string"}}}}}]}`
	if s := ask(t, url, offered); s.names[0] != "f" || s.args[0] != `{"n":1,"s":"."}` {
		t.Errorf("made up: %+v", s)
	}
}

func TestRefusalsEnd(t *testing.T) {
	srv, url := start(t, Options{})
	for _, model := range []string{"429:2", "500:2"} {
		for i := range 3 {
			s := ask(t, url, body(model, "hi"))
			if ok := s.status == 200; ok != (i == 2) {
				t.Errorf("%s, request %d: status %d", model, i+1, s.status)
			}
		}
	}
	resp, err := http.Post(url+"/v1/chat/completions", "application/json", strings.NewReader(body("x", "scenario:429:1:7 please")))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "7" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	if n := len(srv.Requests()); n != 7 {
		t.Errorf("%d requests recorded", n)
	}
	srv.Reset()
	if len(srv.Requests()) != 0 {
		t.Error("requests are still there")
	}
}

func TestMalformedRequests(t *testing.T) {
	srv, url := start(t, Options{})
	msgs := func(m string) string { return `{"model":"m","stream":true,"messages":[` + m + `]}` }
	user := `{"role":"user","content":"x"}`
	calls := `{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"a","arguments":"{}"}}]}`
	for body, want := range map[string]string{
		`{`: "parse",
		`{"model":"m","messages":[],"stream":true}`:                                                                                    "empty array",
		`{"messages":[` + user + `]}`:                                                                                                  "model",
		`{"model":"m","stream":true,"stream_options":{"foo":1},"messages":[` + user + `]}`:                                             "stream_options.foo",
		`{"model":"m","foo":1,"messages":[` + user + `]}`:                                                                              "foo",
		`{"model":1,"messages":[` + user + `]}`:                                                                                        "type",
		`{"model":"m","stream_options":{},"messages":[` + user + `]}`:                                                                  "stream_options",
		`{"model":"m","max_tokens":0,"messages":[` + user + `]}`:                                                                       "max_tokens",
		`{"model":"m","temperature":2.5,"messages":[` + user + `]}`:                                                                    "temperature",
		`{"model":"m","tools":[],"messages":[` + user + `]}`:                                                                           "tools",
		`{"model":"m","tools":[{"type":"function","function":{"name":"a b"}}],"messages":[` + user + `]}`:                              "pattern",
		`{"model":"m","tools":[{"type":"function","function":{"name":"a","parameters":{"type":"object"}}}],"messages":[` + user + `]}`: "missing properties",
		`{"model":"m","tools":[{"type":"function","function":{"name":"a","parameters":{"type":"object","properties":{},"mutable":true}}}],"messages":[` + user + `]}`: "mutable",
		msgs(`{"role":"robot","content":"x"}`):                                                          "robot",
		msgs(`{"role":"user","content":null}`):                                                          "null",
		msgs(`{"role":"assistant","content":null}`):                                                     "null",
		msgs(`{"role":"user","content":[]}`):                                                            "empty array",
		msgs(`{"role":"user","content":[{"type":"image","data":"x"}]}`):                                 "image",
		msgs(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,x"}}]}`): "data URL",
		msgs(`{"role":"assistant","content":[{"type":"image_url"}]}`):                                   "image_url",
		msgs(user + `,{"role":"tool","tool_call_id":"1","content":"x"}`):                                "response to a preceeding",
		msgs(calls + `,{"role":"tool","content":"x"}`):                                                  "tool_call_id",
		msgs(calls + `,{"role":"tool","tool_call_id":"2","content":"x"}`):                               "response to a preceeding",
		msgs(calls):              "did not have response messages: 1",
		msgs(calls + `,` + user): "did not have response messages: 1",
		msgs(strings.Replace(calls, `"id":"1"`, `"id":""`, 1)):                            "id",
		msgs(strings.Replace(calls, `"id":"1"`, `"id":"`+strings.Repeat("x", 41)+`"`, 1)): "too long",
		msgs(strings.Replace(calls, `"arguments":"{}"`, `"arguments":{}`, 1)):             "type",
		msgs(strings.Replace(calls, `,"arguments":"{}"`, ``, 1)):                          "arguments",
		msgs(strings.Replace(calls, `"type":"function"`, `"type":"f"`, 1)):                "function",
		msgs(strings.Replace(calls, `"role":"assistant"`, `"role":"user"`, 1)):            "tool_calls",
	} {
		if s := ask(t, url, body); s.status != 400 || !strings.Contains(s.fault, want) {
			t.Errorf("%s\ngot %d %q, want %q", body, s.status, s.fault, want)
		}
	}
	for _, r := range srv.Requests() {
		if r.Fault == "" {
			t.Errorf("no fault was recorded for %s", r.Raw)
		}
	}
	if s := ask(t, url, msgs(calls+`,{"role":"tool","tool_call_id":"1","content":"x"}`)); s.status != 200 {
		t.Errorf("a good request got %d %s", s.status, s.fault)
	}
}

func TestKeyAndWhole(t *testing.T) {
	now := time.Unix(1e9, 0)
	_, url := start(t, Options{APIKey: "k", Now: func() time.Time { return now }, Scenarios: map[string]Scenario{
		"own": func(_ *Server, _ *Request, args []string) Answer { return Answer{Text: strings.Join(args, "+")} },
	}})
	if s := ask(t, url, body("own:a", "hi")); s.status != 401 {
		t.Errorf("%+v", s)
	}
	req, err := http.NewRequest("POST", url+"/v1/chat/completions", strings.NewReader(`{"model":"own:1:2","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer k")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var c completion
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	if c.Object != "chat.completion" || c.Created != now.Unix() || *c.Choices[0].Message.Content != "1+2" || c.Usage == nil {
		t.Errorf("%+v", c)
	}
}
