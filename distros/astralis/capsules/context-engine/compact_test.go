package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func ask(t *testing.T, h *sdktest.Host, r abi.CompactRequest) abi.CompactResponse {
	t.Helper()
	h.Forget()
	r.CorrelationID, r.SessionID = "c", "session"
	h.Call("handle_compact", r)
	all := h.Published(abi.TopicCompacted)
	var resp abi.CompactResponse
	if len(all) != 1 || json.Unmarshal(all[0], &resp) != nil || resp.CorrelationID != "c" || resp.SessionID != "session" {
		t.Fatalf("%s", all)
	}
	return resp
}

// rounds is a conversation of n rounds: a prompt, parallel calls with results of about size bytes, an answer.
func rounds(n, size int) []abi.ChatMessage {
	var ms []abi.ChatMessage
	for i := range n {
		ms = append(ms, abi.TextMessage(abi.RoleUser, fmt.Sprintf("prompt %d", i)))
		calls := abi.ChatMessage{Role: abi.RoleAssistant}
		for j := range 3 {
			calls.Content.Calls = append(calls.Content.Calls, abi.ToolCall{ID: fmt.Sprintf("c%d-%d", i, j), Name: "look", Arguments: json.RawMessage(`{"at":"x"}`)})
		}
		ms = append(ms, calls)
		for j := range 3 {
			ms = append(ms, abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{Result: &abi.ToolCallResult{CallID: fmt.Sprintf("c%d-%d", i, j), Content: strings.Repeat("r", size)}}})
		}
		ms = append(ms, abi.TextMessage(abi.RoleAssistant, fmt.Sprintf("answer %d", i)))
	}
	return ms
}

// whole fails when calls are without results, or results without calls.
func whole(t *testing.T, ms []abi.ChatMessage) {
	t.Helper()
	open := map[string]bool{}
	for i, m := range ms {
		if r := m.Content.Result; r != nil {
			if !open[r.CallID] {
				t.Fatalf("message %d: result %s is not of the calls before it", i, r.CallID)
			}
			delete(open, r.CallID)
			continue
		}
		if len(open) > 0 {
			t.Fatalf("message %d comes before results of %v", i, open)
		}
		for _, c := range m.Content.Calls {
			open[c.ID] = true
		}
	}
	if len(open) > 0 {
		t.Fatalf("no results of %v", open)
	}
}

// A conversation ten times too long fits, what belongs together stays so, and the end is kept.
func TestTenWindows(t *testing.T) {
	h := sdktest.New(t)
	ms := rounds(120, 400)
	ms = append(ms, abi.TextMessage(abi.RoleUser, "and now?"))
	all := abi.EstimateAll(ms)
	r := ask(t, h, abi.CompactRequest{Messages: ms, MaxTokens: all / 10, TargetTokens: all / 20})
	whole(t, r.Messages)
	if !r.Compacted || r.TokensAfter > all/20 || r.TokensAfter != abi.EstimateAll(r.Messages) || r.TokensBefore != all || r.Strategy != "truncate" {
		t.Errorf("%+v", r.TokensAfter)
	}
	last := r.Messages[len(r.Messages)-1]
	if last.Content.Text != "and now?" || r.Kept < 6 || !strings.HasPrefix(r.Messages[0].Content.Text, summaryHead) || !strings.Contains(r.Messages[0].Content.Text, "prompt 0") {
		t.Errorf("kept %d, begins %q", r.Kept, r.Messages[0].Content.Text)
	}
	if r.MessagesRemoved+len(r.Messages)-1 != len(ms) {
		t.Errorf("%d removed of %d, %d left", r.MessagesRemoved, len(ms), len(r.Messages))
	}
	if e := h.Published(abi.TopicAfterCompaction); len(e) != 1 {
		t.Errorf("%s", e)
	}
	whole(t, r.Messages[len(r.Messages)-r.Kept:])
}

