package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider/providertest"
)

// What the model thought goes back, sealed, with the results; the stand-in refuses a request
// without it, and one in which it was changed.
func TestThoughtsGoBack(t *testing.T) {
	for _, kind := range []string{"reasoning", "redacted"} {
		g, s := rig(t)
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
		if o := g.Ask(providertest.Follow(r, second, "3")); !o.Done || !strings.Contains(o.Text, "The tools said") {
			t.Errorf("%s, third round: %+v", kind, o)
		}
		if raw := string(s.Requests()[2].Raw); strings.Count(raw, `"type":"reasoning"`) != 2 || strings.Count(raw, "Let me look") != 2 {
			t.Errorf("%s: want the thoughts of both rounds, and the text once each: %s", kind, raw)
		}
	}
}

// A history that tells it otherwise wins, and another model does not get the thoughts.
func TestThoughtsOfAnotherTime(t *testing.T) {
	g, s := rig(t)
	r := providertest.Prompt("scenario:reasoning\ncall a {\"x\":1}")
	o := g.Ask(r)
	o.Text = "edited"
	next := providertest.Follow(r, o, "1")
	g.Call("handle_llm_request", next)
	next.Model = "another"
	g.Call("handle_llm_request", next)
	for _, q := range s.Requests()[1:] {
		if strings.Contains(string(q.Raw), `"reasoning"`) || !strings.Contains(q.Fault, "required 'reasoning' item") {
			t.Errorf("%q: %s", q.Fault, q.Raw)
		}
	}
	s.Reset() // those faults were wanted
}

func TestRefusalAndUsage(t *testing.T) {
	g, _ := rig(t)
	r := providertest.Prompt("one two")
	r.System = "four words of it"
	if o := g.Ask(r); o.Usage.InputTokens != 6 || o.Usage.CacheReadTokens != 2 || o.Usage.OutputTokens == 0 {
		t.Errorf("%+v", o.Usage)
	}
	g.Config["model"] = "refusal"
	if o := g.Ask(providertest.Prompt("hi")); !o.Done || o.Reason != abi.ReasonRefusal || !strings.Contains(o.Text, "can't help") {
		t.Errorf("%+v", o)
	}
}

