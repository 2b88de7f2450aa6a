package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func TestWithoutModel(t *testing.T) {
	d := drive(t)
	for _, m := range []*abi.ProviderDescription{nil, {ID: "odd", RequestTopic: "agent.v1.response"}} {
		d.model = m
		d.prompt("", "hi")
		d.stored(d.turn().awaits)
		if c := d.completed(); c.Error == nil || c.Error.Kind != "provider" || !strings.Contains(d.answer(), "astrid init") {
			t.Errorf("%+v %q", c, d.answer())
		}
	}
}

func TestIdentity(t *testing.T) {
	d := drive(t)
	d.OnHook(abi.TopicSparkBuild, func(raw json.RawMessage) any {
		d.Deliver(abi.TopicSparkReady, map[string]string{"prompt": "of another session", "session_id": "other"})
		d.Deliver(abi.TopicSparkReady, map[string]string{"prompt": "I am Ida", "session_id": "session"})
		return nil
	})
	d.prompt("t1", "hi")
	d.stored(d.turn().awaits)
	if a := last[map[string]any](d, abi.TopicAssemble); a["system_prompt"] != defaultPrompt {
		t.Errorf("without the capability: %v", a["system_prompt"])
	}
	d.cancel("")
	d.Capabilities = map[string][]string{sdktest.SourceID: {"allow_prompt_injection"}}
	d.prompt("t2", "hi")
	d.stored(d.turn().awaits)
	if a := last[map[string]any](d, abi.TopicAssemble); a["system_prompt"] != "I am Ida" {
		t.Errorf("%v", a["system_prompt"])
	}
	d.cancel("")
}

// What is put before the prompt is for this turn's requests only.
func TestPrefix(t *testing.T) {
	d := drive(t)
	before := history
	t.Cleanup(func() { history = before })
	history = []abi.ChatMessage{abi.TextMessage(abi.RoleUser, "old"), abi.TextMessage(abi.RoleAssistant, "yes"), abi.TextMessage(abi.RoleUser, "hi")}
	d.reach(assembling)
	d.call("handle_prompt_response", promptResponse{RequestID: d.turn().awaits, UserContextPrefix: "context"})
	r := last[abi.LlmRequest](d, "llm.v1.request.generate.m")
	if r.Messages[0].Content.Text != "old" || r.Messages[2].Content.Text != "context\nhi" {
		t.Errorf("%+v", r.Messages)
	}
	if got := last[map[string]any](d, "llm.v1.request.generate.m")["tools"]; got == nil {
		t.Error("tools are null; other providers want a list")
	}
	d.cancel("")
}

// Sessions and principals do not see each other's answers.
func TestSessionsAreApart(t *testing.T) {
	d := drive(t)
	mine := d.reach(tools)
	for _, other := range []abi.Caller{{Principal: "default", SessionID: "b"}, {Principal: "eve", SessionID: "session"}} {
		own := d.Caller
		d.Caller = other
		d.result("c1", "forged")
		d.stored(mine.awaits)
		d.cancel("")
		theirs := d.reach(tools)
		if theirs == mine {
			t.Fatalf("%+v shares a turn", other)
		}
		d.cancel("")
		d.Caller = own
	}
	if mine.phase != tools || mine.over || mine.calls[0].result != nil {
		t.Error("the turn was changed from outside")
	}
	d.cancel("")
}

// A prompt of a capsule belongs to the session it names; nothing that follows carries one.
func TestPromptOfACapsule(t *testing.T) {
	d := drive(t)
	d.Caller.SessionID = ""
	begin := func(name string) *turn {
		d.call("handle_user_prompt", abi.UserInput{Text: "hi", SessionID: name})
		turn := sessions[(&session{id: name, principal: "default"}).key()].turn
		d.stored(turn.awaits)
		d.assembled(turn.awaits)
		d.event(turn.awaits, abi.StreamEvent{ToolCallStart: &abi.ToolCallStart{ID: "c1", Name: "look"}})
		d.event(turn.awaits, abi.StreamEvent{Done: true})
		return turn
	}
	a, b := begin("a"), begin("b")
	if a.phase != tools || b.phase != tools || a.calls[0].ID == b.calls[0].ID {
		t.Fatalf("%s %s, ids %s %s", phaseNames[a.phase], phaseNames[b.phase], a.calls[0].ID, b.calls[0].ID)
	}
	d.result(b.calls[0].ID, "for b")
	if a.calls[0].result != nil || b.phase != saving {
		t.Error("the result went to the wrong session")
	}
	d.tick(time.Hour)
}