// Whatever the conversation is like, what comes out is whole and small enough.
func TestAnyConversation(t *testing.T) {
	h := sdktest.New(t)
	for seed := range 60 {
		rnd := rand.New(rand.NewSource(int64(seed)))
		var ms []abi.ChatMessage
		for range 1 + rnd.Intn(12) {
			ms = append(ms, rounds(1, 1<<rnd.Intn(16))...)
			ms = append(ms, abi.TextMessage(abi.RoleUser, strings.Repeat("ä", rnd.Intn(20_000))))
		}
		if rnd.Intn(2) == 0 {
			ms = ms[:len(ms)-2]
		}
		target := uint64(3000 + rnd.Intn(3000))
		r := ask(t, h, abi.CompactRequest{Messages: ms, MaxTokens: 2 * target, TargetTokens: target})
		whole(t, r.Messages)
		if r.TokensAfter > target && r.Compacted {
			t.Errorf("seed %d: %d tokens, wanted %d", seed, r.TokensAfter, target)
		}
		a, _ := json.Marshal(ms[len(ms)-r.Kept:])
		b, _ := json.Marshal(r.Messages[len(r.Messages)-r.Kept:])
		if string(a) != string(b) {
			t.Errorf("seed %d: what is kept was changed", seed)
		}
		// Once more gives the same.
		if again := ask(t, h, abi.CompactRequest{Messages: r.Messages, MaxTokens: 2 * target, TargetTokens: target}); r.Compacted && again.Compacted {
			t.Errorf("seed %d: compacted twice", seed)
		}
	}
}

func TestShortIsLeftAlone(t *testing.T) {
	h := sdktest.New(t)
	ms := rounds(2, 10)
	r := ask(t, h, abi.CompactRequest{Messages: ms, MaxTokens: 10_000, TargetTokens: 5_000})
	if r.Compacted || r.Strategy != "skipped" || len(r.Messages) != len(ms) || len(h.Published(abi.TopicAfterCompaction)) != 0 {
		t.Errorf("%+v", r)
	}
}

func model(h *sdktest.Host, say func(r abi.LlmRequest) []abi.StreamEvent) *[]abi.LlmRequest {
	var asked []abi.LlmRequest
	h.OnPublish("llm.v1.request.generate.m", func(m abi.Message) {
		var r abi.LlmRequest
		if json.Unmarshal(m.Payload, &r) != nil {
			return
		}
		asked = append(asked, r)
		other := "of another"
		h.Deliver("llm.v1.stream.m", raw(abi.LlmStreamEvent{RequestID: "x", Event: abi.StreamEvent{TextDelta: &other}}))
		for _, e := range say(r) {
			h.Deliver("llm.v1.stream.m", raw(abi.LlmStreamEvent{RequestID: r.RequestID, Event: e}))
		}
	})
	return &asked
}

func raw(e abi.LlmStreamEvent) json.RawMessage {
	b, err := abi.MarshalPayload(e)
	if err != nil {
		panic(err)
	}
	return b
}

func TestModelSummary(t *testing.T) {
	h := sdktest.New(t)
	text := "they talked"
	asked := model(h, func(abi.LlmRequest) []abi.StreamEvent {
		return []abi.StreamEvent{{TextDelta: &text}, {Usage: &abi.Usage{InputTokens: 5, OutputTokens: 2, CostUSD: 0.1}}, {Done: true}}
	})
	ms := rounds(60, 3000)
	req := abi.CompactRequest{Messages: ms, MaxTokens: 12_000, TargetTokens: 6_000, RequestTopic: "llm.v1.request.generate.m", StreamTopic: "llm.v1.stream.m"}
	r := ask(t, h, req)
	if r.Strategy != "summarize" || r.Messages[0].Content.Text != summaryHead+text || r.Usage.CostUSD != 0.1 || r.Usage.InputTokens != 5 {
		t.Errorf("%s %+v %q", r.Strategy, r.Usage, r.Messages[0].Content.Text)
	}
	// What is asked fits the window, once.
	if len(*asked) != 1 || abi.EstimateAll((*asked)[0].Messages) > 12_000 || len((*asked)[0].Tools) != 0 {
		t.Errorf("%d requests of %d tokens", len(*asked), abi.EstimateAll((*asked)[0].Messages))
	}
	// The next one builds on it.
	r = ask(t, h, abi.CompactRequest{Messages: append(r.Messages, rounds(60, 3000)...), MaxTokens: 12_000, TargetTokens: 6_000, RequestTopic: req.RequestTopic, StreamTopic: req.StreamTopic})
	if got := (*asked)[1].Messages[0].Content.Text; !strings.Contains(got, "before that: they talked") {
		t.Errorf("%.300s", got)
	}
	whole(t, r.Messages)
}

