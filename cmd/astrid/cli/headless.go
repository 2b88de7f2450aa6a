package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// silence is how long a headless run waits for any message.
const silence = 120 * time.Second

type headlessOptions struct {
	sys          System
	prompt       string
	promptSet    bool
	session      string
	printSession bool
	yes          bool
	format       string
}

var formats = []string{"text", "json", "stream-json"}

// runHeadless answers one prompt.
func runHeadless(ctx context.Context, o *headlessOptions) error {
	if !slices.Contains(formats, o.format) {
		return fail(ExitUsage, "--output-format: %q is none of text, json, stream-json", o.format)
	}
	if !o.promptSet && o.sys.IsTerminal(o.sys.Stdin) {
		return fail(ExitUsage, "there is no prompt: use astrid -p \"…\", or pipe text to astrid")
	}
	prompt, err := composePrompt(o.sys, o.prompt)
	if err != nil {
		return err
	}
	id, err := sessionID(o.session)
	if err != nil {
		return err
	}
	workspace, err := o.sys.Getwd()
	if err != nil {
		return fmt.Errorf("current directory: %w", err)
	}
	h, err := o.sys.openHome()
	if err != nil {
		return err
	}
	if err := firstRun(ctx, o.sys, h); err != nil {
		return err
	}
	conn, _, err := client.Ensure(ctx, client.StartOptions{
		Home: h, Version: Version, Workspace: workspace, Ephemeral: true,
		Notice: func(s string) { o.sys.notef("%s", s) },
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Subscribe(ctx, abi.ClientSubscribe{
		Topics:   []string{"agent.v1.*", abi.TopicApproval, abi.TopicHealthFailed},
		Sessions: []string{id},
		Approver: o.yes, OwnSessions: true,
	}); err != nil {
		return err
	}
	t := &turn{sys: o.sys, id: uuid.NewString(), session: id, yes: o.yes, started: time.Now()}
	out := newOutput(o.format, o.sys)
	out.begin(t)
	own, err := json.Marshal(abi.InputContext{TurnID: t.id})
	if err != nil {
		return err
	}
	if err := conn.Publish(ctx, abi.TopicUserPrompt, id, workspace, abi.UserInput{Text: prompt, SessionID: id, Context: own}); err != nil {
		return fmt.Errorf("the prompt was not taken: %w", err)
	}
	err = t.follow(ctx, conn, out)
	if o.format == "text" {
		t.noteChanges(workspace)
	}
	if o.printSession {
		fmt.Fprintln(o.sys.Stderr, id)
	}
	return err
}

// turn is the state of one running turn as the client sees it.
type turn struct {
	sys       System
	id        string // other turns of the session are somebody else's
	session   string
	yes       bool
	started   time.Time
	calls     []*toolCall
	stored    bool // the prompt is in the session's history
	completed *abi.TurnCompleted
	waiting   []approvalNotice // what nobody has approved
	final     string
	changed   *abi.OverlayInfo // what the session changed and did not commit; nil when not known
}

type toolCall struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Arguments  json.RawMessage `json:"arguments"`
	Content    string          `json:"content"`
	IsError    bool            `json:"is_error"`
	DurationMs int64           `json:"duration_ms"`
}

// follow handles messages until the turn's final answer.
func (t *turn) follow(ctx context.Context, conn *client.Conn, out output) error {
	timer := time.NewTimer(silence)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			t.cancel(conn)
			return &exitError{code: ExitInterrupted}
		case <-timer.C:
			return fail(ExitSilence, "nothing was heard from the daemon for %s", silence)
		case m, ok := <-conn.Messages():
			if !ok {
				return t.lost(conn.Err())
			}
			timer.Reset(silence)
			done, err := t.handle(ctx, conn, m, out)
			if err != nil {
				return err
			}
			if done {
				return t.result()
			}
		}
	}
}

// lost explains what is left of a turn whose daemon went away.
func (t *turn) lost(err error) error {
	if t.stored {
		return fail(ExitNoDaemon, "the connection was lost before the answer was complete: %w; the prompt is kept, go on with --session %s", err, t.session)
	}
	return fail(ExitNoDaemon, "the connection was lost before the prompt was stored: %w; send it again", err)
}

// cancel tells the agent that nobody waits any more.
func (t *turn) cancel(conn *client.Conn) {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	c, err := json.Marshal(abi.InputContext{Action: abi.ActionCancelTurn, TurnID: t.id})
	if err == nil {
		err = conn.Publish(ctx, abi.TopicUserPrompt, t.session, "", abi.UserInput{SessionID: t.session, Context: c})
	}
	if err != nil {
		t.sys.notef("the turn could not be cancelled: %v", err)
	}
}

