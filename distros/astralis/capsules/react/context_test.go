package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
)

// TestLargeResults: however much tools say at once, the round can be stored and every call has its answer.
func TestLargeResults(t *testing.T) {
	d := drive(t)
	turn := d.reach(streaming)
	var calls []string
	for i := range 30 {
		calls = append(calls, fmt.Sprintf("c%d=look", i))
	}
	d.says("", calls...)
	long := "begin" + strings.Repeat("ü0123456789\n", 1<<20/13) + "end"
	for i := range 30 {
		text := long
		if i%3 == 0 {
			text = "short"
		}
		d.result(fmt.Sprintf("c%d", i), text)
		if got := last[abi.ToolCompleted](d, abi.TopicToolCompleted); len(got.Content) > maxResult+longestMark {
			t.Errorf("clients are told %d bytes", len(got.Content))
		}
	}
	r := last[abi.SessionMessagesRequest](d, abi.TopicSessionGet)
	results, bytes := 0, 0
	for _, m := range r.AppendBeforeRead {
		c := m.Content.Result
		if c == nil {
			continue
		}
		results, bytes = results+1, bytes+len(c.Content)
		if c.CallID != "c0" && c.Content == "short" {
			continue
		}
		mark := fmt.Sprintf(" of %d bytes are left out", len(long))
		if c.Content != "short" && (strings.Count(c.Content, mark) != 1 || !strings.HasPrefix(c.Content, "begin") || !strings.HasSuffix(c.Content, "end") || strings.Contains(c.Content, "\uFFFD")) {
			t.Fatalf("%s: %d bytes, %d marks", c.CallID, len(c.Content), strings.Count(c.Content, mark))
		}
	}
	if results != 30 || bytes > maxResults+30*longestMark || bytes < maxResults/2 {
		t.Errorf("%d results of %d bytes are stored", results, bytes)
	}
	d.stored(turn.awaits)
	d.says("done")
	d.stored(turn.awaits)
}

// TestRestOfTheSession: of a conversation that is known, only what came after it is read.
func TestRestOfTheSession(t *testing.T) {
	d := drive(t)
	turn := d.reach(streaming)
	d.says("", "c1=look")
	d.result("c1", "seen")
	if r := last[abi.SessionMessagesRequest](d, abi.TopicSessionGet); r.From != 1 || !r.Context {
		t.Fatalf("%+v", r)
	}
	round := last[abi.SessionMessagesRequest](d, abi.TopicSessionGet).AppendBeforeRead
	d.call("handle_session_messages", abi.SessionMessages{CorrelationID: turn.awaits, Messages: append(round, abi.TextMessage(abi.RoleUser, "of another")), Start: 1, Total: 4})
	if got := said(last[abi.LlmRequest](d, d.model.RequestTopic).Messages); !strings.HasPrefix(got, "user:hi | ") || !strings.HasSuffix(got, "user:of another") || len(turn.messages) != 4 {
		t.Errorf("asked with %s", got)
	}
	// What has become too large piece by piece is read as a whole.
	d.says("", "c2=look")
	d.result("c2", "seen")
	d.call("handle_session_messages", abi.SessionMessages{CorrelationID: turn.awaits, Messages: []abi.ChatMessage{abi.TextMessage(abi.RoleUser, strings.Repeat("x", maxGrown))}, Start: 4, Total: 5})
	if r := last[abi.SessionMessagesRequest](d, abi.TopicSessionGet); r.From != 0 || !r.Context || len(r.AppendBeforeRead) != 0 {
		t.Fatalf("%d", r.From)
	}
	d.stored(turn.awaits)
	if got := said(last[abi.LlmRequest](d, d.model.RequestTopic).Messages); got != "user:hi" {
		t.Errorf("asked with %.100s", got)
	}
	d.says("done")
	d.stored(turn.awaits)
}

