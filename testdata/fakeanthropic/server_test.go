package fakeanthropic

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func ask(t *testing.T, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("POST", url+"/v1/messages", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	req.Header.Set("X-Api-Key", "k")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// What the vendor would refuse is refused, with the reason.
func TestMalformedRequests(t *testing.T) {
	srv := New(Options{})
	hs := httptest.NewServer(srv)
	defer hs.Close()
	with := func(m string) string { return `{"model":"m","max_tokens":2000,"stream":true,"messages":[` + m + `]}` }
	more := func(field string) string {
		return strings.Replace(with(`{"role":"user","content":"x"}`), `"stream"`, field+`,"stream"`, 1)
	}
	user := `{"role":"user","content":"x"}`
	use := `{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"a","input":{}}]}`
	answer := `{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"x"}]}`
	for body, want := range map[string]string{
		`{`: "not valid JSON",
		`{"max_tokens":1,"messages":[` + user + `]}`:             "model",
		`{"model":"m","messages":[` + user + `]}`:                "max_tokens",
		`{"model":"m","max_tokens":0,"messages":[` + user + `]}`: "max_tokens",
		with(""):        "at least one",
		more(`"foo":1`): "foo",
		with(`{"role":"user","content":[{"type":"text","text":"x","id":"1"}]}`): "messages[0].content[0].id",
		more(`"temperature":1.5`): "temperature",
		more(`"system":""`):       "system",
		more(`"thinking":{"type":"enabled","budget_tokens":10}`):                                         "1024",
		more(`"thinking":{"type":"enabled","budget_tokens":2000}`):                                       "max_tokens",
		more(`"thinking":{"type":"adaptive","budget_tokens":2000}`):                                      "budget_tokens",
		more(`"thinking":{"type":"adaptive","display":"loud"}`):                                          "display",
		more(`"output_config":{"effort":"huge"}`):                                                        "effort",
		more(`"tools":[{"name":"a b","input_schema":{}}]`):                                               "pattern",
		more(`"tools":[{"name":"a"}]`):                                                                   "input_schema",
		more(`"tools":[{"name":"a","input_schema":{"type":"text"}}]`):                                    "object",
		with(`{"role":"system","content":"x"}`):                                                          "role",
		with(`{"role":"assistant","content":"x"}`):                                                       "first message",
		with(`{"role":"user","content":""}`):                                                             "non-whitespace",
		with(`{"role":"user","content":[]}`):                                                             "non-empty",
		with(user + `,{"role":"assistant","content":"x"}`):                                               "prefill",
		with(user + `,` + use):                                                                           "prefill",
		with(user + `,` + use + `,` + user):                                                              "without `tool_result`",
		with(user + `,` + answer):                                                                        "unexpected `tool_use_id`",
		with(user + `,` + strings.Replace(use, "{}", `"x"`, 1) + `,` + answer):                           "dictionary",
		with(user + `,` + use + `,` + strings.Replace(answer, `[{`, `[{"type":"text","text":"x"},{`, 1)): "come first",
		with(user + `,` + strings.Replace(use, `[{`, `[{"type":"thinking","thinking":"x","signature":"forged"},{`, 1) + `,` + answer):                              "signature",
		with(user + `,` + strings.ReplaceAll(use, `"1"`, `"toolu_thought_1"`) + `,` + strings.ReplaceAll(answer, `"1"`, `"toolu_thought_1"`)):                      "Expected `thinking`",
		with(`{"role":"user","content":[` + strings.TrimSuffix(strings.Repeat(`{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},`, 5), ",") + `]}`): "maximum of 4",
		with(`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/bmp","data":"aGk="}}]}`):                                     "image",
		with(`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"?"}}]}`):                                        "base64",
	} {
		if status, text := ask(t, hs.URL, body); status != 400 || !strings.Contains(text, want) || !strings.Contains(text, `"type":"error"`) {
			t.Errorf("%s\ngot %d %s, want %q", body, status, text, want)
		}
	}
	for _, r := range srv.Requests() {
		if r.Fault == "" {
			t.Errorf("no fault was recorded for %s", r.Raw)
		}
	}
	if status, text := ask(t, hs.URL, with(user+`,`+use+`,`+answer)); status != 200 || !strings.HasSuffix(text, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n") {
		t.Errorf("a good request got %d %s", status, text)
	}
}
