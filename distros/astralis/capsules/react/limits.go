package main

import (
	"fmt"
	"strconv"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

// reached is a limit that a turn has reached.
type reached struct{ reason, text string }

// exceeded tells which limit keeps the turn from asking the model again.
func (t *turn) exceeded() *reached {
	rounds := t.limits.MaxTurns
	if rounds <= 0 {
		rounds = setting("max_iterations", 25)
	}
	secs := t.limits.TimeoutSecs
	if secs <= 0 {
		secs = setting("turn_timeout_secs", 0)
	}
	switch max := t.limits.MaxCostUSD; {
	case t.iterations >= rounds:
		return &reached{abi.StopIterations, fmt.Sprintf("Stopped: ReAct loop exceeded maximum of %d iterations.", rounds)}
	case max > 0 && t.usage.CostUSD >= max:
		return &reached{abi.StopCost, fmt.Sprintf("Stopped: the turn has cost $%.4f of at most $%.4f.", t.usage.CostUSD, max)}
	case secs > 0 && now()-t.began >= int64(secs)*1000:
		return &reached{abi.StopTime, fmt.Sprintf("Stopped: the turn has taken its %d seconds.", secs)}
	}
	return nil
}

// stopAt ends a turn at a limit before the tools that the model asked for have run.
func (t *turn) stopAt(l *reached, said string) error {
	t.final, t.stop, t.calls = l.text, l.reason, nil
	text := l.text
	if said != "" {
		text = said + "\n\n" + l.text
	}
	t.enter(saving, newID())
	return t.append(abi.TextMessage(abi.RoleAssistant, text))
}

// maxSteered is how many messages may wait to be taken into a turn.
const maxSteered = 16

// maxSteeredBytes is how much text they may be together: it is stored at once.
const maxSteeredBytes = 2 << 20

// steer takes a message of the person into the running turn: the next request has it.
func (t *turn) steer(text string) error {
	if len(t.steered) >= maxSteered {
		return newTurn(t.s, "", text).fail("limit", fmt.Sprintf("%d messages wait for the model already", maxSteered))
	}
	bytes := len(text)
	for _, s := range t.steered {
		bytes += len(s)
	}
	if bytes > maxSteeredBytes && len(t.steered) > 0 {
		return newTurn(t.s, "", text).fail("limit", "more text than "+strconv.Itoa(maxSteeredBytes>>20)+" MiB waits for the model already")
	}
	if t.stop != "" { // the answer is being stored: this is for a turn of its own
		t.s.queue = append(t.s.queue, newTurn(t.s, "", text))
		return nil
	}
	t.steered = append(t.steered, text)
	return ipc.Publish(abi.TopicTurnSteered, abi.TurnSteered{SessionID: t.s.id, TurnID: t.id, Text: text})
}

// takeSteered returns what waits, as messages.
func (t *turn) takeSteered() []abi.ChatMessage {
	var out []abi.ChatMessage
	for _, text := range t.steered {
		out = append(out, abi.TextMessage(abi.RoleUser, text))
	}
	t.steered = nil
	return out
}