// result is how the finished turn ends the command.
func (t *turn) result() error {
	failed := t.completed != nil && t.completed.Error != nil
	if len(t.waiting) > 0 {
		// Whatever the turn says, the approval is what has to happen next.
		if failed {
			t.sys.notef("%s", printable(t.completed.Error.Message))
		}
		return fail(ExitApproval, "%d action(s) wait for approval: answer them with astrid approvals, or repeat with --yes; then go on with --session %s",
			len(t.waiting), t.session)
	}
	if failed {
		return fail(ExitTurn, "%s", printable(t.completed.Error.Message))
	}
	return nil
}

// handle takes one message; done means that it was the last of the turn.
func (t *turn) handle(ctx context.Context, conn *client.Conn, m abi.Message, out output) (done bool, err error) {
	payload := m.Payload
	var custom struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(m.Payload, &custom); err != nil {
		return false, fmt.Errorf("message on %s: %w", m.Topic, err)
	}
	if custom.Type == abi.TagCustom {
		payload = custom.Data
	}
	var of struct {
		TurnID string `json:"turn_id"`
	}
	if json.Unmarshal(payload, &of) == nil && of.TurnID != "" && of.TurnID != t.id {
		return false, nil
	}
	switch m.Topic {
	case abi.TopicTurnStarted:
		t.stored = true // from here on it survives the daemon
		return false, nil
	case abi.TopicAgentDelta:
		return false, decodeInto(payload, m.Topic, out.delta)
	case abi.TopicAgentReasoning:
		return false, decodeInto(payload, m.Topic, out.reasoning)
	case abi.TopicToolStarted:
		return false, decodeInto(payload, m.Topic, func(s abi.ToolStarted) error {
			t.calls = append(t.calls, &toolCall{ID: s.ID, Name: s.Name, Arguments: s.Arguments})
			return out.toolStart(s)
		})
	case abi.TopicToolCompleted:
		return false, decodeInto(payload, m.Topic, func(c abi.ToolCompleted) error {
			for _, call := range t.calls {
				if call.ID == c.CallID {
					call.Content, call.IsError, call.DurationMs = c.Content, c.IsError, c.DurationMs
				}
			}
			return out.toolEnd(c)
		})
	case abi.TopicTurnCompleted:
		return false, decodeInto(payload, m.Topic, func(c abi.TurnCompleted) error {
			t.completed = &c
			return nil
		})
	case abi.TopicApproval:
		return false, decodeInto(payload, m.Topic, func(a approvalNotice) error { return t.approve(ctx, conn, a) })
	case abi.TopicHealthFailed:
		err := decodeInto(payload, m.Topic, func(f abi.HealthFailed) error {
			if done = slices.Contains(f.Topics, abi.TopicUserPrompt); !done {
				return nil
			}
			t.completed = &abi.TurnCompleted{SessionID: t.session, TurnID: t.id, StopReason: abi.StopError, Error: &abi.TurnError{
				Kind: "internal", Message: fmt.Sprintf("capsule %s died and its turns with it, ask again: %s", f.CapsuleID, f.Reason),
			}}
			return out.end(t)
		})
		return done, err
	case abi.TopicAgentResponse:
		err := decodeInto(payload, m.Topic, func(r abi.AgentResponse) error {
			if done = r.IsFinal; !done {
				return nil
			}
			t.final = r.Text
			t.changed = changedFiles(ctx, conn, t.session)
			return out.end(t)
		})
		return done, err
	}
	return false, nil
}

// approvalNotice is a question of the gate, open or queued.
type approvalNotice struct {
	abi.ApprovalRequired
	Session string `json:"session"`
	Queued  bool   `json:"queued"`
}

// approve answers a question of the gate: --yes approves once what this session asks. A
// queued one, for which nobody was there, stays for whoever answers it with astrid approvals.
func (t *turn) approve(ctx context.Context, conn *client.Conn, a approvalNotice) error {
	if a.Session != t.session {
		return nil // --yes is about this prompt, not about whatever else waits
	}
	if a.Queued {
		if t.yes || slices.ContainsFunc(t.waiting, func(w approvalNotice) bool { return w.RequestID == a.RequestID }) {
			return nil
		}
		t.waiting = append(t.waiting, a)
		t.sys.notef("waits for approval: %s, %s (%s)\n  astrid approvals approve %s", printable(a.Action), printable(a.Resource), printable(a.Reason), printable(a.RequestID))
		return nil
	}
	if !t.yes {
		return nil
	}
	t.sys.notef("approved by --yes: %s %s", printable(a.Action), printable(a.Resource))
	err := conn.Publish(ctx, abi.TopicApprovalResponse+a.RequestID, t.session, "", abi.ApprovalResponse{RequestID: a.RequestID, Decision: abi.DecisionApprove})
	if err != nil && !errors.Is(err, client.ErrClosed) {
		t.sys.notef("the approval was not taken: %v", err)
		return nil
	}
	return err
}

func decodeInto[T any](raw json.RawMessage, topic string, use func(T) error) error {
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("message on %s: %w", topic, err)
	}
	return use(v)
}
