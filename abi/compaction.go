package abi

// CompactRequest on [TopicCompact] asks for a conversation that needs fewer tokens. The answer
// comes on [TopicCompacted].
type CompactRequest struct {
	CorrelationID string        `json:"correlation_id"`
	SessionID     string        `json:"session_id"`
	Messages      []ChatMessage `json:"messages"`
	// MaxTokens is what there is room for besides system prompt, tools and answer, TargetTokens
	// what should be left after it, both as the engine estimates: see [EstimateTokens].
	MaxTokens    uint64 `json:"max_tokens"`
	TargetTokens uint64 `json:"target_tokens"`
	// RequestTopic and StreamTopic are those of the model that may write a summary; without
	// them old messages are only cut down.
	RequestTopic string `json:"request_topic,omitempty"`
	StreamTopic  string `json:"stream_topic,omitempty"`
	Model        string `json:"model,omitempty"`
}

// CompactResponse answers a [CompactRequest]. The last Kept messages are the last ones of the
// request, as they were; those before stand for all the others.
type CompactResponse struct {
	CorrelationID   string        `json:"correlation_id"`
	SessionID       string        `json:"session_id"`
	Messages        []ChatMessage `json:"messages"`
	Kept            int           `json:"kept"`
	Compacted       bool          `json:"compacted"`
	MessagesRemoved int           `json:"messages_removed"`
	TokensBefore    uint64        `json:"tokens_before"`
	TokensAfter     uint64        `json:"tokens_after"`
	Strategy        string        `json:"strategy"` // "summarize", "truncate" or "skipped"
	Usage           Usage         `json:"usage"`    // of the summary
	Error           string        `json:"error,omitempty"`
}

// EstimateTokens guesses how many tokens a message is: a quarter of the bytes of its text, and
// a little for what is around it. Models differ; callers that know better figures scale it.
func EstimateTokens(m ChatMessage) uint64 {
	const around, image = 8, 1600
	n := len(m.Content.Text)
	for _, c := range m.Content.Calls {
		n += len(c.ID) + len(c.Name) + len(c.Arguments) + 4*around
	}
	if r := m.Content.Result; r != nil {
		n += len(r.CallID) + len(r.Content)
	}
	tokens := 0
	for _, p := range m.Content.Parts {
		if p.Type == "image" {
			tokens += image
		}
		n += len(p.Text)
	}
	return uint64(tokens + (n+3)/4 + around)
}

// EstimateAll is the sum of [EstimateTokens].
func EstimateAll(ms []ChatMessage) uint64 {
	var n uint64
	for _, m := range ms {
		n += EstimateTokens(m)
	}
	return n
}
