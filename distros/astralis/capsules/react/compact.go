package main

import (
	"encoding/json"
	"errors"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/hooks"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

// compactTimeout is how long a context engine may take, in seconds: it may ask a model.
const compactTimeout = 150

// presence says whether a context engine is there.
type presence uint8

const (
	unknown presence = iota
	absent
	present
)

var engine presence

// maxScale bounds scale: beyond it, something else was counted.
const maxScale = 3

// scale is how many tokens a model counts for one of our estimate, as last seen.
var scale = map[string]float64{}

// learn compares the model's count with the estimate.
func (t *turn) learn() {
	if guess := t.guess; guess > 500 && t.round.InputTokens > 0 { // of little text it says little
		scale[t.model.ID] = min(max(float64(t.round.InputTokens)/float64(guess), 0.8), maxScale)
	}
}

func (t *turn) factor() float64 {
	if f, ok := scale[t.model.ID]; ok {
		return f
	}
	return 1
}

// estimate guesses the tokens of the next request, unscaled.
func (t *turn) estimate() uint64 { return t.overhead() + abi.EstimateAll(t.messages) }

// overhead is what goes with the messages: system prompt and tools.
func (t *turn) overhead() uint64 {
	n := len(t.system) + len(t.prefix)
	for _, d := range t.tools {
		n += len(d.Name) + len(d.InputSchema) + 32
		if d.Description != nil {
			n += len(*d.Description)
		}
	}
	return uint64(n / 4)
}

// mostTokens is what a conversation may have whatever the model's window is, as estimated: it is sent in one message, which text
// with many escapes fills sooner. It is compacted before the session store would have to cut it.
const mostTokens = abi.MaxContext / 5

// room is how many tokens of messages, as estimated, the model has room for beside its
// answer; 0 when its window is not known. An answer may be allowed to fill the whole
// window; a quarter is kept for it then.
func (t *turn) room() uint64 {
	window, answer := t.model.ContextWindow, t.model.MaxOutputTokens
	if answer == 0 || answer > window/2 {
		answer = window / 4
	}
	all := uint64(float64(window-answer) / t.factor())
	if window == 0 {
		return 0
	}
	// However much the tools take, there is always something for the conversation.
	return min(max(all-min(all, t.overhead()), all/8), mostTokens)
}

// tooLong tells whether the messages should be compacted first.
func (t *turn) tooLong() bool {
	room := t.room()
	return room > 0 && !t.squeezed && len(t.messages) > 1 && abi.EstimateAll(t.messages) > room*9/10 && enginePresent()
}

// enginePresent asks once whether there is a context engine; without one nobody waits for it.
func enginePresent() bool {
	if engine == unknown {
		answers, err := hooks.Collect[struct {
			EstimatedTokens *uint64 `json:"estimated_tokens"`
		}](abi.TopicEstimateTokens, map[string]any{"messages": []abi.ChatMessage{}})
		if err != nil {
			return false // ask again next time
		}
		engine = absent
		if len(answers) > 0 && answers[0].EstimatedTokens != nil {
			engine = present
		}
	}
	return engine == present
}

func (t *turn) compact() error { return t.compactTo(t.room()) }

// compactTo has the messages made to fit in half of so many tokens, as estimated.
func (t *turn) compactTo(room uint64) error {
	t.squeezed = true
	t.enter(compacting, newID())
	err := ipc.Publish(abi.TopicCompact, abi.CompactRequest{
		CorrelationID: t.awaits, SessionID: t.s.id, Messages: t.messages, MaxTokens: room, TargetTokens: room / 2,
		RequestTopic: t.model.RequestTopic, StreamTopic: t.model.StreamTopic, Model: t.modelName(),
	})
	if errors.Is(err, abi.ErrTooLarge) { // it must do as it is
		return t.generate()
	}
	return err
}

// overflow shortens a conversation that the model has refused as too long, so that it can be asked once more. It tells
// whether it does: not a second time, and not after some of an answer was shown.
func (t *turn) overflow(refused abi.TurnError) (bool, error) {
	if t.refused != nil || t.said.Len() > 0 || len(t.calls) > 0 || len(t.messages) < 2 && !t.dropped || !enginePresent() {
		return false, nil
	}
	t.refused = &refused
	if guess := t.guess; t.model.ContextWindow > guess && guess > 0 {
		// It counts more tokens than was thought, or its window is smaller: what comes next is measured by that.
		scale[t.model.ID] = min(max(float64(t.model.ContextWindow)/float64(guess), t.factor()), maxScale)
	}
	if t.dropped {
		t.shrink = true
		return true, t.reread()
	}
	return true, t.compactTo(t.halved())
}

// halved is the room of a conversation that the model has refused: half of it will be used.
func (t *turn) halved() uint64 {
	room := abi.EstimateAll(t.messages)
	if known := t.room(); known > 0 {
		room = min(room, known)
	}
	return room
}

// handleCompacted goes on with the shorter conversation, and has the session keep it.
func handleCompacted(ctx *sdk.Context, raw json.RawMessage) error {
	var r abi.CompactResponse
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	t := turnOf(ctx, func(t *turn) bool { return t.waits(r.CorrelationID, compacting) })
	if t == nil {
		return nil
	}
	t.usage.InputTokens += r.Usage.InputTokens
	t.usage.OutputTokens += r.Usage.OutputTokens
	t.usage.CostUSD += r.Usage.CostUSD
	total := t.start + len(t.messages) - t.head
	switch {
	case r.Error != "":
		ctx.Warn("The conversation could not be compacted", "session", t.s.id, "error", r.Error)
	case !r.Compacted || len(r.Messages) == 0:
	case r.Kept < 0 || r.Kept > len(r.Messages) || r.Kept > len(t.messages)-t.head:
		ctx.Warn("The compacted conversation does not fit", "session", t.s.id, "kept", r.Kept)
	default:
		t.messages, t.head, t.start, t.size = r.Messages, len(r.Messages)-r.Kept, total-r.Kept, len(raw)
		if err := t.shortened(r); err != nil {
			return t.or(err)
		}
		return t.or(t.proceed())
	}
	if t.refused != nil { // it would be refused again
		return t.failWith(*t.refused)
	}
	return t.or(t.proceed())
}

func (t *turn) shortened(r abi.CompactResponse) error {
	err := ipc.Publish(abi.TopicSessionPrefix+"set_context", abi.SessionContext{
		CorrelationID: newID(), SessionID: t.s.id, Head: t.messages[:t.head], From: t.start,
	})
	if err != nil {
		return err
	}
	return ipc.Publish(abi.TopicTurnCompacted, abi.TurnCompacted{
		SessionID: t.s.id, TurnID: t.id, MessagesRemoved: r.MessagesRemoved,
		TokensBefore: r.TokensBefore, TokensAfter: r.TokensAfter, Strategy: r.Strategy,
	})
}
