package main

import (
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider/providertest"
)

func play(t testing.TB, in string, chunk int) providertest.Outcome {
	return providertest.Play(t, vendor.ID, in, chunk)
}

// Transcripts of servers, and what comes out of them.
func TestTranscripts(t *testing.T) {
	delta := func(d string) string { return `data: {"choices":[{"index":0,"delta":` + d + `}]}` + "\n\n" }
	calls := func(c string) string { return delta(`{"tool_calls":[` + c + `]}`) }
	finish := func(r string) string {
		return `data: {"choices":[{"index":0,"delta":{},"finish_reason":"` + r + `"}]}` + "\n\n"
	}
	const done = "data: [DONE]\n\n"
	for name, c := range map[string]struct{ in, want, err string }{
		"text":            {in: delta(`{"role":"assistant","content":""}`) + delta(`{"content":"é"}`) + finish("stop") + done, want: "text:é"},
		"no [DONE]":       {in: delta(`{"content":"a"}`) + finish("stop"), want: "text:a"},
		"no last newline": {in: delta(`{"content":"a"}`) + strings.TrimSpace(finish("stop")), want: "text:a"},
		"only [DONE]":     {in: delta(`{"content":"a"}`) + done, want: "text:a"},
		"cut":             {in: delta(`{"content":"a"}`), want: "text:a", err: "cut the stream"},
		"nothing":         {in: "", err: "cut the stream"},
		"after [DONE]":    {in: finish("stop") + done + delta(`{"content":"late"}`)},
		"comments":        {in: ": ping\n\nevent: x\nid: 3\nretry: 9\ndata:\n\n" + delta(`{"content":"a"}`) + finish("stop"), want: "text:a"},
		"usage last":      {in: finish("stop") + `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}` + "\n" + done, want: "usage"},
		"usage null":      {in: `data: {"choices":[],"usage":null}` + "\n" + finish("stop")},
		"refusal":         {in: delta(`{"refusal":"no"}`) + finish("stop"), want: "text:no"},
		"reasoning":       {in: delta(`{"reasoning":"a"}`) + delta(`{"reasoning_content":"b","content":null}`) + finish("stop"), want: "think:ab"},
		"interleaved calls": {in: calls(`{"index":0,"id":"x","function":{"name":"f","arguments":""}}`) + calls(`{"index":1,"id":"y","function":{"name":"g","arguments":"{"}}`) +
			calls(`{"index":0,"function":{"arguments":"{\"a\":"}}`) + calls(`{"index":1,"function":{"arguments":"}"}}`) + calls(`{"index":0,"function":{"arguments":"1}"}}`) + finish("tool_calls") + done,
			want: `start:x=f start:y=g args:y={ args:x={"a": args:y=} args:x=1} end:x end:y`},
		"calls in one event": {in: calls(`{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}},{"index":1,"id":"y","function":{"name":"g","arguments":"{}"}}`) + finish("tool_calls"),
			want: "start:x=f args:x={} start:y=g args:y={} end:x end:y"},
		"calls without index": {in: calls(`{"id":"x","function":{"name":"f","arguments":"{}"}}`) + calls(`{"id":"y","function":{"name":"g","arguments":"{"}}`) + calls(`{"function":{"arguments":"}"}}`) + finish("stop"),
			want: "start:x=f args:x={} start:y=g args:y={} end:x end:y"},
		"calls that share an index": {in: calls(`{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}`) + calls(`{"index":0,"id":"y","function":{"name":"g","arguments":"{}"}}`) + finish("stop"),
			want: "start:x=f args:x={} start:y=g args:y={} end:x end:y"},
		"calls without id": {in: calls(`{"index":0,"function":{"name":"f","arguments":"{}"}}`) + calls(`{"index":1,"function":{"name":"f","arguments":"{}"}}`) + finish("stop"),
			want: "start:call_0f0f0f0f_0=f args:call_0f0f0f0f_0={} start:call_0f0f0f0f_1=f args:call_0f0f0f0f_1={} end:call_0f0f0f0f_0 end:call_0f0f0f0f_1"},
		"id repeated":           {in: calls(`{"index":0,"id":"x","function":{"name":"f"}}`) + calls(`{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}`) + finish("stop"), want: "start:x=f args:x={} end:x"},
		"arguments before name": {in: calls(`{"index":0,"function":{"arguments":"{}"}}`), err: "before its name"},
		"length in a call":      {in: calls(`{"index":0,"id":"x","function":{"name":"f","arguments":"{"}}`) + finish("length"), want: "start:x=f args:x={", err: "length limit"},
		"error object":          {in: delta(`{"content":"a"}`) + `data: {"error":{"message":"boom"}}` + "\n", want: "text:a", err: "boom"},
		"error text":            {in: `data: {"error":"boom"}` + "\n", err: "boom"},
		"error of another kind": {in: `data: {"error":{"code":7}}` + "\n", err: `{"code":7}`},
		"error null":            {in: `data: {"error":null,"choices":[]}` + "\n" + finish("stop")},
		"not JSON":              {in: "data: <html>\n", err: "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []string{c.in, strings.ReplaceAll(c.in, "\n", "\r\n")} {
				for _, chunk := range []int{1, len(in)} { // byte by byte, and all at once
					o := play(t, in, chunk)
					if got := o.Said(); got != c.want {
						t.Errorf("got  %s\nwant %s", got, c.want)
					}
					if o.Done != (c.err == "") || !strings.Contains(o.Error, c.err) {
						t.Errorf("error %q, want %q", o.Error, c.err)
					}
				}
			}
		})
	}
}

// A connection that breaks after the answer was finished has lost nothing.
func TestBreakAfterTheEnd(t *testing.T) {
	const finished = `data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}` + "\n\n"
	if o := providertest.Play(t, vendor.ID, finished+providertest.Break, 7); !o.Done || o.Text != "a" {
		t.Errorf("%+v", o)
	}
	if o := providertest.Play(t, vendor.ID, "data: {}\n"+providertest.Break, 7); o.Failure.Kind != abi.LlmNetwork || !strings.Contains(o.Error, "broke off") {
		t.Errorf("%+v", o)
	}
}

func TestLineLimit(t *testing.T) {
	const limit = 1 << 20
	for extra, ok := range map[int]bool{0: true, 64 << 10: false} {
		text := strings.Repeat("x", limit-1000+extra)
		o := play(t, `data: {"choices":[{"delta":{"content":"`+text+`"},"finish_reason":"stop"}]}`+"\n", 4096)
		if o.Done != ok {
			t.Errorf("%d bytes: %q", len(text), o.Error)
		}
	}
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, vendor.ID,
		"data: {\"choices\":[{\"delta\":{\"content\":\"é\"},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\n",
		"data:{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":-1,\"id\":\"\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n",
		"data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n",
		"data: {\"error\":{\"message\":\"no\",\"code\":\"context_length_exceeded\"}}\n\n",
	)
}
