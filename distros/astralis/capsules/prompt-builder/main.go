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
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/hooks"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

var _ = sdk.On("handle_assemble", handleAssemble)

func main() {}

// historyTimeout bounds the request to the session capsule.
const historyTimeout = 5 * time.Second

type request struct {
	Messages     []abi.ChatMessage `json:"messages"`
	SystemPrompt string            `json:"system_prompt"`
	RequestID    string            `json:"request_id"`
	SessionID    string            `json:"session_id"`
	Model        string            `json:"model"`
	Provider     string            `json:"provider"`
}

type response struct {
	SystemPrompt      string                  `json:"system_prompt"`
	UserContextPrefix string                  `json:"user_context_prefix"`
	RequestID         string                  `json:"request_id"`
	SessionID         string                  `json:"session_id,omitempty"`
	Tools             []abi.LlmToolDefinition `json:"tools,omitempty"`
	Messages          []abi.ChatMessage       `json:"messages,omitempty"`
}

func handleAssemble(ctx *sdk.Context, raw json.RawMessage) error {
	var r request
	var resp *response
	err := json.Unmarshal(raw, &r)
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
	if len(resp.Messages) == 0 && r.SessionID != "" {
		if resp.Messages, err = history(r.SessionID, r.RequestID); err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
	}
	return resp, nil
}

// tools lists the tools of all capsules; of one name, the first counts.
func tools() ([]abi.LlmToolDefinition, error) {
	answers, err := hooks.Collect[abi.ToolsDescription](abi.TopicDescribeTools, struct{}{})
	if err != nil {
		return nil, err
	}
	var defs []abi.LlmToolDefinition
	for _, a := range answers {
		for _, t := range a.Tools {
			if t.Name == "" || slices.ContainsFunc(defs, func(d abi.LlmToolDefinition) bool { return d.Name == t.Name }) {
				continue
			}
			schema := t.InputSchema
			if len(schema) == 0 {
				schema = json.RawMessage(`{"type":"object"}`)
			}
			d := abi.LlmToolDefinition{Name: t.Name, InputSchema: schema}
			if t.Description != "" {
				d.Description = &t.Description
			}
			defs = append(defs, d)
		}
	}
	return defs, nil
}

func history(session, requestID string) ([]abi.ChatMessage, error) {
	id := "pb-" + requestID
	m, err := ipc.Request(abi.TopicSessionGet, map[string]string{"session_id": session, "correlation_id": id}, abi.TopicSessionGetResponse+id, historyTimeout)
	if err != nil {
		return nil, err
	}
	r, err := ipc.Decode[struct {
		Messages []abi.ChatMessage `json:"messages"`
		Error    string            `json:"error"`
	}](m)
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	return r.Messages, err
}
