package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/hooks"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/runtime"
)

// defaultPrompt is used when no capsule gives the agent an identity.
const defaultPrompt = "You are Astrid, a secure coding assistant.\n\n" +
	"You work in the user's project. Paths are relative to its root. " +
	"What you write goes to a copy that the user reviews and commits. " +
	"Use the tools to look things up rather than to guess, and say plainly when something failed or was denied."

// handleSessionMessages goes on when something was stored.
func handleSessionMessages(ctx *sdk.Context, r stored) error {
	t := turnOf(ctx, func(t *turn) bool { return t.waits(r.CorrelationID, storing, saving) })
	if t == nil {
		return nil // another capsule's request, or a turn that is over
	}
	if r.Error != "" {
		return t.fail("internal", "the session could not be stored: "+r.Error)
	}
	whole := t.take(r)
	if t.resumes > 0 && t.finishedBefore(r.SessionMessages) {
		return t.end(t.stop, nil, t.final)
	}
	switch {
	case t.phase == storing:
		if err := t.announce(); err != nil {
			return t.or(err)
		}
		if t.command != "" {
			return t.or(t.runCommand())
		}
		return t.or(t.assemble(ctx))
	case t.stop == abi.StopEndTurn:
		return t.end(t.stop, nil, t.final)
	case t.stop != "":
		return t.end(t.stop, &abi.TurnError{Kind: "limit", Message: t.final}, t.final)
	case !whole:
		return t.or(t.reread())
	case t.resumes > 0 && t.system == "": // a round was stored, and nothing is known of the prompt
		return t.or(t.assemble(ctx))
	}
	return t.or(t.proceed())
}

// announce says that the turn has begun, or goes on.
func (t *turn) announce() error {
	if t.resumes > 0 {
		return ipc.Publish(abi.TopicTurnResumed, abi.TurnResumed{SessionID: t.s.id, TurnID: t.id, Text: t.text})
	}
	return ipc.Publish(abi.TopicTurnStarted, abi.TurnStarted{SessionID: t.s.id, TurnID: t.id})
}

// assemble asks for the system prompt and the tools.
func (t *turn) assemble(ctx *sdk.Context) error {
	model, err := findModel(t.wants)
	if err != nil {
		return err
	}
	switch {
	case model == nil && t.wants != "":
		return t.fail("provider", "no model is called "+strconv.Quote(t.wants)+": `astrid models` lists them")
	case model == nil:
		return t.fail("provider", "no model is selected: install a provider with `astrid init`, or choose one with /models")
	}
	t.model = *model
	identity, err := identityPrompt(ctx, t.s.id, t.s.workspace, t.directory)
	if err != nil {
		return err
	}
	end, err := recent(t.messages)
	if err != nil {
		return err
	}
	t.enter(assembling, newID())
	defer t.release()
	return ipc.Publish(abi.TopicAssemble, assembleRequest{
		SystemPrompt: identity, RequestID: t.awaits, SessionID: t.s.id,
		Model: t.modelName(), Provider: strings.TrimPrefix(t.model.RequestTopic, abi.TopicGeneratePrefix), messages: end,
	})
}

// findModel asks the registry for a model, or with "" for the active one. It answers hooks at once.
func findModel(id string) (*abi.ProviderDescription, error) {
	answers, err := hooks.Collect[*abi.ProviderDescription]("registry.v1.get_active_model", abi.ModelQuery{ModelID: id})
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	for _, a := range answers {
		if a != nil && strings.HasPrefix(a.RequestTopic, abi.TopicGeneratePrefix) {
			return a, nil
		}
	}
	return nil, nil
}

