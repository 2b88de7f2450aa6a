package main

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/time"
)

// phase is what a turn waits for.
type phase uint8

const (
	storing    phase = iota // the person's message to be stored
	assembling              // the prompt to be built
	streaming               // the model
	tools                   // the tools of a round
	saving                  // the round, or the answer, to be stored
)

var phaseNames = [...]string{"Storing", "AwaitingPromptBuild", "Streaming", "AwaitingTools", "Saving"}

// session is the state of one session: at most one turn runs, others wait.
type session struct {
	id        string
	principal string
	turn      *turn
	queue     []*turn
}

// sessions holds the sessions that have a turn. What must outlive the instance is in the
// session capsule; a turn that was running when an instance died is over.
var sessions = map[string]*session{}

// sessionOf finds the session of a message: the one the kernel stamped on it, else the
// one its payload names.
func sessionOf(ctx *sdk.Context, named string) *session {
	id := ctx.Session()
	if id == "" {
		id = named
	}
	if id == "" {
		id = "default"
	}
	key := ctx.Principal() + "\x00" + id
	if s := sessions[key]; s != nil {
		return s
	}
	s := &session{id: id, principal: ctx.Principal()}
	return s
}

func (s *session) key() string { return s.principal + "\x00" + s.id }

// turn is one prompt on its way to its answer.
type turn struct {
	s     *session
	id    string
	text  string // the prompt
	phase phase
	since int64 // of the phase or of the last sign of life, ms
	began int64

	awaits   string // correlation or request id of the answer the phase waits for
	system   string
	tools    []abi.LlmToolDefinition
	model    abi.ProviderDescription
	messages []abi.ChatMessage // history as last read

	said  strings.Builder // text of this round
	calls []*call
	usage abi.Usage // of all rounds
	round abi.Usage // of this round, as last reported
	final string

	iterations, toolCalls int
}

// call is one tool call of a round.
type call struct {
	abi.ToolCall
	args   strings.Builder
	result *abi.ToolCallResult
	began  int64
}

func newTurn(s *session, id, text string) *turn {
	if id == "" {
		id = newID()
	}
	return &turn{s: s, id: id, text: text, began: now()}
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func now() int64 { return time.Now().UnixMilli() }

// enter moves the turn to a phase that waits for the answer with that id.
func (t *turn) enter(p phase, awaits string) {
	t.phase, t.awaits, t.since = p, awaits, now()
}

// begin runs a turn in an idle session: the first step stores the person's message.
func (s *session) begin(t *turn) error {
	s.turn = t
	sessions[s.key()] = s
	t.enter(storing, newID())
	return t.or(t.append(abi.TextMessage(abi.RoleUser, t.text)))
}

// append asks the session capsule to store messages and to answer with the history.
func (t *turn) append(m ...abi.ChatMessage) error {
	return ipc.Publish(abi.TopicSessionGet, map[string]any{
		"session_id": t.s.id, "correlation_id": t.awaits, "append_before_read": m,
	})
}

// or ends the turn when a step could not be started.
func (t *turn) or(err error) error {
	if err == nil {
		return nil
	}
	return t.fail("internal", err.Error())
}

// fail ends the turn with an error.
func (t *turn) fail(kind, text string) error {
	return t.end(abi.StopError, &abi.TurnError{Kind: kind, Message: text}, text)
}

// end publishes how the turn ended and its answer, and starts the session's next one.
// Its error is about the publishing: there is nobody left to tell but the log.
func (t *turn) end(reason string, e *abi.TurnError, text string) error {
	err := ipc.Publish(abi.TopicTurnCompleted, abi.TurnCompleted{
		SessionID: t.s.id, TurnID: t.id, StopReason: reason, Error: e, Model: t.model.ID,
		Usage: t.usage, ToolCalls: t.toolCalls, Iterations: t.iterations, DurationMs: now() - t.began,
	})
	if err == nil {
		err = ipc.PublishTagged(abi.TopicAgentResponse, abi.AgentResponse{Text: text, IsFinal: true, SessionID: t.s.id, TurnID: t.id})
	}
	s := t.s
	if s.turn != t {
		return err // it was never begun
	}
	s.turn = nil
	if len(s.queue) > 0 {
		next := s.queue[0]
		s.queue = s.queue[1:]
		return s.begin(next)
	}
	delete(sessions, s.key())
	return err
}

// cancel ends the running turn, or takes the named one out of the queue.
func (s *session) cancel(id string) error {
	for i, t := range s.queue {
		if t.id == id {
			s.queue = append(s.queue[:i:i], s.queue[i+1:]...)
			return t.end(abi.StopCancelled, nil, "")
		}
	}
	t := s.turn
	if t == nil || id != "" && t.id != id {
		return nil
	}
	if t.phase == tools {
		var open abi.ToolCancelRequest
		for _, c := range t.calls {
			if c.result == nil {
				open.CallIDs = append(open.CallIDs, c.ID)
			}
		}
		if err := ipc.PublishTagged(abi.TopicToolCancel, open); err != nil {
			return err
		}
	}
	return t.end(abi.StopCancelled, nil, "")
}

// endOverdue ends the turns whose phase has taken too long.
func endOverdue() error {
	for _, s := range sessions {
		t := s.turn
		limit := 30
		switch t.phase {
		case streaming:
			limit = setting("streaming_timeout_secs", 120)
		case tools:
			limit = setting("tool_timeout_secs", 330)
		}
		if now()-t.since < int64(limit)*1000 {
			continue
		}
		// What waits behind it cannot be begun from here: the tick belongs to no session,
		// and so would every call of that turn.
		waiting := s.queue
		s.queue = nil
		for _, q := range waiting {
			if err := q.fail("timeout", "the turn before this one timed out: send it again"); err != nil {
				return err
			}
		}
		text := fmt.Sprintf("Request timed out (%s phase exceeded %ds limit)", phaseNames[t.phase], limit)
		if err := t.end(abi.StopTimeout, &abi.TurnError{Kind: "timeout", Message: text}, text); err != nil {
			return err
		}
	}
	return nil
}
