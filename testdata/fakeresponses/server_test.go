package fakeresponses

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func ask(t *testing.T, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("POST", url+"/v1/responses", strings.NewReader(body))
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
	with := func(items string) string { return `{"model":"m","stream":true,"store":false,"input":[` + items + `]}` }
	user := `{"role":"user","content":"x"}`
	more := func(field string) string { return strings.Replace(with(user), `"stream"`, field+`,"stream"`, 1) }
	tool := func(t string) string { return more(`"tools":[` + t + `]`) }
	call := `{"type":"function_call","call_id":"1","name":"a","arguments":"{}"}`
	output := `{"type":"function_call_output","call_id":"1","output":"x"}`
	thought := `{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"` + seal("rs_1") + `"}`
	for body, want := range map[string]string{
		`{`:                                      "parse",
		`{"model":"m","input":"x"}`:              "array",
		`{"input":[` + user + `]}`:               "model",
		with(""):                                 "input",
		more(`"foo":1`):                          "foo",
		more(`"max_output_tokens":3`):            "max_output_tokens",
		more(`"temperature":3`):                  "temperature",
		more(`"reasoning":{"effort":"x"}`):       "Supported values",
		more(`"reasoning":{"summary":"x"}`):      "summary",
		more(`"include":["x"]`):                  "include",
		tool(`{"type":"x"}`):                     "type",
		tool(`{"type":"function","name":"a b"}`): "pattern",
		tool(`{"type":"function","name":"a","parameters":{}}`):                                                              "object",
		tool(`{"type":"function","name":"a","strict":false,"parameters":{"type":"object"}}`):                                "missing properties",
		tool(`{"type":"function","name":"a","parameters":{"type":"object","properties":{}}}`):                               "additionalProperties",
		tool(`{"type":"function","name":"a","strict":false,"parameters":{"type":"object","properties":{},"mutable":true}}`): "mutable",
		with(`{"role":"tool","content":"x"}`):                                                                               "role",
		with(`{"role":"user","content":[{"type":"text","text":"x"}]}`):                                                      "input_text",
		with(`{"role":"user","content":[{"type":"input_image","image_url":"x"}]}`):                                          "image_url",
		with(`{"type":"odd"}`):    "odd",
		with(user + `,` + call):   "No tool output",
		with(user + `,` + output): "No tool call",
		with(strings.Replace(call, `"call_id"`, `"id":"1","call_id"`, 1) + `,` + output):           "fc_",
		with(strings.Replace(call, `,"arguments":"{}"`, ``, 1) + `,` + output):                     "arguments",
		with(strings.Replace(call, `"arguments"`, `"mutable":true,"arguments"`, 1) + `,` + output): "input[0].mutable",
		with(user + `,` + thought): "required following item",
		with(strings.Replace(thought, "gAAA", "forged", 1) + `,` + call + `,` + output): "could not be verified",
		with(strings.ReplaceAll(call+`,`+output, `"1"`, `"call_thought_1"`)):            "required 'reasoning' item",
	} {
		if status, text := ask(t, hs.URL, body); status != 400 || !strings.Contains(text, want) {
			t.Errorf("%s\ngot %d %s, want %q", body, status, text, want)
		}
	}
	for _, r := range srv.Requests() {
		if r.Fault == "" {
			t.Errorf("no fault was recorded for %s", r.Raw)
		}
	}
	if status, text := ask(t, hs.URL, with(user+`,`+thought+`,`+call+`,`+output)); status != 200 || !strings.Contains(text, "event: response.completed") {
		t.Errorf("a good request got %d %s", status, text)
	}
}
