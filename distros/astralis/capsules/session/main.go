// Capsule session keeps the messages of each session, in the order they were appended.
// An append is stored durably before its reply is published.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

var (
	_ = sdk.On("handle_append", handleAppend)
	_ = sdk.On("handle_get_messages", handleGetMessages)
	_ = sdk.On("handle_clear", handleClear)
)

func main() {}

type appendRequest struct {
	SessionID string            `json:"session_id"`
	Messages  []abi.ChatMessage `json:"messages"`
}

func handleAppend(_ *sdk.Context, r appendRequest) error {
	return store(idOr(r.SessionID), r.Messages)
}

type getRequest struct {
	SessionID        string          `json:"session_id"`
	CorrelationID    string          `json:"correlation_id"`
	AppendBeforeRead json.RawMessage `json:"append_before_read"`
}

type getResponse struct {
	CorrelationID string            `json:"correlation_id"`
	Messages      []abi.ChatMessage `json:"messages"`
	Error         string            `json:"error,omitempty"` // why there are no messages
}

func handleGetMessages(_ *sdk.Context, r getRequest) error {
	if err := checkCorrelation(r.CorrelationID); err != nil {
		return err // there is no topic to answer on
	}
	resp := getResponse{CorrelationID: r.CorrelationID}
	messages, err := appendAndLoad(idOr(r.SessionID), r.AppendBeforeRead)
	if err != nil {
		resp.Error = err.Error()
	}
	resp.Messages = messages
	if resp.Messages == nil {
		resp.Messages = []abi.ChatMessage{}
	}
	sent := ipc.Publish(abi.TopicSessionGetResponse+r.CorrelationID, resp)
	if sent != nil && err == nil { // too much for one message, most likely: whoever waits must know
		err = fmt.Errorf("session %s: the history of %d messages could not be sent, start a new session: %w", idOr(r.SessionID), len(messages), sent)
		sent = ipc.Publish(abi.TopicSessionGetResponse+r.CorrelationID, getResponse{
			CorrelationID: r.CorrelationID, Messages: []abi.ChatMessage{}, Error: err.Error(),
		})
	}
	return errors.Join(err, sent)
}

func appendAndLoad(id string, extra json.RawMessage) ([]abi.ChatMessage, error) {
	if len(extra) > 0 {
		var messages []abi.ChatMessage
		if err := json.Unmarshal(extra, &messages); err != nil {
			return nil, fmt.Errorf("failed to parse messages: %w", err)
		}
		if err := store(id, messages); err != nil {
			return nil, err
		}
	}
	return load(id)
}

type clearRequest struct {
	SessionID     string `json:"session_id"`
	CorrelationID string `json:"correlation_id"`
}

type clearResponse struct {
	CorrelationID string `json:"correlation_id"`
	NewSessionID  string `json:"new_session_id"`
	OldSessionID  string `json:"old_session_id"`
}

// handleClear starts a new session whose parent is the old one; the old one stays.
func handleClear(_ *sdk.Context, r clearRequest) error {
	if err := checkCorrelation(r.CorrelationID); err != nil {
		return err
	}
	old := idOr(r.SessionID)
	id, err := newSession(old)
	if err != nil {
		return err
	}
	return ipc.Publish(abi.TopicSessionClearResponse+r.CorrelationID,
		clearResponse{CorrelationID: r.CorrelationID, NewSessionID: id, OldSessionID: old})
}

func idOr(id string) string {
	if id == "" {
		return "default"
	}
	return id
}

// checkCorrelation refuses ids that would not be one segment of the reply's topic.
func checkCorrelation(id string) error {
	if id == "" || strings.Contains(id, ".") {
		return fmt.Errorf("correlation_id %q must not be empty or contain dots", id)
	}
	return nil
}