// A bus that refuses a step ends the turn, once, and leaves nothing behind.
func TestRefusedSteps(t *testing.T) {
	for _, topic := range []string{abi.TopicSessionGet, abi.TopicTurnStarted, abi.TopicAssemble, "llm.v1.request.generate.m", abi.TopicToolStarted, abi.TopicToolRequest, abi.TopicToolCompleted} {
		t.Run(topic, func(t *testing.T) {
			d := drive(t)
			var seen []string
			d.Handle(abi.IpcPublish, func(p []string) ([]byte, error) {
				seen = append(seen, p[0])
				if p[0] == topic {
					return nil, abi.Errorf(abi.CodeQueueFull, "queue of %s is full", topic)
				}
				return nil, nil
			})
			d.prompt("t1", "hi")
			for _, step := range []func(){
				func() { d.stored(d.turn().awaits) }, func() { d.assembled(d.turn().awaits) },
				func() { d.says("", "c1=look", "c2=look") }, func() { d.result("c1", "x") },
			} {
				if len(sessions) > 0 {
					step()
				}
			}
			if n := strings.Count(strings.Join(seen, " ")+" ", abi.TopicTurnCompleted+" "); n != 1 || len(sessions) != 0 {
				t.Errorf("ended %d times, %d sessions left: %v", n, len(sessions), seen)
			}
		})
	}
}

// The answer is tried even if the news of the end cannot be told, and the next turn begins.
func TestRefusedEnd(t *testing.T) {
	d := drive(t)
	d.reach(tools)
	d.prompt("t2", "next")
	var seen []string
	d.Handle(abi.IpcPublish, func(p []string) ([]byte, error) {
		seen = append(seen, p[0])
		if p[0] == abi.TopicToolCancel || p[0] == abi.TopicTurnCompleted {
			return nil, abi.Errorf(abi.CodeQueueFull, "full")
		}
		return nil, nil
	})
	d.cancel("t1")
	if got := strings.Join(seen, " "); got != "tool.v1.request.cancel session.v1.append agent.v1.turn.completed agent.v1.response session.v1.request.get_messages" {
		t.Errorf("published %s", got)
	}
	if d.turn().id != "t2" {
		t.Errorf("turn %s runs", d.turn().id)
	}
	d.cancel("")
}

// Who waits for an answer is told why it does not come.
func TestWithheldAnswer(t *testing.T) {
	d := drive(t)
	d.reach(streaming)
	refused := 0
	var told []abi.AgentResponse
	var ended []abi.TurnCompleted
	d.Handle(abi.IpcPublish, func(p []string) ([]byte, error) {
		raw, err := ipc.Unwrap([]byte(p[1]))
		if err != nil {
			t.Fatal(err)
		}
		switch p[0] {
		case abi.TopicAgentResponse:
			if strings.Contains(p[1], "secret") {
				refused++
				return nil, abi.Errorf(abi.CodeDenied, "no such words")
			}
			var r abi.AgentResponse
			if err := json.Unmarshal(raw, &r); err != nil {
				t.Fatal(err)
			}
			told = append(told, r)
		case abi.TopicTurnCompleted:
			var c abi.TurnCompleted
			if err := json.Unmarshal(raw, &c); err != nil {
				t.Fatal(err)
			}
			ended = append(ended, c)
		}
		return nil, nil
	})
	d.says("the secret")
	d.stored(d.turn().awaits)
	if refused != 1 || len(told) != 1 || !told[0].IsFinal || !strings.Contains(told[0].Text, "no such words") {
		t.Errorf("refused %d, told %+v", refused, told)
	}
	if n := len(ended); n == 0 || ended[n-1].Error == nil || ended[n-1].StopReason != abi.StopError {
		t.Errorf("ended %+v", ended)
	}
}

func TestClear(t *testing.T) {
	d := drive(t)
	d.call("handle_session_clear", map[string]string{"session_id": "ignored"})
	r := last[map[string]string](d, abi.TopicSessionClear)
	if r["session_id"] != "session" || r["correlation_id"] == "" || strings.Contains(r["correlation_id"], ".") {
		t.Errorf("%v", r)
	}
	d.call("handle_session_cleared", map[string]string{"old_session_id": "a", "new_session_id": "b", "correlation_id": "c"})
	if m := last[map[string]string](d, "agent.v1.session_changed"); m["old_session_id"] != "a" || m["new_session_id"] != "b" {
		t.Errorf("%v", m)
	}
}

// A model that the person chose is asked for by its name; a provider's default is not named,
// so that its settings decide.
func TestModelName(t *testing.T) {
	for id, want := range map[string]string{"m": "", "m:special": "special", "m:a:b": "a:b"} {
		t.Run(id, func(t *testing.T) {
			d := drive(t)
			d.model.ID = id
			d.reach(assembling)
			d.call("handle_prompt_response", promptResponse{RequestID: d.turn().awaits})
			if r := last[abi.LlmRequest](d, d.model.RequestTopic); r.Model != want {
				t.Errorf("asks for %q, want %q", r.Model, want)
			}
			d.cancel("")
		})
	}
}