func TestModelFails(t *testing.T) {
	broken := "overloaded"
	for name, events := range map[string][]abi.StreamEvent{
		"error":   {{Error: &broken}},
		"empty":   {{Done: true}},
		"silence": {},
	} {
		t.Run(name, func(t *testing.T) {
			h := sdktest.New(t)
			model(h, func(abi.LlmRequest) []abi.StreamEvent { return events })
			r := ask(t, h, abi.CompactRequest{Messages: rounds(30, 3000), MaxTokens: 12_000, TargetTokens: 6_000, RequestTopic: "llm.v1.request.generate.m", StreamTopic: "llm.v1.stream.m"})
			if r.Strategy != "truncate" || !r.Compacted || r.Error != "" || !strings.Contains(r.Messages[0].Content.Text, "prompt 0") {
				t.Errorf("%+v", r.Strategy)
			}
			if len(h.Published(abi.TopicGenerateCancel)) != 1 {
				t.Error("the request was not cancelled")
			}
		})
	}
	for _, topic := range []string{"llm.v1.request.generate.offline", "agent.v1.response", ""} {
		h := sdktest.New(t)
		r := ask(t, h, abi.CompactRequest{Messages: rounds(30, 3000), MaxTokens: 12_000, TargetTokens: 6_000, RequestTopic: topic, StreamTopic: "llm.v1.stream.offline"})
		if r.Strategy != "truncate" || len(h.Published("llm.v1.request.generate.*")) != 0 || len(h.Published("agent.v1.response")) != 0 {
			t.Errorf("%s was asked", topic)
		}
	}
}

func TestHook(t *testing.T) {
	h := sdktest.New(t)
	answer := map[string]any{"pinnedMessageIds": []string{"0", "2", "x", "9999"}}
	h.OnHook(abi.TopicBeforeCompaction, func(json.RawMessage) any { return answer })
	ms := rounds(60, 400)
	ms[0] = abi.TextMessage(abi.RoleUser, "never forget")
	r := ask(t, h, abi.CompactRequest{Messages: ms, MaxTokens: 6_000, TargetTokens: 3_000})
	whole(t, r.Messages)
	if r.Messages[1].Content.Text != "never forget" || len(r.Messages[2].Content.Calls) != 3 {
		t.Errorf("%+v", r.Messages[:3])
	}
	answer = map[string]any{"skip": true}
	if r := ask(t, h, abi.CompactRequest{Messages: ms, MaxTokens: 6_000, TargetTokens: 3_000}); r.Compacted || len(r.Messages) != len(ms) {
		t.Error("it was compacted")
	}
}

func TestBadRequest(t *testing.T) {
	h := sdktest.New(t)
	h.Call("handle_compact", map[string]any{"correlation_id": "c", "messages": 7})
	if all := h.Published(abi.TopicCompacted); len(all) != 1 || !strings.Contains(string(all[0]), `"correlation_id":"c"`) || !strings.Contains(string(all[0]), "invalid request") {
		t.Errorf("%s", all)
	}
}

func TestEstimate(t *testing.T) {
	h := sdktest.New(t)
	var a struct {
		EstimatedTokens uint64 `json:"estimated_tokens"`
	}
	if err := h.Call("handle_estimate", map[string]any{"messages": rounds(1, 400)}).JSON(&a); err != nil || a.EstimatedTokens < 300 || a.EstimatedTokens > 500 {
		t.Errorf("%+v %v", a, err)
	}
	if len(h.Published(abi.TopicTokensEstimated)) != 1 {
		t.Error("it was not published")
	}
}
