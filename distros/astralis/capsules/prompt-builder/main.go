// Capsule prompt-builder puts the system prompt together: it asks the capsules that want
// to contribute, merges what they say, and lists the tools.
//
// Contributors are asked by a hook, which returns when all of them have run. So there is
// no window to wait for: none of them, or a slow one, costs exactly what it takes.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/hooks"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

var _ = sdk.On("handle_assemble", handleAssemble)

func main() {}

// historyTimeout bounds the request to the session capsule.
const historyTimeout = 5 * time.Second

func handleAssemble(ctx *sdk.Context, raw json.RawMessage) error {
	var r request
	var resp *response
	err := r.UnmarshalJSON(raw)
	if err != nil {
		err = fmt.Errorf("invalid request: %w", err)
	} else {
		resp, err = assemble(ctx, r)
	}
	if err != nil {
		return ipc.Publish(abi.TopicAssembled, map[string]string{"error": err.Error(), "request_id": r.RequestID, "session_id": r.SessionID})
	}
	if err := ipc.Publish(abi.TopicAssembled, resp); err != nil {
		return err
	}
	return ipc.Publish(abi.TopicAfterBuild, map[string]string{
		"system_prompt": resp.SystemPrompt, "user_context_prefix": resp.UserContextPrefix, "request_id": r.RequestID,
	})
}

func assemble(ctx *sdk.Context, r request) (*response, error) {
	if r.RequestID == "" {
		return nil, fmt.Errorf("missing request_id")
	}
	said, err := contributions(ctx, r)
	if err != nil {
		return nil, err
	}
	resp := &response{RequestID: r.RequestID, SessionID: r.SessionID, Messages: r.Messages}
	resp.SystemPrompt, resp.UserContextPrefix = merge(r.SystemPrompt, said)
	if resp.Tools, err = tools(); err != nil {
		return nil, fmt.Errorf("tools: %w", err)
	}
	if empty(resp.Messages) && r.SessionID != "" {
		if resp.Messages, err = history(r.SessionID, r.RequestID); err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
	}
	return resp, nil
}

// tools lists the tools of all capsules; of one name, the first counts.
func tools() ([]abi.LlmToolDefinition, error) {
	answers, err := hooks.Trigger(abi.TopicDescribeTools, struct{}{})
	if err != nil {
		return nil, err
	}
	var defs []abi.LlmToolDefinition
	for _, a := range answers {
		for _, t := range described(a) {
			if t.Name == "" || slices.ContainsFunc(defs, func(d abi.LlmToolDefinition) bool { return d.Name == t.Name }) {
				continue
			}
			if len(t.InputSchema) == 0 {
				t.InputSchema = json.RawMessage(`{"type":"object"}`)
			}
			if t.Description != nil && *t.Description == "" {
				t.Description = nil
			}
			defs = append(defs, t)
		}
	}
	return defs, nil
}

// described reads an [abi.ToolsDescription]. What is none is passed over: one capsule's mistake must
// not hide what the others said.
func described(answer json.RawMessage) (found []abi.LlmToolDefinition) {
	err := rawjson.Object(answer, func(name string, value json.RawMessage) (err error) {
		if name == "tools" {
			found, err = abi.DecodeTools(value)
		}
		return err
	})
	if err != nil {
		return nil
	}
	return found
}

func history(session, requestID string) (json.RawMessage, error) {
	id := "pb-" + requestID
	m, err := ipc.Request(abi.TopicSessionGet, map[string]string{"session_id": session, "correlation_id": id}, abi.TopicSessionGetResponse+id, historyTimeout)
	if err != nil {
		return nil, err
	}
	r, err := ipc.Decode[struct {
		Messages json.RawMessage `json:"messages"`
		Error    string          `json:"error"`
	}](m)
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	return r.Messages, err
}
