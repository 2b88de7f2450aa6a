package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/hooks"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/runtime"
)

// contribution is what a capsule adds. Only a capsule with the capability
// allow_prompt_injection may change the system prompt; the others can put text before
// what the person said.
type contribution struct {
	SystemPrompt         string `json:"systemPrompt"`
	PrependSystemContext string `json:"prependSystemContext"`
	AppendSystemContext  string `json:"appendSystemContext"`
	PrependContext       string `json:"prependContext"`
}

// contributions asks the hook. Capsules publish their part on the topic that the request
// names; it carries who published it, which a direct answer to the hook does not.
func contributions(ctx *sdk.Context, r request) ([]contribution, error) {
	topic := "prompt_builder.v1.hook_response." + r.RequestID
	sub, err := ipc.Subscribe(topic)
	if err != nil {
		return nil, err
	}
	defer sub.Close()
	seen, err := recent(ctx, r.Messages)
	if err != nil {
		return nil, fmt.Errorf("messages: %w", err)
	}
	direct, err := hooks.Trigger(abi.TopicBeforeBuild, hook{r, seen, topic})
	if err != nil {
		return nil, err
	}
	var all []contribution
	for _, raw := range direct {
		var c contribution
		if json.Unmarshal(raw, &c) == nil { // other answers are none of ours
			all = append(all, contribution{PrependContext: c.PrependContext})
		}
	}
	batch, err := sub.Poll()
	if err != nil {
		return nil, err
	}
	for _, m := range batch.Messages {
		c, err := ipc.Decode[contribution](m)
		if err != nil {
			ctx.Warn("A contribution is not understood", "source", m.SourceID, "error", err)
			continue
		}
		trusted, err := runtime.HasCapability(m.SourceID, "allow_prompt_injection")
		if err != nil { // it may have been unloaded since: then nobody vouches for it
			ctx.Warn("A contribution's source is not known", "source", m.SourceID, "error", err)
			trusted = false
		}
		if !trusted {
			if c != (contribution{PrependContext: c.PrependContext}) {
				ctx.Warn("A capsule without allow_prompt_injection tried to change the system prompt", "source", m.SourceID)
			}
			c = contribution{PrependContext: c.PrependContext}
		}
		all = append(all, c)
	}
	return all, nil
}

// hookMessages is how many bytes of messages go into the hook: each contributor gets a copy.
const hookMessages = 512 << 10

// recent is the end of the conversation, as much as a hook can carry. Contributors look at
// what was said last; a long session must not end because of them.
func recent(ctx *sdk.Context, messages json.RawMessage) (all []json.RawMessage, err error) {
	if empty(messages) {
		return nil, nil
	}
	err = rawjson.Array(messages, func(m json.RawMessage) error {
		all = append(all, m)
		return nil
	})
	room := hookMessages
	for i := len(all) - 1; i >= 0; i-- {
		if room -= len(all[i]) + 1; room < 0 {
			ctx.Debug("Contributors see the end of the conversation only", "messages", len(all)-1-i, "of", len(all))
			return all[i+1:], err
		}
	}
	return all, err
}

// merge joins the contributions. Contributors run at once, so the order in which they come says
// nothing; the same ones must give the same prompt, or providers could not use what they have cached.
func merge(base string, all []contribution) (system, prefix string) {
	var before, after, context []string
	for _, c := range all {
		if c.SystemPrompt != "" {
			base = c.SystemPrompt
		}
		before = appendText(before, c.PrependSystemContext)
		after = appendText(after, c.AppendSystemContext)
		context = appendText(context, c.PrependContext)
	}
	slices.Sort(before)
	slices.Sort(after)
	slices.Sort(context)
	return strings.Join(append(appendText(before, base), after...), "\n"), strings.Join(context, "\n")
}

func appendText(list []string, s string) []string {
	if s == "" {
		return list
	}
	return append(list, s)
}
