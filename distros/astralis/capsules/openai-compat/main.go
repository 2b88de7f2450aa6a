// Capsule openai-compat is a provider for every server that speaks OpenAI's Chat
// Completions API. It streams the answer as it comes, and ends each request with exactly
// one Done or one Error.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

const providerID = "openai-compat"

var (
	_ = sdk.Interceptor("llm_describe", describe)
	_ = sdk.On("handle_llm_request", handleRequest)
)

func main() {}

func describe(*sdk.Context, []byte) (sdk.Verdict, error) {
	return sdk.Reply(map[string][]abi.ProviderDescription{"providers": {{
		ID:              providerID,
		Description:     fmt.Sprintf("OpenAI-compatible provider (default model: %s)", env.Get("model")),
		RequestTopic:    abi.TopicGeneratePrefix + providerID,
		StreamTopic:     abi.TopicStreamPrefix + providerID,
		Capabilities:    []string{"text", "vision", "tools"},
		ContextWindow:   number("context_window", 128000),
		MaxOutputTokens: number("max_output_tokens", 8192),
	}}}), nil
}

func number(key string, fallback uint64) uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(env.Get(key)), 10, 64)
	if err != nil {
		return fallback
	}
	return n
}

func handleRequest(ctx *sdk.Context, raw json.RawMessage) error {
	var r abi.LlmRequest
	undecodable := json.Unmarshal(raw, &r)
	if undecodable != nil && r.RequestID == "" {
		return undecodable // nobody could be told
	}
	emit := func(e abi.StreamEvent) error {
		return ipc.PublishTagged(abi.TopicStreamPrefix+providerID, abi.LlmStreamEvent{RequestID: r.RequestID, Event: e})
	}
	err := undecodable
	if err == nil {
		err = generate(ctx, &r, emit)
	}
	var gone *publishError
	switch {
	case err == nil:
		return emit(abi.StreamEvent{Done: true})
	case errors.As(err, &gone):
		return err // the bus refused an event: it would refuse the next one too
	}
	text := err.Error()
	return emit(abi.StreamEvent{Error: &text})
}

// publishError is a failure to hand an event on, as opposed to one of the server.
type publishError struct{ err error }

func (e *publishError) Error() string { return e.err.Error() }
func (e *publishError) Unwrap() error { return e.err }
