// Capsule react, as an echo: whoever speaks to an agent loop cannot tell the difference.
package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

var (
	_ = sdk.On("handle_user_prompt", prompt)
	_ = sdk.On("handle_session_messages", stored)
)

func main() {}

// prompt stores what was said. The answer to that carries the turn's id.
func prompt(_ *sdk.Context, in abi.UserInput) error {
	var c abi.InputContext
	if err := json.Unmarshal(in.Context, &c); err != nil {
		return err
	}
	return ipc.Publish(abi.TopicSessionGet, abi.SessionMessagesRequest{
		SessionID: in.SessionID, CorrelationID: "echo-" + c.TurnID,
		AppendBeforeRead: []abi.ChatMessage{abi.TextMessage(abi.RoleUser, in.Text)},
	})
}

// stored answers.
func stored(ctx *sdk.Context, r abi.SessionMessages) error {
	turn, mine := strings.CutPrefix(r.CorrelationID, "echo-")
	if !mine || len(r.Messages) == 0 {
		return nil
	}
	last := r.Messages[len(r.Messages)-1].Content.Text
	session := ctx.Session()
	if err := ipc.Publish(abi.TopicTurnStarted, abi.TurnStarted{SessionID: session, TurnID: turn}); err != nil {
		return err
	}
	if err := ipc.Publish(abi.TopicTurnCompleted, abi.TurnCompleted{SessionID: session, TurnID: turn, StopReason: abi.StopEndTurn}); err != nil {
		return err
	}
	return ipc.PublishTagged(abi.TopicAgentResponse, abi.AgentResponse{
		Text: fmt.Sprintf("echo %d: %s", len(r.Messages), last), IsFinal: true, SessionID: session, TurnID: turn,
	})
}
