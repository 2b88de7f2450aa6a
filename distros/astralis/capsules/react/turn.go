package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	compacting              // a conversation that is too long to be shortened
	streaming               // the model
	tools                   // the tools of a round
	saving                  // the round, or the answer, to be stored
)

var phaseNames = [...]string{"Storing", "AwaitingPromptBuild", "Compacting", "Streaming", "AwaitingTools", "Saving"}

// session is the state of one session: at most one turn runs, others wait.
type session struct {
	id        string
	principal string
	workspace string // directory it works in
	turn      *turn
	queue     []*turn
}

// sessions holds the sessions that have a turn, running or waiting.
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
		s = known
	}
	s.workspace = ctx.Caller().Workspace
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
	s         *session
	id        string
	text      string // the prompt
	phase     phase
	since     int64 // of the phase or of the last sign of life, ms
	began     int64
	limits    abi.TurnLimits
	directory string // where the person is; may be ""
	wants     string // model that the prompt asks for; "" is the active one

	command string // that is run in place of asking a model; "" is none

	awaits   string // correlation or request id of the answer the phase waits for
	system   string
	tools    []abi.LlmToolDefinition
	model    abi.ProviderDescription
	prefix   string            // goes before the prompt in each request
	messages []abi.ChatMessage // what the model is to see, as last read
	start    int               // number of the first message after those that stand for older ones
	head     int               // how many of messages stand for older ones
	size     int               // bytes of messages, as they came
	dropped  bool              // messages must be read again
	shrink   bool              // … and made to fit in half of what they are
	steered  []string          // messages that the next request takes in
	squeezed bool              // compaction was tried since the model last spoke
	guess    uint64            // tokens of the last request, as estimated
	refused  *abi.TurnError    // the model has refused the conversation as too long since it last spoke

	said     strings.Builder // text of this round
	calls    []*call
	usage    abi.Usage // of all rounds
	round    abi.Usage // of this round, as last reported
	final    string    // the answer, while it is being stored
	stop     string    // why the turn ends with it
	over     bool
	answered bool // the provider has ended its answer

	iterations, toolCalls int
	resumes               int // restarts it has survived
	appends               int // numbers the names of its appends
}

// call is one tool call of a round.
type call struct {
	abi.ToolCall
	args   strings.Builder
	result *abi.ToolCallResult
	size   int // bytes of the result before it was shortened
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
	t.began = now()
	t.enter(storing, newID())
	err := t.append(abi.TextMessage(abi.RoleUser, t.text))
	if err == nil {
		err = t.keep() // while the message is being stored
	}
	return t.or(err)
}

// append asks the session capsule to store messages and to answer with what the model is to see.
func (t *turn) append(m ...abi.ChatMessage) error {
	t.appends++
	return t.ask(m, false)
}

func (t *turn) ask(m []abi.ChatMessage, repeated bool) error {
	r := abi.SessionMessagesRequest{
		SessionID: t.s.id, CorrelationID: t.awaits, AppendBeforeRead: m, Context: true,
		AppendID: t.appendID(), Repeated: repeated, From: t.known(),
	}
	if r.From == 0 && t.stop != "" { // no model will be asked
		r.Last = 1
	}
	return ipc.Publish(abi.TopicSessionGet, r)
}

// appendID names the turn's last append.
func (t *turn) appendID() string { return t.id + "/" + strconv.Itoa(t.appends) }

// or ends the turn when a step could not be started.
func (t *turn) or(err error) error {
	if err == nil {
		return nil
	}
	return t.fail("internal", err.Error())
}

// fail ends the turn with an error. An answer that could not be stored is given all the same.
func (t *turn) fail(kind, text string) error {
	return t.failWith(abi.TurnError{Kind: kind, Message: text})
}

func (t *turn) failWith(e abi.TurnError) error {
	reason := abi.StopError
	if e.Kind == "timeout" {
		reason = abi.StopTimeout
	}
	said := e.Message
	if t.final != "" {
		said = t.final
	}
	return t.end(reason, &e, said)
}

// end publishes how the turn ended and its answer, and starts the session's next one. It
// does so once, whatever fails on the way.
// Its error is about the publishing: there is nobody left to tell but the log.
func (t *turn) end(reason string, e *abi.TurnError, text string) error {
	if t.over {
		return nil
	}
	t.over = true
	stopped := errors.Join(t.cancelTools(), t.cancelRequest(), t.keepHalf())
	t.abandon()
	completed := ipc.Publish(abi.TopicTurnCompleted, abi.TurnCompleted{
		SessionID: t.s.id, TurnID: t.id, StopReason: reason, Error: e, Model: t.model.ID,
		Usage: t.usage, ToolCalls: t.toolCalls, Iterations: t.iterations, DurationMs: now() - t.began, Unread: t.steered,
	})
	answered := ipc.PublishTagged(abi.TopicAgentResponse, abi.AgentResponse{Text: text, IsFinal: true, SessionID: t.s.id, TurnID: t.id})
	if answered != nil {
		answered = errors.Join(answered, t.withheld(answered))
	}
	err := errors.Join(stopped, completed, answered)
	if t.s.turn != t {
		return err // it was never begun
	}
	t.s.turn = nil
	return errors.Join(err, t.forget(), t.s.next())
}

// withheld tells in place of an answer why it could not be given: it was too large, or a hook refused it.
func (t *turn) withheld(why error) error {
	text := fmt.Sprintf("The answer could not be given: %v. `astrid session export` has it.", why)
	return errors.Join(
		ipc.Publish(abi.TopicTurnCompleted, abi.TurnCompleted{
			SessionID: t.s.id, TurnID: t.id, StopReason: abi.StopError, Error: &abi.TurnError{Kind: "internal", Message: text}, Model: t.model.ID,
			Usage: t.usage, ToolCalls: t.toolCalls, Iterations: t.iterations, DurationMs: now() - t.began,
		}),
		ipc.PublishTagged(abi.TopicAgentResponse, abi.AgentResponse{Text: text, IsFinal: true, SessionID: t.s.id, TurnID: t.id}))
}

// next begins the session's next turn. What runs outside of the session asks itself to.
func (s *session) next() error {
	switch {
	case len(s.queue) == 0:
		delete(sessions, s.key())
		return nil
	case outside:
		return ipc.Publish(abi.TopicTurnWake, abi.TurnWake{SessionID: s.id})
	}
	t := s.queue[0]
	s.queue = s.queue[1:]
	return s.begin(t)
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

// cancelRequest tells the provider that nobody listens any more.
func (t *turn) cancelRequest() error {
	if t.phase != streaming || t.answered {
		return nil
	}
	return ipc.Publish(abi.TopicGenerateCancel, abi.LlmCancel{RequestID: t.awaits})
}

// keepHalf stores what a turn that is given up has done since its last append: what the model
// said, and calls that have had their effects. The model must know when it is asked again.
func (t *turn) keepHalf() error {
	said := t.said.String()
	if t.phase != streaming && t.phase != tools || t.phase == streaming && said == "" || t.s.turn != t {
		return nil
	}
	var half []abi.ChatMessage
	if t.phase == tools {
		half = t.roundMessages("the turn ended before this tool had answered")
	} else {
		half = append(half, abi.TextMessage(abi.RoleAssistant, said+"\n[interrupted]"))
	}
	return ipc.Publish(abi.TopicSessionAppend, map[string]any{"session_id": t.s.id, "messages": half})
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