// TestManyConversations: those that are large together are not kept while their turns wait, and are read again.
func TestManyConversations(t *testing.T) {
	d := drive(t)
	before := history
	t.Cleanup(func() { history = before })
	history = []abi.ChatMessage{abi.TextMessage(abi.RoleUser, strings.Repeat("x", 4<<20))}
	var turns []*turn
	for i := range 5 {
		d.Caller.SessionID = fmt.Sprint("s", i)
		d.prompt("t1", "hi")
		o := d.turn()
		for o.phase != streaming {
			if o.phase == assembling {
				d.assembled(o.awaits)
			} else {
				d.stored(o.awaits)
			}
		}
		turns = append(turns, o)
	}
	held := 0
	for _, o := range turns {
		held += o.size
	}
	if held > maxHeld {
		t.Errorf("%d bytes of conversations are kept", held)
	}
	for i, o := range turns {
		d.Caller.SessionID = fmt.Sprint("s", i)
		d.says("", "c=look")
		d.result(o.calls[0].ID, "seen")
		r := last[abi.SessionMessagesRequest](d, abi.TopicSessionGet)
		if (r.From == 0) != o.dropped {
			t.Errorf("%d: read from %d", i, r.From)
		}
		d.Forget()
		d.stored(o.awaits)
		if r := last[abi.LlmRequest](d, d.model.RequestTopic); len(r.Messages) != 1 {
			t.Errorf("%d: asked with %d messages", i, len(r.Messages))
		}
		d.says("done")
		d.stored(o.awaits)
	}
}

// TestRequestTooLarge: what cannot be sent is told with what to do, and the session goes on.
func TestRequestTooLarge(t *testing.T) {
	d := drive(t)
	turn := d.reach(assembling)
	d.call("handle_prompt_response", promptResponse{SystemPrompt: strings.Repeat("x", abi.MaxPublish), RequestID: turn.awaits, SessionID: d.Caller.SessionID})
	if e := d.completed(); e.StopReason != abi.StopError || e.Error.Kind != "limit" || !strings.Contains(e.Error.Message, "new session") {
		t.Errorf("%+v", e.Error)
	}
	d.Forget()
	turn = d.reach(streaming)
	d.says("fine")
	d.stored(turn.awaits)
	if d.answer() != "fine" {
		t.Errorf("%q", d.answer())
	}
}

// TestPromptOfALongConversation: who contributes to a prompt sees the end of the conversation.
func TestPromptOfALongConversation(t *testing.T) {
	long := abi.TextMessage(abi.RoleUser, strings.Repeat("ü", maxRecent))
	short := abi.TextMessage(abi.RoleUser, "short")
	for _, c := range []struct {
		ms   []abi.ChatMessage
		want string
	}{
		{nil, ""}, {[]abi.ChatMessage{short}, "user:short"}, {[]abi.ChatMessage{short, long, short, short}, "user:short | user:short"},
		{[]abi.ChatMessage{short, long}, "user:" + strings.Repeat("ü", maxRecent/4)},
	} {
		raw, err := recent(c.ms)
		if err != nil {
			t.Fatal(err)
		}
		ms, err := abi.DecodeMessages(raw)
		if err != nil || said(ms) != c.want {
			t.Errorf("%.60s %v", said(ms), err)
		}
	}
	if s := rawjson.ClipFront("aüü", 3); s != "ü" {
		t.Errorf("%q", s)
	}
}

// TestWaitingTextIsBounded: prompts that wait cannot fill the instance's memory.
func TestWaitingTextIsBounded(t *testing.T) {
	d := drive(t)
	d.reach(streaming)
	large := strings.Repeat("x", 4<<20)
	for i := range 4 {
		d.prompt(fmt.Sprint("q", i), large)
	}
	if n := len(d.turn().s.queue); n != 2 || !strings.Contains(d.answer(), "too much text waits") {
		t.Errorf("%d prompts wait, %.80q", n, d.answer())
	}
	for range 3 {
		d.steer(strings.Repeat("y", 1<<20))
	}
	if n := len(d.turn().steered); n != 2 {
		t.Errorf("%d messages wait", n)
	}
	for i := range 3 {
		d.cancel(fmt.Sprint("q", i))
	}
	d.cancel("")
}
