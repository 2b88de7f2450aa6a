package main

import (
	"encoding/json"
	"fmt"
	"strings"

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
		t.usage.CostUSD += e.Usage.CostUSD - t.round.CostUSD
		t.round = *e.Usage // providers repeat it: only the last one of a round counts
	case e.Error != nil:
		t.answered = true
		failure := abi.TurnError{Kind: "provider", Message: *e.Error, Failure: m.Failure}
		if m.Failure != nil && m.Failure.Kind == abi.LlmContext {
			if again, err := t.overflow(failure); again {
				return t.or(err)
			}
		}
		return t.failWith(failure)
	case e.Done:
		t.answered, t.refused = true, nil
		t.learn()
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

// done goes on with the tools the model wants, takes in what was said meanwhile, or ends the
// turn with the answer.
func (t *turn) done() error {
	said := t.said.String()
	if l := t.exceeded(); l != nil && (len(t.calls) > 0 || len(t.steered) > 0) {
		return t.stopAt(l, said)
	}
	switch {
	case len(t.calls) > 0:
		return t.runTools()
	case said == "":
		return t.fail("provider", "the model gave an empty answer")
	case len(t.steered) > 0:
		t.enter(saving, newID())
		return t.append(append([]abi.ChatMessage{abi.TextMessage(abi.RoleAssistant, said)}, t.takeSteered()...)...)
	}
	t.final, t.stop = said, abi.StopEndTurn
	t.enter(saving, newID())
	return t.append(abi.TextMessage(abi.RoleAssistant, said))
}

// shellTool is the tool that runs a person's command.
const shellTool = "run_shell_command"

// runCommand calls the shell as a model would have, where the person is.
func (t *turn) runCommand() error {
	a := struct {
		Command   string `json:"command"`
		Directory string `json:"directory,omitempty"`
	}{Command: t.command}
	if sub, below := strings.CutPrefix(t.directory, strings.TrimSuffix(t.s.workspace, "/")+"/"); below {
		a.Directory = sub
	}
	args, err := json.Marshal(a)
	if err != nil {
		return err
	}
	c := &call{ToolCall: abi.ToolCall{ID: newID(), Name: shellTool}}
	c.args.Write(args)
	t.calls = []*call{c}
	return t.runTools()
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
	// From here on there are effects: a restart must not ask the model for them again.
	if err := t.keep(); err != nil {
		return err
	}
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
	t.bound()
	t.since = now()
	err := ipc.Publish(abi.TopicToolCompleted, abi.ToolCompleted{
		SessionID: t.s.id, TurnID: t.id, Name: c.Name, DurationMs: now() - c.began, ToolCallResult: *c.result,
	})
	if err != nil {
		return t.or(err)
	}
	if len(t.open()) == 0 {
		return t.or(t.nextRound())
	}
	if now()-c.began >= worthKeeping {
		return t.or(t.keep())
	}
	return nil
}

// worthKeeping is how long a tool must have run, in ms, for its result to be kept at once: others may run on
// for long, and what was quick can be done again.
const worthKeeping = 1000

// roundMessages are the round's text, calls and results. Calls without a result get one.
func (t *turn) roundMessages(missing string) []abi.ChatMessage {
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
		r := c.result
		if r == nil {
			r = &abi.ToolCallResult{CallID: c.ID, Content: missing, IsError: true}
		}
		round = append(round, abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{Result: r}})
	}
	return round
}

// nextRound stores the calls with their results, and what was said meanwhile; the answer to that
// starts the next request.
func (t *turn) nextRound() error {
	t.iterations++
	t.enter(saving, newID())
	round := t.roundMessages("")
	if t.command != "" { // its result has been told
		t.stop = abi.StopEndTurn
		return t.append(round...)
	}
	if l := t.exceeded(); l != nil {
		// The round has had its effects, so the model must know of it when it is asked again.
		t.final, t.stop = l.text, l.reason
		return t.append(append(round, abi.TextMessage(abi.RoleAssistant, t.final))...)
	}
	return t.append(append(round, t.takeSteered()...)...)
}