// Transcripts of servers, and what comes out of them.
func TestTranscripts(t *testing.T) {
	ev := func(name, body string) string {
		return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + body + "}\n\n"
	}
	added := func(i int, item string) string {
		return ev("response.output_item.added", fmt.Sprintf(`,"output_index":%d,"item":%s`, i, item))
	}
	finished := func(i int, item string) string {
		return ev("response.output_item.done", fmt.Sprintf(`,"output_index":%d,"item":%s`, i, item))
	}
	fc := func(id, args, status string) string {
		return fmt.Sprintf(`{"type":"function_call","id":"fc_%s","call_id":%q,"name":"f","arguments":%q,"status":%q}`, id, id, args, status)
	}
	args := func(i int, id, s string) string {
		return ev("response.function_call_arguments.delta", fmt.Sprintf(`,"output_index":%d,"item_id":"fc_%s","delta":%q`, i, id, s))
	}
	text := func(s string) string { return ev("response.output_text.delta", fmt.Sprintf(`,"delta":%q`, s)) }
	completed := ev("response.completed", `,"response":{"status":"completed"}`)
	for name, c := range map[string]struct{ in, want, err, kind string }{
		"text": {in: ev("response.created", `,"response":{}`) + text("é") + ev("response.output_text.done", `,"text":"é"`) + completed, want: "text:é"},
		"interleaved calls": {in: added(0, fc("x", "", "in_progress")) + added(1, fc("y", "", "in_progress")) + args(1, "y", `{"b":`) + args(0, "x", `{}`) + args(1, "y", `1}`) +
			finished(1, fc("y", `{"b":1}`, "completed")) + finished(0, fc("x", `{}`, "completed")) + completed, want: `start:x=f start:y=f args:y={"b": args:x={} args:y=1} end:y end:x`},
		"arguments only at the end": {in: added(0, fc("x", "", "in_progress")) + ev("response.function_call_arguments.done", `,"output_index":0,"arguments":"{}"`) + finished(0, fc("x", `{}`, "completed")) + completed, want: "start:x=f args:x={} end:x"},
		"an item all at once":       {in: finished(0, fc("x", `{"a":1}`, "completed")) + completed, want: `start:x=f args:x={"a":1} end:x`},
		"reasoning": {in: ev("response.reasoning_summary_part.added", "") + ev("response.reasoning_summary_text.delta", `,"delta":"a"`) + ev("response.reasoning_summary_part.added", "") +
			ev("response.reasoning_text.delta", `,"delta":"b"`) + completed, want: "think:a\n\nb"},
		"unknown things":   {in: ev("response.web_search_call.searching", "") + added(0, `{"type":"web_search_call","id":"ws_1"}`) + finished(0, `{"type":"web_search_call","id":"ws_1"}`) + completed},
		"done of chat":     {in: text("a") + "data: [DONE]\n\n" + completed, want: "text:a"},
		"cut":              {in: text("a"), want: "text:a", err: "cut the stream", kind: abi.LlmNetwork},
		"failed":           {in: text("a") + ev("response.failed", `,"response":{"error":{"code":"rate_limit_exceeded","message":"slow"}}`), want: "text:a", err: "API error: slow", kind: abi.LlmRateLimit},
		"error, flat":      {in: text("a") + ev("error", `,"code":"server_error","message":"boom"`), want: "text:a", err: "API error: boom", kind: abi.LlmServer},
		"error, nested":    {in: text("a") + ev("error", `,"error":{"code":"context_length_exceeded","message":"boom"}`), want: "text:a", err: "boom", kind: abi.LlmContext},
		"length":           {in: text("a") + ev("response.incomplete", `,"response":{"incomplete_details":{"reason":"max_output_tokens"}}`), want: "text:a"},
		"length in a call": {in: added(0, fc("x", "", "in_progress")) + args(0, "x", `{"a`) + finished(0, fc("x", `{"a`, "incomplete")) + ev("response.incomplete", `,"response":{"incomplete_details":{"reason":"max_output_tokens"}}`), want: `start:x=f args:x={"a`, err: "max_output_tokens", kind: abi.LlmLength},
		"filter":           {in: text("a") + ev("response.incomplete", `,"response":{"incomplete_details":{"reason":"content_filter"}}`), want: "text:a", err: "filter", kind: abi.LlmRefused},
		"no such call":     {in: args(3, "q", "{}"), err: "fc_q", kind: abi.LlmProtocol},
		"not JSON":         {in: "data: <html>\n\n", err: "cannot be read", kind: abi.LlmProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []string{c.in, strings.ReplaceAll(c.in, "\n", "\r\n")} {
				for _, piece := range []int{1, len(in)} { // byte by byte, and all at once
					o := providertest.Play(t, vendor.ID, in, piece)
					if got := o.Said(); got != c.want || o.Failure.Kind != c.kind || o.Done != (c.kind == "") || !strings.Contains(o.Error, c.err) {
						t.Errorf("got  %q (%s %s)\nwant %q (%s %s)", got, o.Failure.Kind, o.Error, c.want, c.kind, c.err)
					}
				}
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, vendor.ID,
		"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"é\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":1}}}\n\n",
		"data: {\"type\":\"response.output_item.added\",\"output_index\":-1,\"item\":{\"type\":\"function_call\",\"id\":\"fc\",\"name\":\"f\"}}\n\ndata: {\"type\":\"response.function_call_arguments.delta\",\"output_index\":-1,\"delta\":\"{}\"}\n\n",
		"data: {\"type\":\"response.output_item.done\",\"item\":{\"type\":\"reasoning\",\"encrypted_content\":\"x\"}}\n\ndata: {\"type\":\"response.incomplete\",\"response\":{\"incomplete_details\":{\"reason\":\"max_output_tokens\"}}}\n\n",
		"data: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"boom\"}\n\n",
		"data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"rate_limit_exceeded\"}}}\n\n",
	)
}
