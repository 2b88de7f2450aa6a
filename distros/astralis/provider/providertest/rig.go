// Package providertest runs the handlers of a provider against a server, over real
// connections, and adds up what they publish.
package providertest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

// Rig is a fake host whose streams are real HTTP to a server of the test.
type Rig struct {
	*sdktest.Host
	T  testing.TB
	ID string // of the provider
	// Began is the time of the host at each request to the server: waiting moves it on.
	Began []time.Time
}

// New serves a vendor's stand-in to the provider with that id.
func New(t *testing.T, id string, server http.Handler) *Rig {
	t.Helper()
	g := &Rig{Host: sdktest.New(t), T: t, ID: id}
	hs := httptest.NewServer(server)
	t.Cleanup(hs.Close)
	g.Client = hs.Client()
	g.Client.Transport = timed{g, g.Client.Transport}
	g.Config["base_url"], g.Config["model"] = hs.URL, "text"
	t.Cleanup(func() {
		if n := g.OpenStreams(); n > 0 {
			t.Errorf("%d streams were not closed", n)
		}
	})
	return g
}

type timed struct {
	g  *Rig
	rt http.RoundTripper
}

func (t timed) RoundTrip(r *http.Request) (*http.Response, error) {
	t.g.Began = append(t.g.Began, t.g.Now)
	return t.rt.RoundTrip(r)
}

// Outcome is what a request's events add up to.
type Outcome struct {
	Text, Thought string
	Calls         []abi.ToolCall
	Ended         []string // ids of calls
	Usage         *abi.Usage
	Done          bool
	Error         string
	Reason        string
	Failure       abi.LlmFailure
	Events        []string // short forms, in order
}

// RequestID is that of requests without one.
const RequestID = "0f0f0f0f-0000-4000-8000-000000000000"

// Prompt is a request with one message of the person.
func Prompt(text string) abi.LlmRequest {
	return abi.LlmRequest{Messages: []abi.ChatMessage{abi.TextMessage(abi.RoleUser, text)}}
}

// Ask sends one request and adds up the answer.
func (g *Rig) Ask(r abi.LlmRequest) Outcome {
	g.T.Helper()
	if r.RequestID == "" {
		r.RequestID = RequestID
	}
	g.Forget()
	if a := g.Call("handle_llm_request", r); a.Denied() {
		g.T.Fatalf("denied: %s", a.Payload)
	}
	return g.Outcome(r.RequestID)
}

// Outcome adds up what was published for a request, and checks that it ended once.
func (g *Rig) Outcome(id string) Outcome {
	g.T.Helper()
	var o Outcome
	ends, late := 0, 0
	for _, m := range g.Messages() {
		if m.Topic != abi.TopicStreamPrefix+g.ID {
			g.T.Errorf("published on %s", m.Topic)
		}
	}
	for _, raw := range g.Published(abi.TopicStreamPrefix + g.ID) {
		var m abi.LlmStreamEvent
		if err := json.Unmarshal(raw, &m); err != nil {
			g.T.Fatalf("%s: %v", raw, err)
		}
		if m.RequestID != id {
			g.T.Errorf("event of request %q", m.RequestID)
		}
		if ends > 0 {
			late++
		}
		if m.Event.Done || m.Event.Error != nil {
			ends++
			o.Reason = m.StopReason
		}
		if (m.Failure != nil) != (m.Event.Error != nil) {
			g.T.Errorf("error and failure do not go together: %s", raw)
		}
		if m.Failure != nil {
			o.Failure = *m.Failure
		}
		o.take(g.T, m.Event)
	}
	if ends != 1 || late > 0 {
		g.T.Errorf("want exactly one Done or Error at the end, got %d and %d after it", ends, late)
	}
	return o
}

func (o *Outcome) take(t testing.TB, e abi.StreamEvent) {
	o.note(e)
	switch {
	case e.TextDelta != nil:
		o.Text += *e.TextDelta
	case e.ReasoningDelta != nil:
		o.Thought += *e.ReasoningDelta
	case e.ToolCallStart != nil:
		o.Calls = append(o.Calls, abi.ToolCall{ID: e.ToolCallStart.ID, Name: e.ToolCallStart.Name})
	case e.ToolCallDelta != nil:
		i := slices.IndexFunc(o.Calls, func(c abi.ToolCall) bool { return c.ID == e.ToolCallDelta.ID })
		if i < 0 {
			t.Errorf("delta of a call that has not started: %+v", e.ToolCallDelta)
			return
		}
		o.Calls[i].Arguments = append(o.Calls[i].Arguments, e.ToolCallDelta.ArgsDelta...)
	case e.ToolCallEnd != nil:
		o.Ended = append(o.Ended, e.ToolCallEnd.ID)
	case e.Usage != nil:
		o.Usage = e.Usage
	case e.Error != nil:
		o.Error = *e.Error
	case e.Done:
		o.Done = true
	}
}

// note adds the short form of an event. Pieces of one thing that follow each other count as one: how a stream is cut means nothing.
func (o *Outcome) note(e abi.StreamEvent) {
	brief := Brief(e)
	if n := len(o.Events); n > 0 {
		for _, kind := range []string{"text:", "think:"} {
			if more, ok := strings.CutPrefix(brief, kind); ok && strings.HasPrefix(o.Events[n-1], kind) {
				o.Events[n-1] += more
				return
			}
		}
		if d := e.ToolCallDelta; d != nil && strings.HasPrefix(o.Events[n-1], "args:"+d.ID+"=") {
			o.Events[n-1] += d.ArgsDelta
			return
		}
	}
	o.Events = append(o.Events, brief)
}

// Brief is a word for an event.
func Brief(e abi.StreamEvent) string {
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
		return "usage"
	case e.Error != nil:
		return "error"
	}
	return "done"
}

// Follow makes the request that comes after an answer with calls: results are what the
// tools say, in order.
func Follow(r abi.LlmRequest, o Outcome, results ...string) abi.LlmRequest {
	r.Messages = slices.Clone(r.Messages)
	if o.Text != "" {
		r.Messages = append(r.Messages, abi.TextMessage(abi.RoleAssistant, o.Text))
	}
	r.Messages = append(r.Messages, abi.ChatMessage{Role: abi.RoleAssistant, Content: abi.Content{Calls: o.Calls}})
	for i, c := range o.Calls {
		r.Messages = append(r.Messages, abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{
			Result: &abi.ToolCallResult{CallID: c.ID, Content: results[i]}}})
	}
	return r
}

// Canonical is JSON in one spelling, to compare.
func Canonical(t testing.TB, raw []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Lacks reports words that a text should have.
func Lacks(text string, words ...string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return strings.Contains(text, w) })
}
