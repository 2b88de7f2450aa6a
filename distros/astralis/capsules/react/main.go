// Capsule react is the agent loop. It never waits inside a handler: each step of a turn
// publishes one request and goes on when the answer arrives as a message, so that one
// instance serves any number of sessions.
//
//	idle → storing → assembling → streaming → tools → saving → streaming … → saving → idle
//	                          ↘ compacting ↗           (before any request that would be too long)
//
// A turn is known to the client (agent.v1.turn.started) once the person's message is
// stored, and its answer is published once that is stored. What is needed to go on after a restart
// is kept in a record: see record.go.
package main

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
)

var (
	_ = sdk.On("handle_user_prompt", handleUserPrompt)
	_ = sdk.On("handle_session_messages", handleSessionMessages)
	_ = sdk.On("handle_session_cleared", handleSessionCleared)
	_ = sdk.On("handle_prompt_response", handlePromptResponse)
	_ = sdk.On("handle_llm_stream", handleStream)
	_ = sdk.On("handle_tool_result", handleToolResult)
	_ = sdk.On("handle_compacted", handleCompacted)
	_ = sdk.On("handle_wake", handleWake)
	_ = sdk.On("handle_capsules_loaded", func(ctx *sdk.Context, _ any) error {
		engine = unknown // other capsules, maybe another one
		return wakeUnfinished(ctx)
	})
	_ = sdk.On("handle_watchdog_tick", func(ctx *sdk.Context, _ any) error {
		return errors.Join(wakeUnfinished(ctx), endOverdue())
	})
	_ = sdk.On("handle_session_clear", handleSessionClear)
)

func main() {}

// maxQueued is how many prompts of one session may wait for the running turn.
const maxQueued = 16

// maxQueuedBytes is about how much text may wait: an instance has 64 MiB for everything.
const maxQueuedBytes = 8 << 20

func handleUserPrompt(ctx *sdk.Context, in abi.UserInput) error {
	s := sessionOf(ctx, in.SessionID)
	var c abi.InputContext
	if len(in.Context) > 0 && json.Unmarshal(in.Context, &c) != nil {
		ctx.Warn("Context of a prompt is not understood and ignored")
	}
	if c.Action == abi.ActionCancelTurn {
		return s.cancel(c.TurnID)
	}
	t := newTurn(s, c.TurnID, in.Text)
	t.wants, t.directory, t.command = c.Model, c.Directory, c.Command
	if c.Limits != nil {
		t.limits = *c.Limits
	}
	switch {
	case strings.TrimSpace(in.Text) == "":
		return t.fail("limit", "the prompt is empty")
	case s.turn == nil && len(s.queue) == 0:
		// A turn that a restart has interrupted goes first; this may come before its wake-up.
		r, ok, err := kv.GetJSON[record](s.recordKey())
		if err == nil && ok && r.SchemaVersion == schemaVersion {
			s.queue = append(s.queue, t)
			return s.resume(r)
		}
		return errors.Join(err, s.begin(t))
	case s.turn != nil && (c.Steer || c.TurnID == ""):
		return s.turn.steer(in.Text)
	case len(s.queue) >= maxQueued:
		return t.fail("limit", "too many prompts are waiting in this session ("+strconv.Itoa(maxQueued)+")")
	}
	if waiting := queued() + len(t.text); waiting > maxQueuedBytes && len(s.queue) > 0 {
		return t.fail("limit", "too much text waits in sessions ("+strconv.Itoa(maxQueuedBytes>>20)+" MiB)")
	}
	s.queue = append(s.queue, t)
	return nil
}

// queued is how much text waits in all sessions.
func queued() (bytes int) {
	for _, s := range sessions {
		for _, t := range s.queue {
			bytes += len(t.text)
		}
	}
	return bytes
}

// handleSessionClear starts a new session for a client.
func handleSessionClear(ctx *sdk.Context, r struct {
	SessionID string `json:"session_id"`
}) error {
	s := sessionOf(ctx, r.SessionID)
	return ipc.Publish(abi.TopicSessionClear, map[string]string{"session_id": s.id, "correlation_id": newID()})
}

func handleSessionCleared(_ *sdk.Context, r struct {
	New string `json:"new_session_id"`
	Old string `json:"old_session_id"`
}) error {
	return ipc.Publish("agent.v1.session_changed", map[string]string{"old_session_id": r.Old, "new_session_id": r.New})
}

// setting reads a number of the capsule's settings.
func setting(key string, fallback int) int {
	if n, err := strconv.Atoi(env.Get(key)); err == nil && n > 0 {
		return n
	}
	return fallback
}
