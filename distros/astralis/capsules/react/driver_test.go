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

// driver plays everybody the agent loop talks to.
type driver struct {
	*sdktest.Host
	t      *testing.T
	model  *abi.ProviderDescription
	others map[string]*abi.ProviderDescription // that a prompt can ask for
	woken  []abi.Message
}

// wake delivers what the loop sent to itself, in the session that it names.
func (d *driver) wake() {
	d.t.Helper()
	all := d.woken
	d.woken = nil
	for _, m := range all {
		var w abi.TurnWake
		raw, err := ipc.Unwrap(m.Payload)
		if err == nil {
			err = json.Unmarshal(raw, &w)
		}
		if err != nil {
			d.t.Fatal(err)
		}
		caller := d.Caller
		d.Caller.SessionID = w.SessionID
		d.call("handle_wake", w)
		d.Caller = caller
	}
}

// restart forgets everything that is not stored.
func (d *driver) restart() {
	clear(sessions)
	clear(abandoned)
	looked, engine = false, unknown
	d.Forget()
	caller := d.Caller
	d.Caller = abi.Caller{}
	d.call("handle_capsules_loaded", struct{}{})
	d.Caller = caller
}

func (d *driver) steer(text string) {
	d.t.Helper()
	d.call("handle_user_prompt", abi.UserInput{Text: text, SessionID: d.Caller.SessionID, Context: json.RawMessage(`{"steer":true,"turn_id":"s"}`)})
}

func (d *driver) compacted(id string, r abi.CompactResponse) {
	d.t.Helper()
	r.CorrelationID = id
	d.call("handle_compacted", r)
}

func drive(t *testing.T) *driver {
	t.Helper()
	d := &driver{Host: sdktest.New(t), t: t, model: &abi.ProviderDescription{ID: "m", RequestTopic: "llm.v1.request.generate.m", StreamTopic: "llm.v1.stream.m"}}
	d.OnHook("registry.v1.get_active_model", func(raw json.RawMessage) any {
		var q abi.ModelQuery
		if err := json.Unmarshal(raw, &q); err != nil {
			t.Errorf("asked for a model with %s: %v", raw, err)
		}
		if q.ModelID != "" {
			if m := d.others[q.ModelID]; m != nil {
				return m
			}
			return nil
		}
		if d.model == nil {
			return nil
		}
		return d.model
	})
	looked, engine = false, absent
	clear(scale)
	d.OnPublish(abi.TopicTurnWake, func(m abi.Message) { d.woken = append(d.woken, m) })
	t.Cleanup(func() {
		for range 3 { // what was cancelled has had its time, what waited has begun
			d.tick(time.Hour)
			d.wake()
		}
		if keys := d.Keys(recordPrefix); len(keys) != 0 {
			t.Errorf("records are left over: %v", keys)
		}
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
	d.call("handle_session_messages", abi.SessionMessages{CorrelationID: id, Messages: history})
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
		func() { // both ways from here
			if p == compacting {
				d.model.ContextWindow, engine = 20, present
				t.messages = append(t.messages, abi.TextMessage(abi.RoleUser, strings.Repeat("long ", 50)))
				t.model = *d.model
			}
			d.assembled(t.awaits)
		},
		func() {
			if t.phase == compacting {
				d.compacted(t.awaits, abi.CompactResponse{})
			}
		},
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
