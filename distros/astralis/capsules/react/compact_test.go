package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

func TestRoom(t *testing.T) {
	d := drive(t)
	turn := d.reach(assembling)
	turn.system = strings.Repeat("x", 4000)
	for _, c := range []struct{ window, answer, want uint64 }{
		{0, 0, 0},
		{100_000, 8_000, 91_000},
		{128_000, 128_000, 95_000}, // an answer may fill the window: a quarter is for it
		{100_000, 0, 74_000},
		{1200, 400, 100}, // the system prompt takes more than there is
	} {
		turn.model.ContextWindow, turn.model.MaxOutputTokens = c.window, c.answer
		if got := turn.room(); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	// What the model counts decides.
	turn.model.ContextWindow, turn.model.MaxOutputTokens = 100_000, 8_000
	scale[turn.model.ID] = 2
	if got := turn.room(); got != 45_000 {
		t.Errorf("scaled: %d", got)
	}
	d.cancel("")
}

func TestCompaction(t *testing.T) {
	d := drive(t)
	asked := 0
	d.OnHook(abi.TopicEstimateTokens, func(json.RawMessage) any { asked++; return map[string]int{"estimated_tokens": 0} })
	engine = unknown
	d.model.ContextWindow = 1000
	long := abi.TextMessage(abi.RoleUser, strings.Repeat("long ", 800))
	before := history
	t.Cleanup(func() { history = before })
	history = []abi.ChatMessage{long, abi.TextMessage(abi.RoleAssistant, "yes"), abi.TextMessage(abi.RoleUser, "hi")}
	d.prompt("t1", "hi")
	turn := d.turn()
	d.call("handle_session_messages", abi.SessionMessages{CorrelationID: turn.awaits, Messages: history, Head: 1, Start: 40, Total: 42})
	d.assembled(turn.awaits)
	r := last[abi.CompactRequest](d, abi.TopicCompact)
	if turn.phase != compacting || r.MaxTokens != 739 || r.TargetTokens != 369 || r.RequestTopic != d.model.RequestTopic || len(r.Messages) != 3 {
		t.Fatalf("phase %s, %+v", phaseNames[turn.phase], r)
	}
	d.compacted(turn.awaits, abi.CompactResponse{Compacted: true, Messages: []abi.ChatMessage{abi.TextMessage(abi.RoleUser, "summary"), history[2]},
		Kept: 1, MessagesRemoved: 2, TokensBefore: 9, TokensAfter: 3, Usage: abi.Usage{InputTokens: 7, CostUSD: 1}})
	c := last[abi.SessionContext](d, "session.v1.request.set_context")
	if c.SessionID != "session" || c.From != 41 || said(c.Head) != "user:summary" {
		t.Errorf("%+v", c)
	}
	if e := last[abi.TurnCompacted](d, abi.TopicTurnCompacted); e.MessagesRemoved != 2 || e.TokensAfter != 3 {
		t.Errorf("%+v", e)
	}
	if got := said(last[abi.LlmRequest](d, d.model.RequestTopic).Messages); got != "user:summary | user:hi" {
		t.Errorf("asked with %s", got)
	}
	d.says("", "c1=look")
	d.result("c1", "x")
	d.stored(turn.awaits) // the driver's session gives the long history again
	if turn.phase != compacting {
		t.Errorf("phase %s", phaseNames[turn.phase])
	}
	d.compacted(turn.awaits, abi.CompactResponse{}) // it cannot be shorter: the model decides
	d.says("done")
	d.stored(turn.awaits)
	if e := d.completed(); e.Usage.InputTokens != 7 || e.Usage.CostUSD != 1 {
		t.Errorf("%+v", e)
	}
	if asked != 1 {
		t.Errorf("the engine was looked for %d times", asked)
	}
}

// Without a context engine nobody waits for one.
func TestNoEngine(t *testing.T) {
	d := drive(t)
	engine = unknown
	turn := d.reach(assembling)
	turn.model.ContextWindow = 20
	turn.messages = append(turn.messages, abi.TextMessage(abi.RoleUser, strings.Repeat("long ", 50)))
	d.assembled(turn.awaits)
	if turn.phase != streaming || engine != absent {
		t.Errorf("phase %s", phaseNames[turn.phase])
	}
	d.cancel("")
}
