package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

// driver plays everybody the agent loop talks to.
type driver struct {
	*sdktest.Host
	t     *testing.T
	model *abi.ProviderDescription
}

func drive(t *testing.T) *driver {
	t.Helper()
	d := &driver{Host: sdktest.New(t), t: t, model: &abi.ProviderDescription{ID: "m", RequestTopic: "llm.v1.request.generate.m", StreamTopic: "llm.v1.stream.m"}}
	d.OnHook("registry.v1.get_active_model", func(json.RawMessage) any {
		if d.model == nil {
			return nil
		}
		return d.model
	})
	t.Cleanup(func() {
		d.tick(time.Hour) // what was cancelled has had its time
		if len(sessions) != 0 || len(abandoned) != 0 {
			t.Errorf("state is left over: sessions %v, abandoned calls %v", sessions, abandoned)
		}
		clear(sessions)
		clear(abandoned)
	})
	return d
}

func (d *driver) call(action string, payload any) {
	d.t.Helper()
	if a := d.Call(action, payload); a.Denied() {
		d.t.Fatalf("%s denied: %s", action, a.Payload)
	}
}

// turn is the running turn of the caller's session.
func (d *driver) turn() *turn {
	d.t.Helper()
	s := sessions[(&session{id: d.Caller.SessionID, principal: d.Caller.Principal}).key()]
	if s == nil {
		d.t.Fatal("no turn is running")
	}
	return s.turn
}

func (d *driver) prompt(turnID, text string) {
	d.t.Helper()
	c, err := json.Marshal(abi.InputContext{TurnID: turnID})
	if err != nil {
		d.t.Fatal(err)
	}
	d.call("handle_user_prompt", abi.UserInput{Text: text, SessionID: d.Caller.SessionID, Context: c})
}

func (d *driver) cancel(turnID string) {
	d.t.Helper()
	c, err := json.Marshal(abi.InputContext{Action: abi.ActionCancelTurn, TurnID: turnID})
	if err != nil {
		d.t.Fatal(err)
	}
	d.call("handle_user_prompt", abi.UserInput{SessionID: d.Caller.SessionID, Context: c})
}

// history is what the driver's session capsule gives back.
var history = []abi.ChatMessage{abi.TextMessage(abi.RoleUser, "hi")}

func (d *driver) stored(id string) {
	d.t.Helper()
	d.call("handle_session_messages", sessionMessages{CorrelationID: id, Messages: history})
}

func (d *driver) assembled(id string) {
	d.t.Helper()
	d.call("handle_prompt_response", promptResponse{SystemPrompt: "system", RequestID: id, SessionID: d.Caller.SessionID,
		Tools: []abi.LlmToolDefinition{{Name: "look", InputSchema: json.RawMessage(`{}`)}}})
}

func (d *driver) event(id string, e abi.StreamEvent) {
	d.t.Helper()
	d.call("handle_llm_stream", abi.LlmStreamEvent{RequestID: id, Event: e})
}

// says lets the model answer the running request with text and calls, written "name" or
// "id=name" or "id=name(arguments)".
func (d *driver) says(text string, calls ...string) {
	d.t.Helper()
	id := d.turn().awaits
	if text != "" {
		d.event(id, abi.StreamEvent{TextDelta: &text})
	}
	for _, c := range calls {
		callID, name, _ := strings.Cut(c, "=")
		name, args, _ := strings.Cut(strings.TrimSuffix(name, ")"), "(")
		d.event(id, abi.StreamEvent{ToolCallStart: &abi.ToolCallStart{ID: callID, Name: name}})
		if args != "" {
			d.event(id, abi.StreamEvent{ToolCallDelta: &abi.ToolCallDelta{ID: callID, ArgsDelta: args}})
		}
	}
	d.event(id, abi.StreamEvent{Done: true})
}

func (d *driver) result(id, content string) {
	d.t.Helper()
	d.call("handle_tool_result", abi.ToolExecuteResult{CallID: id, Result: abi.ToolCallResult{CallID: id, Content: content}})
}

// tick lets time pass and then the watchdog tick, which belongs to nobody.
func (d *driver) tick(after time.Duration) {
	d.t.Helper()
	d.Now = d.Now.Add(after)
	caller := d.Caller
	d.Caller = abi.Caller{}
	d.call("handle_watchdog_tick", struct{}{})
	d.Caller = caller
}

// reach begins turn "t1" and brings it to a phase.
func (d *driver) reach(p phase) *turn {
	d.t.Helper()
	d.prompt("t1", "hi")
	t := d.turn()
	steps := []func(){
		func() { d.stored(t.awaits) },
		func() { d.assembled(t.awaits) },
		func() { d.says("let me see", "c1=look") },
		func() { d.result("c1", "seen") },
	}
	for _, step := range steps[:p] {
		step()
	}
	if t.phase != p {
		d.t.Fatalf("phase %s, want %s", phaseNames[t.phase], phaseNames[p])
	}
	d.Forget()
	return t
}

// topics are those published since the last Forget, short.
func (d *driver) topics() string {
	var out []string
	for _, m := range d.Messages() {
		out = append(out, strings.TrimPrefix(m.Topic, "agent.v1."))
	}
	return strings.Join(out, " ")
}

// last decodes the last message on a topic.
func last[T any](d *driver, topic string) T {
	d.t.Helper()
	var v T
	all := d.Published(topic)
	if len(all) == 0 {
		d.t.Fatalf("nothing on %s, only %s", topic, d.topics())
	}
	if err := json.Unmarshal(all[len(all)-1], &v); err != nil {
		d.t.Fatal(err)
	}
	return v
}

func (d *driver) completed() abi.TurnCompleted {
	d.t.Helper()
	return last[abi.TurnCompleted](d, abi.TopicTurnCompleted)
}

func (d *driver) answer() string {
	d.t.Helper()
	return last[abi.AgentResponse](d, abi.TopicAgentResponse).Text
}
