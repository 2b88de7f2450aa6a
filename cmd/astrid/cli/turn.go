package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// turn is the state of one running turn as the client sees it.
type turn struct {
	sys       System
	id        string // other turns of the session are somebody else's
	session   string
	rules     approvalRules
	limit     time.Duration // 0: none
	started   time.Time
	calls     []*toolCall
	stored    bool // the prompt is in the session's history
	completed *abi.TurnCompleted
	waiting   []approvalNotice // what nobody has approved
	told      []string         // questions to others that were mentioned
	running   int              // calls without a result
	refused   int              // calls that the gate refused for good
	final     string
	changed   *abi.OverlayInfo // what the session changed and did not commit; nil when not known
	late      bool             // the limit is over and the turn was cancelled
	ended     bool             // the output has its end
}

type toolCall struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Arguments  json.RawMessage `json:"arguments"`
	Content    string          `json:"content"`
	IsError    bool            `json:"is_error"`
	Code       string          `json:"code,omitempty"` // why it failed, if the tool knows: denied, not_found, …
	DurationMs int64           `json:"duration_ms"`
}

// cancelGrace is how long a turn that was cancelled may take to say how it ended.
const cancelGrace = 5 * time.Second

// follow handles messages until the turn's final answer.
func (t *turn) follow(ctx context.Context, r *headlessRun) error {
	conn, out, in := r.conn, r.out, r.in
	for _, m := range r.early {
		if _, err := t.handle(ctx, conn, m, out); err != nil {
			return err
		}
	}
	r.early = nil
	timer := time.NewTimer(silence)
	defer timer.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var limit <-chan time.Time
	if t.limit > 0 {
		l := time.NewTimer(t.limit)
		defer l.Stop()
		limit = l.C
	}
	for {
		select {
		case <-limit:
			if t.late {
				return t.result()
			}
			t.late = true
			t.cancel(conn)
			grace := time.NewTimer(cancelGrace)
			defer grace.Stop()
			limit = grace.C
		case e, ok := <-in:
			if !ok {
				in = nil
				continue
			}
			if err := r.hear(ctx, t, e); err != nil {
				return err
			}
		case <-ctx.Done():
			t.cancel(conn)
			return &exitError{code: ExitInterrupted}
		case <-look.C:
			if t.askedElsewhere(ctx) {
				timer.Reset(silence)
			}
		case <-timer.C:
			return fail(ExitSilence, "nothing was heard from the daemon for %s", silence)
		case m, ok := <-conn.Messages():
			if !ok {
				return t.lost(conn.Err())
			}
			timer.Reset(silence)
			look.Reset(lookEvery)
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

// end writes the end of the output, once.
func (t *turn) end(out output) error {
	if t.ended {
		return nil
	}
	t.ended = true
	return out.end(t)
}

// brokenOff ends the output of a turn that did not say how it ended: whoever reads objects gets one in any case.
func (t *turn) brokenOff(err error, out output) error {
	if err == nil || t.ended {
		return err
	}
	c := &abi.TurnCompleted{SessionID: t.session, TurnID: t.id, StopReason: abi.StopError, Error: &abi.TurnError{Kind: "internal", Message: err.Error()}}
	switch code := codeOf(err); {
	case code == ExitInterrupted:
		c.StopReason, c.Error = abi.StopCancelled, nil
	case code == ExitSilence, t.late:
		c.StopReason, c.Error.Kind = abi.StopTimeout, "timeout"
	}
	t.completed = c
	if werr := t.end(out); werr != nil {
		t.sys.notef("%v", werr)
	}
	return err
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
	if t.late {
		return fail(ExitTurn, "it was not done within %s; the turn was cancelled, go on with --session %s", t.limit, t.session)
	}
	if len(t.waiting) > 0 {
		// Whatever the turn says, the approval is what has to happen next.
		if failed {
			t.sys.notef("%s", printable(t.completed.Error.Message))
		}
		return fail(ExitApproval, "%s for approval: answer with astrid approvals, then go on with --session %s; or ask again with --max-risk %s, which allows what is rated so, or --yes, which allows everything",
			waits(len(t.waiting)), t.session, t.risk())
	}
	if failed {
		if strings.Contains(t.completed.Error.Message, "denied by manifest") {
			t.sys.noteOutdated()
		}
		return fail(ExitTurn, "%s", printable(t.completed.Error.Message))
	}
	if t.refused > 0 {
		return fail(ExitDenied, "%s denied: astrid audit query --verdict deny shows it, go on with --session %s", count(t.refused, "action"), t.session)
	}
	for _, c := range t.calls {
		switch c.Code { // it says what to do, as where there is no sandbox or no room to record a decision
		case abi.CodeUnsupported.String(), abi.CodeAudit.String():
			return fail(ExitDenied, "%s", printable(c.Content))
		}
	}
	return nil
}

func waits(n int) string {
	if n == 1 {
		return "1 action waits"
	}
	return fmt.Sprintf("%d actions wait", n)
}

// risk is the highest level of what waits; one that is not known is above all.
func (t *turn) risk() string {
	top := 0
	for _, a := range t.waiting {
		i := slices.Index(risks, a.RiskLevel)
		if i < 0 {
			i = len(risks) - 1
		}
		top = max(top, i)
	}
	return risks[top]
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
			t.running++
			t.calls = append(t.calls, &toolCall{ID: s.ID, Name: s.Name, Arguments: s.Arguments})
			return out.toolStart(s)
		})
	case abi.TopicToolCompleted:
		return false, decodeInto(payload, m.Topic, func(c abi.ToolCompleted) error {
			t.running--
			for _, call := range t.calls {
				if call.ID == c.CallID {
					call.Content, call.IsError, call.Code, call.DurationMs = c.Content, c.IsError, c.Code, c.DurationMs
				}
			}
			if c.Refused() {
				t.refused++
			}
			return out.toolEnd(c)
		})
	case abi.TopicTurnCompleted:
		return false, decodeInto(payload, m.Topic, func(c abi.TurnCompleted) error {
			t.completed = &c
			return nil
		})
	case abi.TopicApproval:
		return false, decodeInto(payload, m.Topic, func(a approvalNotice) error { return t.approve(ctx, conn, a, out) })
	case abi.TopicHealthFailed:
		err := decodeInto(payload, m.Topic, func(f abi.HealthFailed) error {
			if done = slices.Contains(f.Topics, abi.TopicUserPrompt); !done {
				return nil
			}
			t.completed = &abi.TurnCompleted{SessionID: t.session, TurnID: t.id, StopReason: abi.StopError, Error: &abi.TurnError{
				Kind: "internal", Message: fmt.Sprintf("capsule %s died and its turns with it, ask again: %s", f.CapsuleID, f.Reason),
			}}
			return t.end(out)
		})
		return done, err
	case abi.TopicAgentResponse:
		err := decodeInto(payload, m.Topic, func(r abi.AgentResponse) error {
			if done = r.IsFinal; !done {
				return nil
			}
			t.final = r.Text
			t.changed = changedFiles(ctx, conn, t.session)
			return t.end(out)
		})
		return done, err
	}
	return false, nil
}

func decodeInto[T any](raw json.RawMessage, topic string, use func(T) error) error {
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("message on %s: %w", topic, err)
	}
	return use(v)
}
