package ipc

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

const someID = "6f1c8a52-52f8-4f4e-9f0a-0a3f8a8b9c01"

func TestClassify(t *testing.T) {
	for _, c := range []struct{ in, tag, full, guest string }{
		// the rows of the specification
		{`{"type":"user_input","text":"x"}`, "user_input", `{"type":"user_input","text":"x","session_id":"default"}`, ""},
		{`{"type":"user_input"}`, "custom", "", `{"type":"user_input"}`},
		{`{"type":"my_thing","a":1}`, "custom", "", `{"type":"my_thing","a":1}`},
		{`{"type":"unknown"}`, "custom", "", `{"type":"unknown"}`},
		{`{"type":5}`, "custom", "", `{"type":5}`},
		{`{"a":1}`, "custom", `{"type":"custom","data":{"a":1}}`, `{"a":1}`},
		{`"s"`, "custom", `{"type":"custom","data":"s"}`, `"s"`},
		{`[1]`, "custom", "", `[1]`},
		{`null`, "custom", "", `null`},
		{`{"type":"custom","data":{"a":1}}`, "custom", `{"type":"custom","data":{"a":1}}`, `{"a":1}`},
		{`{"type":"custom","data":null}`, "custom", "", `null`},
		{`{"type":"custom","a":1}`, "custom", `{"type":"custom","data":{"type":"custom","a":1}}`, `{"type":"custom","a":1}`},
		{`{"type":"raw_json","method":"X"}`, "raw_json", `{"type":"raw_json","method":"X"}`, `{"method":"X"}`},
		// wherever the tag is
		{`{"a":1, "type":"raw_json", "b":[2]}`, "raw_json", `{"type":"raw_json","a":1,"b":[2]}`, `{"a":1,"b":[2]}`},
		{`{"type":"raw_json"}`, "raw_json", `{"type":"raw_json"}`, `{}`},
		{` {"\u0074ype":"raw_json"} `, "raw_json", `{"type":"raw_json"}`, `{}`},
		{`{"Type":"raw_json"}`, "custom", "", `{"Type":"raw_json"}`},
		// defaults and nulls
		{`{"type":"user_input","text":"x","session_id":null}`, "custom", "", ""},
		{`{"type":"user_input","text":null}`, "custom", "", ""},
		{`{"type":"user_input","text":"x","context":null}`, "user_input", "", ""},
		{`{"type":"agent_response","text":"x","is_final":true}`, "agent_response", `{"type":"agent_response","text":"x","is_final":true,"session_id":"default"}`, ""},
		{`{"type":"agent_response","text":"x"}`, "custom", "", ""},
		{`{"type":"tool_execute_request","call_id":"c","tool_name":"t","arguments":null}`, "tool_execute_request", "", ""},
		{`{"type":"tool_execute_request","call_id":"c","tool_name":"t"}`, "custom", "", ""},
		{`{"type":"disconnect","reason":null}`, "disconnect", "", ""},
		{`{"type":"disconnect","reason":5}`, "custom", "", ""},
		// unknown fields survive, near misses of known ones do not pass
		{`{"type":"connect","since":7}`, "connect", `{"type":"connect","since":7}`, ""},
		{`{"type":"user_input","text":"a","TEXT":"b"}`, "custom", "", ""},
		// repeated names: the last one wins before anything is decided
		{`{"type":"connect","type":"disconnect"}`, "disconnect", `{"type":"disconnect"}`, ""},
		{`{"a":1,"\u0061":18446744073709551615}`, "custom", "", `{"a":18446744073709551615}`},
		{`[{"b":1,"a":0,"b":2}]`, "custom", "", `[{"a":0,"b":2}]`},
		// nested records
		{`{"type":"llm_stream_event","request_id":"` + someID + `","event":"Done"}`, "llm_stream_event", "", ""},
		{`{"type":"llm_stream_event","request_id":"` + someID + `","event":{"TextDelta":"a"}}`, "llm_stream_event", "", ""},
		{`{"type":"llm_stream_event","request_id":"` + someID + `","event":null}`, "custom", "", ""},
		{`{"type":"llm_stream_event","request_id":"` + someID + `","event":{}}`, "custom", "", ""},
		{`{"type":"llm_stream_event","request_id":"r1","event":"Done"}`, "custom", "", ""},
		{`{"type":"llm_request","request_id":"` + someID + `","model":"m","messages":[{"role":"user","content":"hi"}],"tools":[{"name":"t","description":null,"input_schema":{}}],"system":"s"}`, "llm_request", "", ""},
		{`{"type":"llm_request","request_id":"` + someID + `","model":"m","messages":[{"role":"boss","content":"hi"}],"tools":[],"system":"s"}`, "custom", "", ""},
		{`{"type":"llm_request","request_id":"` + someID + `","model":"m","messages":[{"role":"user"}],"tools":[],"system":"s"}`, "custom", "", ""},
		{`{"type":"llm_request","request_id":"` + someID + `","model":"m","messages":null,"tools":[],"system":"s"}`, "custom", "", ""},
		{`{"type":"llm_response","request_id":"` + someID + `","response":{"message":{"role":"assistant","content":"x"},"has_tool_calls":false,"stop_reason":"EndTurn","usage":{"input_tokens":1,"output_tokens":2}}}`, "llm_response", "", ""},
		{`{"type":"llm_response","request_id":"` + someID + `","response":{"message":{"role":"assistant","content":"x"},"has_tool_calls":false,"stop_reason":"end","usage":{"input_tokens":1,"output_tokens":2}}}`, "custom", "", ""},
		{`{"type":"tool_execute_result","call_id":"c","result":{"call_id":"c","content":"ok"}}`, "tool_execute_result", "", ""},
		{`{"type":"tool_execute_result","call_id":"c","result":{"call_id":"c"}}`, "custom", "", ""},
		{`{"type":"tool_cancel_request","call_ids":["a"]}`, "tool_cancel_request", "", ""},
		{`{"type":"tool_cancel_request","call_ids":[1]}`, "custom", "", ""},
		{`{"type":"onboarding_required","capsule_id":"c","fields":[{"key":"k","prompt":"p","field_type":{"Enum":["a"]}}]}`, "onboarding_required", "", ""},
		{`{"type":"onboarding_required","capsule_id":"c","fields":[{"key":"k","prompt":"p","field_type":"Number"}]}`, "custom", "", ""},
		{`{"type":"elicit_response","request_id":"` + someID + `"}`, "elicit_response", "", ""},
		{`{"type":"elicit_response","request_id":"` + someID + `","values":["x"]}`, "elicit_response", "", ""},
		{`{"type":"selection_required","request_id":"r","title":"t","options":[{"id":"i","label":"l"}],"callback_topic":"x"}`, "selection_required", "", ""},
		{`{"type":"approval_required","request_id":"r","action":"a","resource":"b","reason":"c","risk_level":"low"}`, "approval_required", "", ""},
		{`{"type":"approval_response","request_id":"r","decision":"deny"}`, "approval_response", "", ""},
	} {
		p, err := ClassifyPayload([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if p.Tag() != c.tag {
			t.Errorf("%s is %s, want %s", c.in, p.Tag(), c.tag)
		}
		if c.full != "" && string(p.Tagged()) != c.full {
			t.Errorf("%s in full is %s", c.in, p.Tagged())
		}
		if c.guest != "" && string(p.Guest()) != c.guest {
			t.Errorf("%s for a guest is %s", c.in, p.Guest())
		}
		if c.tag != "custom" && c.tag != "raw_json" && !bytes.Equal(p.Guest(), p.Tagged()) {
			t.Errorf("%s for a guest is not the full form: %s", c.in, p.Guest())
		}
	}
}

func TestClassifyRefuses(t *testing.T) {
	for _, in := range []string{
		``, ` `, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `[1,]`, `[1 2]`, `nul`, `nullx`, `1 2`, `01`, `+1`, `1.`, `.5`, `1e`, `-`, `NaN`,
		`1e400`, `-1e400`, strings.Repeat("9", 400), `"a`, "\"a\nb\"", `"\x"`, `"\u12"`, `"\u12g4"`, `"\ud800"`, `"\ud800\ud800"`, `"\udc00"`, `"\ud800x"`,
		"\xef\xbb\xbf{}", "\"\xff\"", "\"\xed\xa0\x80\"", `'a'`, "\x00", `{"a":1}}`, `{1:2}`,
		strings.Repeat("[", 128) + strings.Repeat("]", 128),
		strings.Repeat(`{"a":`, 128) + "1" + strings.Repeat("}", 128),
	} {
		if p, err := ClassifyPayload([]byte(in)); !errors.Is(err, ErrJSON) {
			t.Errorf("%.40q: %s, %v", in, p.Tagged(), err)
		}
	}
	deep := strings.Repeat("[", 127) + strings.Repeat("]", 127)
	if _, err := ClassifyPayload([]byte(deep)); err != nil {
		t.Errorf("127 levels: %v", err)
	}
	for _, in := range []string{`1e308`, strings.Repeat("9", 301), `1e-400`, `"\ud83d\ude00"`, "\"\u007f\"", `-0`, `[]`, `{}`} {
		if _, err := ClassifyPayload([]byte(in)); err != nil {
			t.Errorf("%.40q: %v", in, err)
		}
	}
}

func TestRewriteKeepsTheWrapping(t *testing.T) {
	raw, err := RawJSON(map[string]int{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ out, tag string }{
		{`{"a":2}`, "raw_json"},
		{`[1]`, "custom"},
		{`{"type":"connect"}`, "connect"},
		{`{"type":"other"}`, "custom"},
	} {
		p, err := raw.Rewrite([]byte(c.out))
		if err != nil || p.Tag() != c.tag || string(p.Guest()) != c.out {
			t.Errorf("%s: %s %s %v", c.out, p.Tag(), p.Guest(), err)
		}
	}
	if _, err := raw.Rewrite([]byte("x")); !errors.Is(err, ErrJSON) {
		t.Errorf("rewrite with rubbish: %v", err)
	}
	if p, err := (Payload{}).Rewrite([]byte(`{"a":1}`)); err != nil || p.Tag() != "custom" {
		t.Errorf("%s %v", p.Tag(), err)
	}
}

func TestBuilders(t *testing.T) {
	var zero Payload
	if zero.Tag() != "custom" || string(zero.Tagged()) != `{"type":"custom","data":null}` || string(zero.Guest()) != "null" {
		t.Errorf("zero payload: %s %s %s", zero.Tag(), zero.Tagged(), zero.Guest())
	}
	if p, err := Custom("x<y"); err != nil || p.Tag() != "custom" {
		t.Errorf("%s %v", p.Tagged(), err)
	}
	if _, err := Custom(json.RawMessage(`"\ud800"`)); !errors.Is(err, ErrJSON) {
		t.Errorf("unpaired surrogate: %v", err)
	}
	if _, err := Custom(make(chan int)); err == nil {
		t.Error("a channel is not JSON")
	}
	if p, err := RawJSON(nil); err != nil || string(p.Tagged()) != `{"type":"raw_json"}` {
		t.Errorf("%s %v", p.Tagged(), err)
	}
	for _, bad := range []any{[]int{1}, "s", 1, true, map[string]int{"type": 1}} {
		if p, err := RawJSON(bad); err == nil {
			t.Errorf("RawJSON(%v) = %s", bad, p.Tagged())
		}
	}
	if p, err := Tagged(abi.UserInput{Text: "a", SessionID: "s"}); err != nil || string(p.Tagged()) != `{"type":"user_input","text":"a","session_id":"s"}` {
		t.Errorf("%s %v", p.Tagged(), err)
	}
	if p, err := Tagged(abi.LlmRequest{RequestID: someID}); err != nil || !strings.Contains(string(p.Tagged()), `"messages":[],"tools":[]`) {
		t.Errorf("an empty request: %s %v", p.Tagged(), err)
	}
	for _, bad := range []abi.TaggedPayload{abi.ToolCancelRequest{}, abi.LlmStreamEvent{RequestID: "r"}} {
		if p, err := Tagged(bad); err == nil {
			t.Errorf("Tagged(%T) = %s", bad, p.Tagged())
		}
	}
}

// records makes an empty record of each tag that has one.
var records = map[string]func() any{
	abi.TagUserInput:          func() any { return new(abi.UserInput) },
	abi.TagAgentResponse:      func() any { return new(abi.AgentResponse) },
	abi.TagApprovalRequired:   func() any { return new(abi.ApprovalRequired) },
	abi.TagApprovalResponse:   func() any { return new(abi.ApprovalResponse) },
	abi.TagOnboardingRequired: func() any { return new(abi.OnboardingRequired) },
	abi.TagLlmRequest:         func() any { return new(abi.LlmRequest) },
	abi.TagLlmStreamEvent:     func() any { return new(abi.LlmStreamEvent) },
	abi.TagLlmResponse:        func() any { return new(abi.LlmResponse) },
	abi.TagToolExecuteRequest: func() any { return new(abi.ToolExecuteRequest) },
	abi.TagToolExecuteResult:  func() any { return new(abi.ToolExecuteResult) },
	abi.TagToolCancelRequest:  func() any { return new(abi.ToolCancelRequest) },
	abi.TagSelectionRequired:  func() any { return new(abi.SelectionRequired) },
	abi.TagElicitRequest:      func() any { return new(abi.ElicitRequestEvent) },
	abi.TagElicitResponse:     func() any { return new(abi.ElicitResponse) },
	abi.TagConnect:            func() any { return new(abi.Connect) },
	abi.TagDisconnect:         func() any { return new(abi.Disconnect) },
}

func TestEveryVariantHasARecord(t *testing.T) {
	for tag := range variants {
		if records[tag] == nil {
			t.Errorf("no record for %s", tag)
		}
	}
	if len(variants) != len(records) {
		t.Errorf("%d variants, %d records", len(variants), len(records))
	}
	// Each field of a record is known to the variant, so that none escapes the checks.
	for tag, fields := range variants {
		typ := reflect.TypeOf(records[tag]()).Elem()
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			found := false
			for _, f := range fields {
				found = found || f.name == name
			}
			if !found {
				t.Errorf("%s: field %q of the record is not checked", tag, name)
			}
		}
	}
}

func FuzzClassifyPayload(f *testing.F) {
	for _, s := range []string{
		`{"type":"user_input","text":"x"}`, `{"type":"raw_json","a":{"b":[1,2.5e3,"\u00e9\n"]}}`, `{"type":"custom","data":null}`,
		`{"type":"llm_stream_event","request_id":"` + someID + `","event":{"ToolCallStart":{"id":"a","name":"b"}}}`,
		`{"type":"llm_request","request_id":"` + someID + `","model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"tools":[],"system":""}`,
		`{"type":"elicit_request","request_id":"` + someID + `","capsule_id":"c","field":{"key":"k","prompt":"p","field_type":"Secret"}}`,
		`[1,-0,1e3,true,false,null,""]`, `{"a":1,"a":2}`, "\xef\xbb\xbf1", `"\ud83d\ude00"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ClassifyPayload(b)
		if err != nil {
			if !errors.Is(err, ErrJSON) {
				t.Fatalf("error without a cause: %v", err)
			}
			return
		}
		if !json.Valid(b) || !json.Valid(p.Tagged()) || !json.Valid(p.Guest()) {
			t.Fatalf("accepted %q as %q for guests %q", b, p.Tagged(), p.Guest())
		}
		if mk := records[p.Tag()]; mk != nil {
			if err := json.Unmarshal(p.Tagged(), mk()); err != nil {
				t.Fatalf("%q is %s but does not decode: %v", b, p.Tag(), err)
			}
		}
		// Whoever reads the full form gets the same payload.
		if p.Tag() != abi.TagCustom {
			again, err := ClassifyPayload(p.Tagged())
			if err != nil || again.Tag() != p.Tag() || !bytes.Equal(again.Tagged(), p.Tagged()) {
				t.Fatalf("%q became %q, then %q (%v)", b, p.Tagged(), again.Tagged(), err)
			}
		}
	})
}
