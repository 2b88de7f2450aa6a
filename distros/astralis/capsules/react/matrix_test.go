package main

import (
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// TestEveryEventInEveryPhase holds the state machine: what is published, and where the
// turn is afterwards. Cells that are not listed are ignored: nothing published, same phase.
func TestEveryEventInEveryPhase(t *testing.T) {
	const (
		ended    = "turn.completed response"
		gone     = phase(99) // no turn
		generate = "llm.v1.request.generate.m"
		save     = "session.v1.request.get_messages"
	)
	type outcome struct {
		topics string
		phase  phase
	}
	text, broken := "word", "broken"
	everywhere := func(o outcome) map[phase]outcome {
		m := map[phase]outcome{}
		for p := storing; p <= saving; p++ {
			m[p] = o
		}
		return m
	}
	events := []struct {
		name string
		fire func(d *driver, t *turn)
		want map[phase]outcome
	}{
		{"stored", func(d *driver, t *turn) { d.stored(t.awaits) },
			map[phase]outcome{storing: {"turn.started prompt_builder.v1.assemble", assembling}, saving: {generate, streaming}}},
		{"stored of another", func(d *driver, _ *turn) { d.stored("other") }, nil},
		{"storing failed", func(d *driver, t *turn) {
			d.call("handle_session_messages", abi.SessionMessages{CorrelationID: t.awaits, Error: "disk full"})
		}, map[phase]outcome{storing: {ended, gone}, saving: {ended, gone}}},
		{"assembled", func(d *driver, t *turn) { d.assembled(t.awaits) }, map[phase]outcome{assembling: {generate, streaming}}},
		{"assembled of an old turn", func(d *driver, _ *turn) { d.assembled("old") }, nil},
		{"assembled of nobody", func(d *driver, _ *turn) { d.assembled("") }, nil},
		{"assembling failed", func(d *driver, t *turn) {
			d.call("handle_prompt_response", promptResponse{RequestID: t.awaits, Error: "no"})
		}, map[phase]outcome{assembling: {ended, gone}}},
		{"assembling failed without an id", func(d *driver, _ *turn) {
			d.call("handle_prompt_response", promptResponse{Error: "invalid request"})
		}, map[phase]outcome{assembling: {ended, gone}}},
		{"text", func(d *driver, t *turn) { d.event(t.awaits, abi.StreamEvent{TextDelta: &text}) }, map[phase]outcome{streaming: {"stream.delta", streaming}}},
		{"reasoning", func(d *driver, t *turn) { d.event(t.awaits, abi.StreamEvent{ReasoningDelta: &text}) }, map[phase]outcome{streaming: {"stream.reasoning", streaming}}},
		{"text of an old request", func(d *driver, _ *turn) { d.event("old", abi.StreamEvent{TextDelta: &text}) }, nil},
		{"call starts", func(d *driver, t *turn) {
			d.event(t.awaits, abi.StreamEvent{ToolCallStart: &abi.ToolCallStart{ID: "x", Name: "look"}})
		}, nil},
		{"arguments of an unknown call", func(d *driver, t *turn) {
			d.event(t.awaits, abi.StreamEvent{ToolCallDelta: &abi.ToolCallDelta{ID: "x", ArgsDelta: "{"}})
		}, nil},
		{"call ends", func(d *driver, t *turn) { d.event(t.awaits, abi.StreamEvent{ToolCallEnd: &abi.ToolCallEnd{ID: "x"}}) }, nil},
		{"usage", func(d *driver, t *turn) { d.event(t.awaits, abi.StreamEvent{Usage: &abi.Usage{InputTokens: 1}}) }, nil},
		{"model fails", func(d *driver, t *turn) { d.event(t.awaits, abi.StreamEvent{Error: &broken}) }, map[phase]outcome{streaming: {ended, gone}}},
		{"model fails an old request", func(d *driver, _ *turn) { d.event("old", abi.StreamEvent{Error: &broken}) }, nil},
		{"empty answer", func(d *driver, t *turn) { d.event(t.awaits, abi.StreamEvent{Done: true}) }, map[phase]outcome{streaming: {ended, gone}}},
		{"result", func(d *driver, _ *turn) { d.result("c1", "seen") }, map[phase]outcome{tools: {"tool.completed " + save, saving}}},
		{"result of an unknown call", func(d *driver, _ *turn) { d.result("other", "seen") }, nil},
		{"second prompt", func(d *driver, _ *turn) { d.prompt("t2", "and this") }, nil},
		{"empty prompt", func(d *driver, _ *turn) { d.prompt("t2", " \n") }, map[phase]outcome{
			storing: {ended, storing}, assembling: {ended, assembling}, compacting: {ended, compacting}, streaming: {ended, streaming}, tools: {ended, tools}, saving: {ended, saving}}},
		{"cancel another turn", func(d *driver, _ *turn) { d.cancel("other") }, nil},
		{"cancel", func(d *driver, _ *turn) { d.cancel("") }, cancelled(everywhere(outcome{ended, gone}), ended)},
		{"cancel this turn", func(d *driver, t *turn) { d.cancel(t.id) }, cancelled(everywhere(outcome{ended, gone}), ended)},
		{"tick", func(d *driver, _ *turn) { d.tick(29 * time.Second) }, nil},
		{"tick after a minute", func(d *driver, _ *turn) { d.tick(time.Minute) }, map[phase]outcome{storing: {ended, gone}, assembling: {ended, gone}, saving: {ended, gone}}},
		{"tick after an hour", func(d *driver, _ *turn) { d.tick(time.Hour) }, with(cancelled(everywhere(outcome{ended, gone}), ended), compacting, outcome{"turn.wake", compacting})},
		{"wake", func(d *driver, t *turn) { d.call("handle_wake", abi.TurnWake{SessionID: "session", TurnID: t.id}) }, nil},
		{"wake after an hour", func(d *driver, t *turn) {
			d.Now = d.Now.Add(time.Hour)
			d.call("handle_wake", abi.TurnWake{SessionID: "session", TurnID: t.id})
		}, map[phase]outcome{compacting: {generate, streaming}}},
		{"compacted", func(d *driver, t *turn) {
			d.compacted(t.awaits, abi.CompactResponse{Compacted: true, Messages: history, Kept: 1, Strategy: "truncate"})
		}, map[phase]outcome{compacting: {"session.v1.request.set_context turn.compacted " + generate, streaming}}},
		{"compaction failed", func(d *driver, t *turn) { d.compacted(t.awaits, abi.CompactResponse{Error: "no"}) },
			map[phase]outcome{compacting: {generate, streaming}}},
		{"compacted to what does not fit", func(d *driver, t *turn) {
			d.compacted(t.awaits, abi.CompactResponse{Compacted: true, Messages: history, Kept: 9})
		}, map[phase]outcome{compacting: {generate, streaming}}},
		{"compacted of an old turn", func(d *driver, _ *turn) { d.compacted("old", abi.CompactResponse{}) }, nil},
		{"steer", func(d *driver, _ *turn) { d.steer("by the way") }, everywhere(outcome{"turn.steered", gone - 1})},
		{"capsules loaded", func(d *driver, _ *turn) { d.call("handle_capsules_loaded", struct{}{}) }, nil},
		{"clear", func(d *driver, _ *turn) {
			d.call("handle_session_clear", map[string]string{"session_id": "session"})
		}, everywhere(outcome{"session.v1.request.clear", gone - 1})},
		{"cleared", func(d *driver, _ *turn) {
			d.call("handle_session_cleared", map[string]string{"old_session_id": "session", "new_session_id": "n"})
		}, everywhere(outcome{"session_changed", gone - 1})},
	}
	for _, e := range events {
		for p := storing; p <= saving; p++ {
			t.Run(e.name+" in "+phaseNames[p], func(t *testing.T) {
				d := drive(t)
				turn := d.reach(p)
				e.fire(d, turn)
				want, listed := e.want[p]
				if !listed {
					want = outcome{"", p}
				}
				if want.phase == gone-1 { // no turn takes part
					want.phase = p
				}
				if got := d.topics(); got != want.topics {
					t.Errorf("published %q, want %q", got, want.topics)
				}
				switch {
				case want.phase == gone && len(sessions) != 0:
					t.Error("the turn goes on")
				case want.phase != gone && (turn.over || turn.phase != want.phase):
					t.Errorf("phase %s (over: %v), want %s", phaseNames[turn.phase], turn.over, phaseNames[want.phase])
				}
				for len(sessions) > 0 { // also what waits
					d.cancel("")
				}
			})
		}
	}
}

// cancelled says that a turn that is given up ends what it has others do, and keeps what it has done.
func cancelled[O ~struct {
	topics string
	phase  phase
}](m map[phase]O, ended string) map[phase]O {
	m[streaming] = O{"llm.v1.request.cancel " + ended, 99}
	m[tools] = O{"tool.v1.request.cancel session.v1.append " + ended, 99}
	return m
}

func with[O any](m map[phase]O, p phase, o O) map[phase]O {
	m[p] = o
	return m
}

// Nothing is running: all of these are late, or meant for somebody else.
func TestEventsWithoutTurn(t *testing.T) {
	d := drive(t)
	d.stored("x")
	d.assembled("x")
	d.assembled("")
	d.event("x", abi.StreamEvent{Done: true})
	d.result("c1", "x")
	d.cancel("")
	d.cancel("t1")
	d.tick(time.Hour)
	if got := d.topics(); got != "" {
		t.Errorf("published %s", got)
	}
}
