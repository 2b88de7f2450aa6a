package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider/providertest"
)

// What the model thought goes back unchanged with the results, also after the capsule was
// started anew; the stand-in refuses a request without it, and one in which it was changed.
func TestThoughtsGoBack(t *testing.T) {
	for _, kind := range []string{"reasoning", "redacted"} {
		g, s := rig(t)
		g.Config["thinking"] = "adaptive"
		r := providertest.Prompt("scenario:" + kind + "\ncall a {\"x\":\"é\"}\ncall b\nthen\ncall c")
		o := g.Ask(r)
		if len(o.Calls) != 2 || (o.Thought != "") != (kind == "reasoning") {
			t.Fatalf("%s: %+v", kind, o)
		}
		r = providertest.Follow(r, o, "1", "2")
		second := g.Ask(r)
		if len(second.Calls) != 1 || second.Calls[0].Name != "c" {
			t.Fatalf("%s, second round: %+v %s", kind, second, s.Requests()[1].Fault)
		}
		third := providertest.Follow(r, second, "3")
		if o := g.Ask(third); !o.Done || !strings.Contains(o.Text, "The tools said") {
			t.Errorf("%s, third round: %+v", kind, o)
		}
		if raw := string(s.Requests()[2].Raw); strings.Count(raw, `thinking","`) != 2 {
			t.Errorf("%s: want the thoughts of both rounds: %s", kind, raw)
		}
	}
}

// Another model does not get them, and a history that tells it otherwise wins.
func TestThoughtsOfAnotherTime(t *testing.T) {
	g, s := rig(t)
	r := providertest.Prompt("scenario:reasoning\ncall a {\"x\":1}")
	o := g.Ask(r)
	for i := range o.Calls {
		o.Calls[i].ID = strings.Replace(o.Calls[i].ID, "thought_", "", 1) // the stand-in must not insist
	}
	g.Ask(providertest.Follow(r, o, "1"))
	if raw := string(s.Requests()[1].Raw); strings.Contains(raw, `"signature"`) {
		t.Errorf("thoughts of other calls: %s", raw)
	}

	g, s = rig(t)
	o = g.Ask(r)
	o.Text = "edited"
	next := providertest.Follow(r, o, "1")
	g.Call("handle_llm_request", next)
	next.Model = "another"
	g.Call("handle_llm_request", next)
	for _, q := range s.Requests()[1:] {
		if strings.Contains(string(q.Raw), `"signature"`) || !strings.Contains(q.Fault, "Expected `thinking`") {
			t.Errorf("%q: %s", q.Fault, q.Raw)
		}
	}
	s.Reset() // those faults were wanted
}

