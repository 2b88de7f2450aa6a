package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
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
	s := &session{id: id, principal: ctx.Principal()}
	if known := sessions[s.key()]; known != nil {
		return known
	}
	return s
}

// turnOf finds the running turn that a message is for; mine tells whether it is. What
// follows from a client's prompt carries the client's session. What follows from a prompt
// of a capsule may carry none: then all turns of the principal are asked.
func turnOf(ctx *sdk.Context, mine func(*turn) bool) *turn {
	from := ctx.Session()
	for _, s := range sessions {
		if s.principal == ctx.Principal() && (from == "" || from == s.id) && s.turn != nil && mine(s.turn) {
			return s.turn
		}
	}
	return nil
}

// waits tells whether the turn is in one of the phases and waits for the answer with that id.
func (t *turn) waits(id string, phases ...phase) bool {
	return t.awaits == id && slices.Contains(phases, t.phase)
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
	final string    // the answer, while it is being stored
	stop  string    // why the turn ends with it
	over  bool

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

// fail ends the turn with an error. An answer that could not be stored is given all the same.
func (t *turn) fail(kind, text string) error {
	reason := abi.StopError
	if kind == "timeout" {
		reason = abi.StopTimeout
	}
	said := text
	if t.final != "" {
		said = t.final
	}
	return t.end(reason, &abi.TurnError{Kind: kind, Message: text}, said)
}

// end publishes how the turn ended and its answer, and starts the session's next one. It
// does so once, whatever fails on the way.
// Its error is about the publishing: there is nobody left to tell but the log.
func (t *turn) end(reason string, e *abi.TurnError, text string) error {
	if t.over {
		return nil
	}
	t.over = true
	cancelled := t.cancelTools()
	t.abandon()
	completed := ipc.Publish(abi.TopicTurnCompleted, abi.TurnCompleted{
		SessionID: t.s.id, TurnID: t.id, StopReason: reason, Error: e, Model: t.model.ID,
		Usage: t.usage, ToolCalls: t.toolCalls, Iterations: t.iterations, DurationMs: now() - t.began,
	})
	answered := ipc.PublishTagged(abi.TopicAgentResponse, abi.AgentResponse{Text: text, IsFinal: true, SessionID: t.s.id, TurnID: t.id})
	err := errors.Join(cancelled, completed, answered)
	s := t.s
	if s.turn != t {
		return err // it was never begun
	}
	s.turn = nil
	if len(s.queue) > 0 {
		next := s.queue[0]
		s.queue = s.queue[1:]
		return errors.Join(err, s.begin(next))
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
	return t.end(abi.StopCancelled, nil, "")
}

// cancelTools ends what the running tools have started.
func (t *turn) cancelTools() error {
	var open abi.ToolCancelRequest
	for _, c := range t.open() {
		open.CallIDs = append(open.CallIDs, c.ID)
	}
	if len(open.CallIDs) == 0 {
		return nil
	}
	return ipc.PublishTagged(abi.TopicToolCancel, open)
}
