// Capsule offline is a provider without a model. It understands a small set of requests
// (see the text of usage) and answers them through the same tool calls a model would
// make, so that everything else can be tried and tested without a network or a key.
//
// It is deterministic: the same conversation gives the same answer.
package main

import (
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

const providerID = "offline"

var (
	_ = sdk.Interceptor("llm_describe", describe)
	_ = sdk.On("handle_llm_request", handleRequest)
)

func main() {}

func describe(*sdk.Context, []byte) (sdk.Verdict, error) {
	return sdk.Reply(map[string][]abi.ProviderDescription{"providers": {{
		ID:              providerID,
		Description:     "Offline stand-in: no model, understands list, read, search, write, run, remember and use",
		RequestTopic:    abi.TopicGeneratePrefix + providerID,
		StreamTopic:     abi.TopicStreamPrefix + providerID,
		Capabilities:    []string{"text", "tools"},
		ContextWindow:   1 << 20,
		MaxOutputTokens: 1 << 16,
	}}}), nil
}

func handleRequest(_ *sdk.Context, r abi.LlmRequest) error {
	emit := func(e abi.StreamEvent) error {
		return ipc.PublishTagged(abi.TopicStreamPrefix+providerID, abi.LlmStreamEvent{RequestID: r.RequestID, Event: e})
	}
	text, calls := answer(&r)
	out := uint64(0)
	for _, piece := range pieces(text) {
		out++
		if err := emit(abi.StreamEvent{TextDelta: &piece}); err != nil {
			return err
		}
	}
	for _, c := range calls {
		out++
		args := string(c.Arguments)
		for _, e := range []abi.StreamEvent{
			{ToolCallStart: &abi.ToolCallStart{ID: c.ID, Name: c.Name}},
			{ToolCallDelta: &abi.ToolCallDelta{ID: c.ID, ArgsDelta: args}},
			{ToolCallEnd: &abi.ToolCallEnd{ID: c.ID}},
		} {
			if err := emit(e); err != nil {
				return err
			}
		}
	}
	// There are no tokens here: words stand in, so that the figures move.
	usage := abi.Usage{InputTokens: words(&r), OutputTokens: out}
	if err := emit(abi.StreamEvent{Usage: &usage}); err != nil {
		return err
	}
	return emit(abi.StreamEvent{Done: true})
}

// pieces cuts text into about the portions in which a model would send it.
func pieces(text string) []string {
	var out []string
	for len(text) > 0 {
		n := 24
		if n >= len(text) {
			return append(out, text)
		}
		if i := strings.IndexByte(text[n:], ' '); i >= 0 && i < 64 {
			n += i + 1
		} else {
			for n < len(text) && text[n]&0xc0 == 0x80 { // not inside a character
				n++
			}
		}
		out = append(out, text[:n])
		text = text[n:]
	}
	return out
}

func words(r *abi.LlmRequest) uint64 {
	n := len(strings.Fields(r.System))
	for _, m := range r.Messages {
		n += len(strings.Fields(m.Content.Text))
		if m.Content.Result != nil {
			n += len(strings.Fields(m.Content.Result.Content))
		}
	}
	return uint64(n)
}
