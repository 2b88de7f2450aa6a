package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/unicity-astrid/astrid-go/abi"
)

// shorthand of events, one to a word.
func brief(e abi.StreamEvent) string {
	switch {
	case e.TextDelta != nil:
		return "text:" + *e.TextDelta
	case e.ReasoningDelta != nil:
		return "think:" + *e.ReasoningDelta
	case e.ToolCallStart != nil:
		return "start:" + e.ToolCallStart.ID + "=" + e.ToolCallStart.Name
	case e.ToolCallDelta != nil:
		return "args:" + e.ToolCallDelta.ID + "=" + e.ToolCallDelta.ArgsDelta
	case e.ToolCallEnd != nil:
		return "end:" + e.ToolCallEnd.ID
	case e.Usage != nil:
		return fmt.Sprintf("usage:%d/%d", e.Usage.InputTokens, e.Usage.OutputTokens)
	}
	return "?"
}

func decode(r io.Reader) (string, error) {
	var got []string
	err := relay(r, "12345678-rest", func(e abi.StreamEvent) error {
		got = append(got, brief(e))
		return nil
	})
	return strings.Join(got, " "), err
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
		"usage last":      {in: finish("stop") + `data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}` + "\n" + done, want: "usage:3/4"},
		"usage null":      {in: `data: {"choices":[],"usage":null}` + "\n" + finish("stop")},
		"refusal":         {in: delta(`{"refusal":"no"}`) + finish("stop"), want: "text:no"},
		"reasoning":       {in: delta(`{"reasoning":"a"}`) + delta(`{"reasoning_content":"b","content":null}`) + finish("stop"), want: "think:a think:b"},
		"interleaved calls": {in: calls(`{"index":0,"id":"x","function":{"name":"f","arguments":""}}`) + calls(`{"index":1,"id":"y","function":{"name":"g","arguments":"{"}}`) +
			calls(`{"index":0,"function":{"arguments":"{\"a\":"}}`) + calls(`{"index":1,"function":{"arguments":"}"}}`) + calls(`{"index":0,"function":{"arguments":"1}"}}`) + finish("tool_calls") + done,
			want: `start:x=f start:y=g args:y={ args:x={"a": args:y=} args:x=1} end:x end:y`},
		"calls in one event": {in: calls(`{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}},{"index":1,"id":"y","function":{"name":"g","arguments":"{}"}}`) + finish("tool_calls"),
			want: "start:x=f args:x={} start:y=g args:y={} end:x end:y"},
		"calls without index": {in: calls(`{"id":"x","function":{"name":"f","arguments":"{}"}}`) + calls(`{"id":"y","function":{"name":"g","arguments":"{"}}`) + calls(`{"function":{"arguments":"}"}}`) + finish("stop"),
			want: "start:x=f args:x={} start:y=g args:y={ args:y=} end:x end:y"},
		"calls that share an index": {in: calls(`{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}`) + calls(`{"index":0,"id":"y","function":{"name":"g","arguments":"{}"}}`) + finish("stop"),
			want: "start:x=f args:x={} start:y=g args:y={} end:x end:y"},
		"calls without id": {in: calls(`{"index":0,"function":{"name":"f","arguments":"{}"}}`) + calls(`{"index":1,"function":{"name":"f","arguments":"{}"}}`) + finish("stop"),
			want: "start:call_12345678_0=f args:call_12345678_0={} start:call_12345678_1=f args:call_12345678_1={} end:call_12345678_0 end:call_12345678_1"},
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
				// Byte by byte, and all at once with the end.
				for _, r := range []io.Reader{iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
					got, err := decode(r)
					if got != c.want {
						t.Errorf("got  %s\nwant %s", got, c.want)
					}
					if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
						t.Errorf("error %v, want %q", err, c.err)
					}
				}
			}
		})
	}
}

// A connection that breaks after the answer was finished has lost nothing.
func TestBreakAfterTheEnd(t *testing.T) {
	const finished = `data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}` + "\n\n"
	broken := errors.New("connection reset")
	got, err := decode(io.MultiReader(strings.NewReader(finished), iotest.ErrReader(broken)))
	if got != "text:a" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if _, err := decode(io.MultiReader(strings.NewReader("data: {}\n"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestLineLimit(t *testing.T) {
	for extra, ok := range map[int]bool{0: true, 64 << 10: false} {
		text := strings.Repeat("x", maxLine-1000+extra)
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = decode(strings.NewReader(`data: {"choices":[{"delta":{"content":` + string(b) + `},"finish_reason":"stop"}]}` + "\n"))
		if (err == nil) != ok {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
}

func FuzzRelay(f *testing.F) {
	f.Add("data: {\"choices\":[{\"delta\":{\"content\":\"é\"},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\n")
	f.Add("data:{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":-1,\"id\":\"\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n")
	f.Fuzz(func(t *testing.T, in string) {
		whole, err := decode(strings.NewReader(in))
		parts, err2 := decode(iotest.OneByteReader(strings.NewReader(in)))
		if whole != parts || (err == nil) != (err2 == nil) {
			t.Errorf("%q %v\nbut byte by byte\n%q %v", whole, err, parts, err2)
		}
	})
}