// identityPrompt asks whichever capsule gives the agent an identity. The hook returns
// when all of them have run, so that what they publish is there by then and an absent
// one costs no wait. It begins the system prompt, so it takes the capability to change that.
func identityPrompt(ctx *sdk.Context, session, workspace, directory string) (string, error) {
	sub, err := ipc.Subscribe(abi.TopicSparkReady)
	if err != nil {
		return "", err
	}
	defer sub.Close()
	if _, err := hooks.Trigger(abi.TopicSparkBuild, map[string]string{"workspace_root": workspace, "directory": directory, "session_id": session}); err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	batch, err := sub.Poll()
	if err != nil {
		return "", err
	}
	for _, m := range batch.Messages {
		p, err := ipc.Decode[struct {
			Prompt    string `json:"prompt"`
			SessionID string `json:"session_id"`
		}](m)
		if err != nil || p.Prompt == "" || p.SessionID != "" && p.SessionID != session {
			continue
		}
		if may, err := runtime.HasCapability(m.SourceID, "allow_prompt_injection"); err != nil || !may {
			ctx.Warn("A capsule without allow_prompt_injection tried to give the agent an identity", "source", m.SourceID, "error", err)
			continue
		}
		return p.Prompt, nil
	}
	return defaultPrompt, nil
}

// handlePromptResponse sends the first request of the turn.
func handlePromptResponse(ctx *sdk.Context, r promptResponse) error {
	t := turnOf(ctx, func(t *turn) bool {
		if r.RequestID == "" && r.Error != "" { // it could not even read whose request it was
			return t.phase == assembling && (r.SessionID == "" || r.SessionID == t.s.id)
		}
		return t.waits(r.RequestID, assembling)
	})
	if t == nil {
		return nil
	}
	if r.Error != "" {
		return t.fail("internal", "the prompt could not be built: "+r.Error)
	}
	t.system, t.tools, t.prefix = r.SystemPrompt, r.Tools, r.UserContextPrefix
	return t.or(t.proceed())
}

// proceed makes the next request, after what must come before it.
func (t *turn) proceed() error {
	switch {
	case len(t.steered) > 0:
		t.enter(saving, newID())
		return t.append(t.takeSteered()...)
	case t.dropped:
		return t.reread()
	case t.shrink:
		t.shrink = false
		return t.compactTo(t.halved())
	case t.tooLong():
		return t.compact()
	}
	return t.generate()
}

// prefixed are the messages with text before the turn's prompt, in this copy only.
func prefixed(ms []abi.ChatMessage, prefix, prompt string) []abi.ChatMessage {
	if prefix == "" {
		return ms
	}
	at := -1
	for i := len(ms) - 1; i >= 0; i-- {
		c := &ms[i].Content
		if ms[i].Role != abi.RoleUser || c.Calls != nil || c.Result != nil {
			continue
		}
		if c.Text == prompt {
			at = i
			break
		}
		if at < 0 {
			at = i // the prompt may have been summarized away: then the last thing the person said
		}
	}
	if at < 0 {
		return ms
	}
	ms = slices.Clone(ms)
	c := &ms[at].Content
	if c.Parts != nil {
		c.Parts = append([]abi.ContentPart{{Type: "text", Text: prefix}}, c.Parts...)
	} else {
		c.Text = prefix + "\n" + c.Text
	}
	return ms
}

// modelName is the model that the provider is asked for; empty is its own. What a prompt asks for
// comes before the setting.
func (t *turn) modelName() string {
	if t.wants != "" {
		return t.model.RequestModel()
	}
	return env.Or("model", t.model.RequestModel())
}

// generate asks the model.
func (t *turn) generate() error {
	t.said.Reset()
	t.calls, t.round, t.answered, t.squeezed = nil, abi.Usage{}, false, false
	t.enter(streaming, newID())
	defs := t.tools
	if defs == nil {
		defs = []abi.LlmToolDefinition{}
	}
	t.guess = t.estimate()
	err := ipc.PublishTagged(t.model.RequestTopic, abi.LlmRequest{
		RequestID: t.awaits, Model: t.modelName(), Messages: prefixed(t.messages, t.prefix, t.text), Tools: defs, System: t.system,
	})
	if errors.Is(err, abi.ErrTooLarge) {
		return t.tooLarge(err)
	}
	t.release()
	return err
}

// arguments are the call's arguments as JSON. What is not JSON is passed on as an empty
// object, so that the tool names what it misses and the model can try again.
func (c *call) arguments() json.RawMessage {
	raw := json.RawMessage(strings.TrimSpace(c.args.String()))
	if !json.Valid(raw) {
		return json.RawMessage("{}")
	}
	return raw
}
