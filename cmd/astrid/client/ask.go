package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
)

// askTimeout bounds a question whose context has no deadline.
const askTimeout = 30 * time.Second

// AskSessions sends a request of [abi.TopicSessionPrefix] and returns the answer. See [Ask].
func AskSessions[T any](ctx context.Context, c *Conn, verb string, request any) (T, error) {
	var none T
	correlation := uuid.NewString()
	fields, err := asFields(request)
	if err != nil {
		return none, err
	}
	fields["correlation_id"], _ = json.Marshal(correlation) // a string always encodes
	answer, err := Ask[T](ctx, c, abi.TopicSessionPrefix+verb, abi.TopicSessionResponsePrefix+verb+"."+correlation, fields)
	if err != nil {
		return none, fmt.Errorf("session %s: %w", verb, err)
	}
	return answer, nil
}

// Ask publishes a request and returns the first message on another topic. It replaces what the
// connection is subscribed to, and messages that arrive in between are dropped: use a
// connection of its own.
func Ask[T any](ctx context.Context, c *Conn, topic, answerTopic string, request any) (T, error) {
	var answer T
	if _, own := ctx.Deadline(); !own {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("nobody answered within %s", askTimeout))
		defer cancel()
	}
	if err := c.Subscribe(ctx, abi.ClientSubscribe{Topics: []string{answerTopic}, Sessions: []string{"*"}}); err != nil {
		return answer, err
	}
	if err := c.Publish(ctx, topic, "", "", request); err != nil {
		return answer, err
	}
	for {
		select {
		case <-ctx.Done():
			return answer, context.Cause(ctx)
		case m, ok := <-c.in:
			if !ok {
				return answer, c.Err()
			}
			if m.Topic == answerTopic {
				return answer, decodeAnswer(m.Payload, &answer)
			}
		}
	}
}

func asFields(request any) (map[string]json.RawMessage, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	fields := map[string]json.RawMessage{}
	return fields, json.Unmarshal(b, &fields)
}

// decodeAnswer decodes a payload, or what is in it when it is a custom one. An answer that
// consists of an error is that error.
func decodeAnswer(payload json.RawMessage, into any) error {
	var custom struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(payload, &custom); err != nil {
		return err
	}
	if custom.Type == abi.TagCustom {
		payload = custom.Data
	}
	var failed struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(payload, &failed) == nil && failed.Error != "" {
		return errors.New(failed.Error)
	}
	return json.Unmarshal(payload, into)
}
