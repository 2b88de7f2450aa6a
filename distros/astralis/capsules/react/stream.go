package main

import (
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

// handleStream takes one event of the model.
func handleStream(ctx *sdk.Context, m abi.LlmStreamEvent) error {
	t := turnOf(ctx, func(t *turn) bool { return t.waits(m.RequestID, streaming) })
	if t == nil {
		return nil // of a turn that is over
	}
	t.since = now()
	switch e := m.Event; {
	case e.TextDelta != nil:
		t.said.WriteString(*e.TextDelta)
		return ipc.Publish(abi.TopicAgentDelta, abi.TextDelta{SessionID: t.s.id, TurnID: t.id, Text: *e.TextDelta})
	case e.ReasoningDelta != nil:
		return ipc.Publish(abi.TopicAgentReasoning, abi.TextDelta{SessionID: t.s.id, TurnID: t.id, Text: *e.ReasoningDelta})
	case e.ToolCallStart != nil:
		t.calls = append(t.calls, &call{ToolCall: abi.ToolCall{ID: e.ToolCallStart.ID, Name: e.ToolCallStart.Name}})
	case e.ToolCallDelta != nil:
		if c := t.call(e.ToolCallDelta.ID); c != nil {
			c.args.WriteString(e.ToolCallDelta.ArgsDelta)
		}
	case e.Usage != nil:
		t.usage.InputTokens += e.Usage.InputTokens - t.round.InputTokens
		t.usage.OutputTokens += e.Usage.OutputTokens - t.round.OutputTokens
		t.round = *e.Usage // providers repeat it: only the last one of a round counts
	case e.Error != nil:
		return t.fail("provider", *e.Error)
	case e.Done:
		return t.or(t.done())
	}
	return nil
}

// call finds the newest call with that id: some models repeat ids within one answer.
func (t *turn) call(id string) *call {
	for i := len(t.calls) - 1; i >= 0; i-- {
		if t.calls[i].ID == id {
			return t.calls[i]
		}
	}
	return nil
}

// done goes on with the tools the model wants, or ends the turn with what it said.
func (t *turn) done() error {
	if len(t.calls) > 0 {
		return t.runTools()
	}
	t.final, t.stop = t.said.String(), abi.StopEndTurn
	if t.final == "" {
		return t.fail("provider", "the model gave an empty answer")
	}
	t.enter(saving, newID())
	return t.append(abi.TextMessage(abi.RoleAssistant, t.final))
}

// runTools sends all calls of the round at once.
func (t *turn) runTools() error {
	t.enter(tools, "")
	seen := make(map[string]bool)
	for _, c := range t.calls {
		if c.ID == "" || seen[c.ID] || t.taken(c.ID) { // results are told apart by the id
			c.ID = newID()
		}
		seen[c.ID] = true
		c.Arguments = c.arguments()
		c.began = now()
	}
	t.toolCalls += len(t.calls)
	for _, c := range t.calls {
		if err := ipc.Publish(abi.TopicToolStarted, abi.ToolStarted{SessionID: t.s.id, TurnID: t.id, ToolCall: c.ToolCall}); err != nil {
			return err
		}
		err := ipc.PublishTagged(abi.TopicToolRequest, abi.ToolExecuteRequest{CallID: c.ID, ToolName: c.Name, Arguments: c.Arguments})
		if err != nil {
			return fmt.Errorf("dispatch tool %s: %w", c.Name, err)
		}
	}
	return nil
}

// handleToolResult goes on with the model when all tools of the round have answered.
func handleToolResult(ctx *sdk.Context, r abi.ToolExecuteResult) error {
	t := turnOf(ctx, func(t *turn) bool { return t.phase == tools && t.call(r.CallID) != nil })
	if t == nil {
		delete(abandoned, sessionOf(ctx, "").callName(r.CallID))
		return nil
	}
	c := t.call(r.CallID)
	if c.result != nil {
		return nil
	}
	r.Result.CallID = r.CallID
	c.result = &r.Result
	t.since = now()
	err := ipc.Publish(abi.TopicToolCompleted, abi.ToolCompleted{
		SessionID: t.s.id, TurnID: t.id, Name: c.Name, DurationMs: now() - c.began, ToolCallResult: r.Result,
	})
	if err != nil {
		return t.or(err)
	}
	for _, c := range t.calls {
		if c.result == nil {
			return nil
		}
	}
	return t.or(t.nextRound())
}

// nextRound stores the calls with their results; the answer to that starts the next request.
func (t *turn) nextRound() error {
	t.iterations++
	var round []abi.ChatMessage
	if text := t.said.String(); text != "" {
		round = append(round, abi.TextMessage(abi.RoleAssistant, text))
	}
	asked := abi.ChatMessage{Role: abi.RoleAssistant}
	for _, c := range t.calls {
		asked.Content.Calls = append(asked.Content.Calls, c.ToolCall)
	}
	round = append(round, asked)
	for _, c := range t.calls {
		round = append(round, abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{Result: c.result}})
	}
	if limit := setting("max_iterations", 25); t.iterations >= limit {
		t.final = fmt.Sprintf("Stopped: ReAct loop exceeded maximum of %d iterations.", limit)
		// The round has had its effects, so the model must know of it when it is asked again.
		t.stop = abi.StopIterations
		round = append(round, abi.TextMessage(abi.RoleAssistant, t.final))
	}
	t.enter(saving, newID())
	return t.append(round...)
}
