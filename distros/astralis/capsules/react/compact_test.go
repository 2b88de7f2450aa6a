package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

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

// refuse lets the model refuse the running request as too long.
func (d *driver) refuse() {
	d.t.Helper()
	text := "prompt is too long"
	d.call("handle_llm_stream", abi.LlmStreamEvent{RequestID: d.turn().awaits, Event: abi.StreamEvent{Error: &text}, Failure: &abi.LlmFailure{Kind: abi.LlmContext}})
}

// A conversation that the model refuses as too long is compacted, and the model asked once more.
func TestTooLongForTheModel(t *testing.T) {
	shorter := abi.CompactResponse{Compacted: true, Messages: []abi.ChatMessage{abi.TextMessage(abi.RoleUser, "short")}, Kept: 0}
	long := []abi.ChatMessage{abi.TextMessage(abi.RoleUser, strings.Repeat("long ", 800)), abi.TextMessage(abi.RoleUser, "hi")}
	asking := func(t *testing.T, window uint64) (*driver, *turn) {
		before := history
		t.Cleanup(func() { history = before })
		history = long
		d := drive(t)
		d.model.ContextWindow = window
		turn := d.reach(streaming)
		engine = present
		return d, turn
	}
	for _, window := range []uint64{0, 8000} { // not known, and larger than what the model says
		d, turn := asking(t, window)
		d.refuse()
		r := last[abi.CompactRequest](d, abi.TopicCompact)
		if turn.phase != compacting || r.TargetTokens == 0 || r.TargetTokens > abi.EstimateAll(long)/2+1 {
			t.Fatalf("window %d: phase %s, %+v", window, phaseNames[turn.phase], r)
		}
		if f := turn.factor(); (f > 1) != (window > 0) {
			t.Errorf("window %d: a token of the estimate counts as %g", window, f)
		}
		d.compacted(turn.awaits, shorter)
		if got := said(last[abi.LlmRequest](d, d.model.RequestTopic).Messages); turn.phase != streaming || got != "user:short" {
			t.Fatalf("asked with %s", got)
		}
		d.says("done")
		d.stored(turn.awaits)
		if d.answer() != "done" {
			t.Errorf("answer %q", d.answer())
		}
	}
	for name, then := range map[string]func(d *driver, turn *turn){
		"refused again":      func(d *driver, turn *turn) { d.refuse(); d.compacted(turn.awaits, shorter); d.refuse() },
		"it gets no shorter": func(d *driver, turn *turn) { d.refuse(); d.compacted(turn.awaits, abi.CompactResponse{}) },
		"there is no engine": func(d *driver, turn *turn) { engine = absent; d.refuse() },
		"something was said": func(d *driver, turn *turn) {
			s := "I"
			d.event(turn.awaits, abi.StreamEvent{TextDelta: &s})
			d.refuse()
		},
		"there is only one":     func(d *driver, turn *turn) { turn.messages = turn.messages[:1]; d.refuse() },
		"compaction takes long": func(d *driver, turn *turn) { d.refuse(); d.tick(compactTimeout * time.Second); d.wake(); d.refuse() },
	} {
		t.Run(name, func(t *testing.T) {
			d, turn := asking(t, 0)
			then(d, turn)
			if e := d.completed(); e.Error == nil || e.Error.Failure == nil || e.Error.Failure.Kind != abi.LlmContext {
				t.Errorf("%+v", e)
			}
		})
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
