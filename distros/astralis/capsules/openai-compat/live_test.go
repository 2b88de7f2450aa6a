package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
)

// live is a fake host whose streams are real HTTP to a stand-in server.
type live struct {
	*sdktest.Host
	server *fakeopenai.Server
	open   map[string]*http.Response
	slept  []time.Duration
}

func newLive(t *testing.T, o fakeopenai.Options) *live {
	t.Helper()
	l := &live{Host: sdktest.New(t), server: fakeopenai.New(o), open: map[string]*http.Response{}}
	hs := httptest.NewServer(l.server)
	t.Cleanup(hs.Close)
	l.Config["base_url"], l.Config["model"] = hs.URL, "gpt"
	before := sleep
	sleep = func(d time.Duration) { l.slept = append(l.slept, d) }
	t.Cleanup(func() { sleep = before })
	l.Handle(abi.HTTPStreamStart, l.start)
	l.Handle(abi.HTTPStreamRead, l.read)
	l.Handle(abi.HTTPStreamClose, func(p []string) ([]byte, error) {
		if r := l.open[p[0]]; r != nil {
			delete(l.open, p[0])
			return nil, r.Body.Close()
		}
		return nil, nil
	})
	t.Cleanup(func() {
		if len(l.open) > 0 {
			t.Errorf("%d streams were not closed", len(l.open))
		}
	})
	return l
}

func (l *live) start(p []string) ([]byte, error) {
	var req abi.HTTPRequest
	if err := json.Unmarshal([]byte(p[0]), &req); err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "%v", err)
	}
	hr, err := http.NewRequest(req.Method, req.URL, strings.NewReader(*req.Body))
	if err != nil {
		return nil, abi.Errorf(abi.CodeInvalid, "%v", err)
	}
	for k, v := range req.Headers {
		hr.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(hr)
	if err != nil {
		return nil, abi.Errorf(abi.CodeIO, "%v", err)
	}
	headers := map[string]string{}
	for k := range resp.Header {
		headers[strings.ToLower(k)] = resp.Header.Get(k)
	}
	id := strconv.Itoa(len(l.server.Requests()))
	l.open[id] = resp
	return json.Marshal(abi.HTTPStream{Handle: id, Status: uint16(resp.StatusCode), Headers: headers})
}

func (l *live) read(p []string) ([]byte, error) {
	buf := make([]byte, 4096)
	n, err := l.open[p[0]].Body.Read(buf)
	if n == 0 && err != nil && !errors.Is(err, io.EOF) {
		return nil, abi.Errorf(abi.CodeIO, "%v", err)
	}
	return buf[:n], nil
}

// outcome is what a request's events add up to.
type outcome struct {
	text, reasoning string
	calls           []abi.ToolCall
	ended           []string
	usage           *abi.Usage
	terminal        []string // "Done" or the text of the error
	late            int      // events after the terminal one
}

// generate sends one request and adds up the answer.
func (l *live) generate(t *testing.T, r abi.LlmRequest) outcome {
	t.Helper()
	if r.RequestID == "" {
		r.RequestID = "0f0f0f0f-0000-4000-8000-000000000000"
	}
	l.Forget()
	if a := l.Call("handle_llm_request", r); a.Denied() {
		t.Fatalf("denied: %s", a.Payload)
	}
	return l.outcome(t, r.RequestID)
}

func (l *live) outcome(t *testing.T, id string) outcome {
	t.Helper()
	var o outcome
	for _, m := range l.Messages() {
		if m.Topic != "llm.v1.stream.openai-compat" {
			t.Errorf("published on %s", m.Topic)
		}
	}
	for _, raw := range l.Published("llm.v1.stream.openai-compat") {
		var m abi.LlmStreamEvent
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if m.RequestID != id {
			t.Errorf("event of request %q", m.RequestID)
		}
		if len(o.terminal) > 0 {
			o.late++
		}
		o.take(t, m.Event)
	}
	if len(o.terminal) != 1 || o.late > 0 {
		t.Errorf("want exactly one Done or Error at the end, got %q and %d more", o.terminal, o.late)
	}
	return o
}

func (o *outcome) take(t *testing.T, e abi.StreamEvent) {
	switch {
	case e.TextDelta != nil:
		o.text += *e.TextDelta
	case e.ReasoningDelta != nil:
		o.reasoning += *e.ReasoningDelta
	case e.ToolCallStart != nil:
		o.calls = append(o.calls, abi.ToolCall{ID: e.ToolCallStart.ID, Name: e.ToolCallStart.Name})
	case e.ToolCallDelta != nil:
		for i := range o.calls {
			if o.calls[i].ID == e.ToolCallDelta.ID {
				o.calls[i].Arguments = append(o.calls[i].Arguments, e.ToolCallDelta.ArgsDelta...)
				return
			}
		}
		t.Errorf("delta of a call that has not started: %+v", e.ToolCallDelta)
	case e.ToolCallEnd != nil:
		o.ended = append(o.ended, e.ToolCallEnd.ID)
	case e.Usage != nil:
		o.usage = e.Usage
	case e.Error != nil:
		o.terminal = append(o.terminal, *e.Error)
	case e.Done:
		o.terminal = append(o.terminal, "Done")
	}
}

func prompt(text string) abi.LlmRequest {
	return abi.LlmRequest{Messages: []abi.ChatMessage{abi.TextMessage(abi.RoleUser, text)}}
}
