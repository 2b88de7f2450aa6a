package kernel

import (
	"encoding/json"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// failureAnswer makes the answer that a request is owed when its handler failed, and the
// topic it belongs on. It goes by the request's record, not by what the request means.
func failureAnswer(capsuleID string, m *ipc.Message, err error) (abi.TaggedPayload, string, bool) {
	text := "capsule '" + capsuleID + "' failed: " + firstLine(err.Error())
	switch m.Payload.Tag() {
	case abi.TagToolExecuteRequest:
		var req abi.ToolExecuteRequest
		if json.Unmarshal(m.Payload.Tagged(), &req) != nil {
			return nil, "", false
		}
		return abi.ToolExecuteResult{
			CallID: req.CallID,
			Result: abi.ToolCallResult{CallID: req.CallID, Content: text, IsError: true},
		}, m.Topic + ".result", true
	case abi.TagLlmRequest:
		provider, ok := strings.CutPrefix(m.Topic, abi.TopicGeneratePrefix)
		var req abi.LlmRequest
		if !ok || json.Unmarshal(m.Payload.Tagged(), &req) != nil {
			return nil, "", false
		}
		return abi.LlmStreamEvent{
			RequestID: req.RequestID, Event: abi.StreamEvent{Error: &text}, Failure: &abi.LlmFailure{Kind: abi.LlmServer},
		}, abi.TopicStreamPrefix + provider, true
	}
	return nil, "", false
}

// firstLine keeps stack traces out of answers; the log has them.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
