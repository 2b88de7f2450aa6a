// Capsule context-engine shortens conversations that have become too long for the model.
package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

var (
	_ = sdk.On("handle_compact", handleCompact)
	_ = sdk.Interceptor("handle_estimate", handleEstimate)
)

func main() {}

func handleEstimate(_ *sdk.Context, payload []byte) (sdk.Verdict, error) {
	var r struct {
		Messages []abi.ChatMessage `json:"messages"`
	}
	if err := json.Unmarshal(payload, &r); err != nil {
		return sdk.Verdict{}, fmt.Errorf("invalid request: %w", err)
	}
	answer := map[string]uint64{"estimated_tokens": abi.EstimateAll(r.Messages)}
	return sdk.Reply(answer), ipc.Publish(abi.TopicTokensEstimated, answer)
}

func handleCompact(ctx *sdk.Context, raw json.RawMessage) error {
	var r abi.CompactRequest
	if err := json.Unmarshal(raw, &r); err != nil {
		var who struct {
			CorrelationID string `json:"correlation_id"`
			SessionID     string `json:"session_id"`
		}
		_ = json.Unmarshal(raw, &who) // as much as can be read
		return ipc.Publish(abi.TopicCompacted, abi.CompactResponse{
			CorrelationID: who.CorrelationID, SessionID: who.SessionID, Error: fmt.Sprintf("invalid request: %v", err),
		})
	}
	resp := compact(ctx, r)
	if err := ipc.Publish(abi.TopicCompacted, resp); err != nil || !resp.Compacted {
		return err
	}
	return ipc.Publish(abi.TopicAfterCompaction, map[string]any{
		"session_id": r.SessionID, "messages_before": len(r.Messages), "messages_after": len(resp.Messages),
		"tokens_before": resp.TokensBefore, "tokens_after": resp.TokensAfter, "strategy_used": resp.Strategy,
	})
}

// compact makes the conversation fit.
func compact(ctx *sdk.Context, r abi.CompactRequest) abi.CompactResponse {
	before := abi.EstimateAll(r.Messages)
	resp := abi.CompactResponse{
		CorrelationID: r.CorrelationID, SessionID: r.SessionID, Messages: r.Messages, Kept: len(r.Messages),
		TokensBefore: before, TokensAfter: before, Strategy: "skipped",
	}
	target := min(r.TargetTokens, r.MaxTokens)
	if before <= target || target == 0 {
		return resp
	}
	wishes := askBefore(ctx, r, before)
	if wishes.skip {
		return resp
	}
	p := divide(r.Messages, target, number("keep_recent", 4), wishes.pinned)
	summary, strategy := "", "truncate"
	if len(p.old) > 0 {
		summary, strategy = summarize(ctx, r, p.old, summaryTokens(target), &resp.Usage)
	}
	resp.Messages = p.join(summary)
	squeeze(resp.Messages, target)
	resp.Kept = same(r.Messages, resp.Messages)
	resp.Compacted, resp.Strategy = true, strategy
	resp.MessagesRemoved = len(p.old)
	resp.TokensAfter = abi.EstimateAll(resp.Messages)
	return resp
}

// number reads a number of the settings.
func number(key string, fallback int) int {
	if n, err := strconv.Atoi(env.Get(key)); err == nil && n > 0 {
		return n
	}
	return fallback
}