// Transcripts of servers, and what comes out of them.
func TestTranscripts(t *testing.T) {
	ev := func(name, body string) string {
		return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + body + "}\n\n"
	}
	begin := ev("message_start", `,"message":{"usage":{"input_tokens":3,"output_tokens":1}}`)
	start := func(i int, b string) string {
		return ev("content_block_start", fmt.Sprintf(`,"index":%d,"content_block":%s`, i, b))
	}
	delta := func(i int, d string) string {
		return ev("content_block_delta", fmt.Sprintf(`,"index":%d,"delta":{%s}`, i, d))
	}
	stop := func(i int) string { return ev("content_block_stop", fmt.Sprintf(`,"index":%d`, i)) }
	end := func(reason string) string {
		return ev("message_delta", `,"delta":{"stop_reason":"`+reason+`"},"usage":{"output_tokens":7}`) + ev("message_stop", "")
	}
	use := func(id string) string { return `{"type":"tool_use","id":"` + id + `","name":"f","input":{}}` }
	args := func(s string) string { return fmt.Sprintf(`"type":"input_json_delta","partial_json":%q`, s) }
	for name, c := range map[string]struct{ in, want, err, kind string }{
		"text":             {in: begin + start(0, `{"type":"text","text":"a"}`) + ev("ping", "") + delta(0, `"type":"text_delta","text":"é"`) + stop(0) + end("end_turn"), want: "text:aé usage"},
		"interleaved":      {in: begin + start(0, use("x")) + start(1, use("y")) + delta(1, args(`{"b":`)) + delta(0, args(`{}`)) + delta(1, args(`1}`)) + stop(1) + stop(0) + end("tool_use"), want: `start:x=f start:y=f args:y={"b": args:x={} args:y=1} end:y end:x usage`},
		"no arguments":     {in: begin + start(0, use("x")) + stop(0) + end("tool_use"), want: "start:x=f args:x={} end:x usage"},
		"whole arguments":  {in: begin + start(0, `{"type":"tool_use","id":"x","name":"f","input":{"a":1}}`) + stop(0) + end("tool_use"), want: `start:x=f args:x={"a":1} end:x usage`},
		"unknown things":   {in: begin + ev("new_event", `,"x":1`) + start(0, `{"type":"server_tool_use","id":"q","input":{}}`) + stop(0) + start(1, `{"type":"text","text":""}`) + delta(1, `"type":"citations_delta","citation":{}`) + stop(1) + end("end_turn"), want: "usage"},
		"thinking":         {in: begin + start(0, `{"type":"thinking","thinking":"","signature":""}`) + delta(0, `"type":"thinking_delta","thinking":"hm"`) + delta(0, `"type":"signature_delta","signature":"s"`) + stop(0) + end("end_turn"), want: "think:hm usage"},
		"no message_stop":  {in: begin + strings.TrimSuffix(end("end_turn"), ev("message_stop", "")), want: "usage"},
		"cut":              {in: begin, err: "cut the stream", kind: abi.LlmNetwork},
		"error":            {in: begin + start(0, `{"type":"text","text":"a"}`) + ev("error", `,"error":{"type":"overloaded_error","message":"Overloaded"}`), want: "text:a", err: "API error: Overloaded", kind: abi.LlmOverloaded},
		"refusal":          {in: begin + ev("message_delta", `,"delta":{"stop_reason":"refusal","stop_details":{"explanation":"harm"}},"usage":{"output_tokens":1}`), want: "usage", err: "declined to answer: harm", kind: abi.LlmRefused},
		"length":           {in: begin + start(0, use("x")) + delta(0, args(`{"a`)) + stop(0) + end("max_tokens"), want: `start:x=f args:x={"a usage`, err: "max_output_tokens", kind: abi.LlmLength},
		"window":           {in: begin + start(0, `{"type":"text","text":"a"}`) + stop(0) + end("model_context_window_exceeded"), want: "text:a usage"},
		"piece of nothing": {in: begin + delta(4, `"type":"text_delta","text":"x"`), err: "block 4", kind: abi.LlmProtocol},
		"not JSON":         {in: "event: ping\ndata: <html>\n\n", err: "cannot be read", kind: abi.LlmProtocol},
		"two data lines":   {in: begin + "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\ndata: \"content_block\":{\"type\":\"text\",\"text\":\"a\"}}\n\n" + end("end_turn"), want: "text:a usage"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []string{c.in, strings.ReplaceAll(c.in, "\n", "\r\n")} {
				for _, piece := range []int{1, len(in)} { // byte by byte, and all at once
					o := providertest.Play(t, vendor.ID, in, piece)
					if got := o.Said(); got != c.want || o.Failure.Kind != c.kind || o.Done != (c.kind == "") || !strings.Contains(o.Error, c.err) {
						t.Errorf("got  %s (%s %s)\nwant %s (%s %s)", got, o.Failure.Kind, o.Error, c.want, c.kind, c.err)
					}
				}
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, vendor.ID,
		"event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: x\ndata: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\",\"id\":\"a\"}}\n\n",
		"data: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\"}}\n\ndata: {\"type\":\"content_block_stop\"}\n\ndata: {\"type\":\"message_stop\"}\n\n",
		"data: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"thinking\",\"thinking\":\"é\"}}\n\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"signature_delta\",\"signature\":\"s\"}}\n\n",
		"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"},\"usage\":{\"output_tokens\":1,\"cache_read_input_tokens\":18446744073709551615}}\n\n",
		"data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no\"}}\n\n",
	)
}
