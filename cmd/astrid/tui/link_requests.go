package tui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// hydrate reads what the screen shows of a session, and then lets the waiting requests go.
func (l *link) hydrate(ctx context.Context, conn *client.Conn, correlation string) {
	if !l.show(ctx, conn, correlation, false) {
		return // the reader tells
	}
	l.mu.Lock()
	if l.conn == conn {
		close(l.up)
	}
	l.mu.Unlock()
	l.refreshAll()
}

// show reads the session's history for the screen. It returns false if the connection ended.
func (l *link) show(ctx context.Context, conn *client.Conn, correlation string, resumed bool) bool {
	session := l.currentSession()
	topic := abi.TopicSessionGetResponse + correlation
	c := l.await(topic)
	msg := connectedMsg{session: session, resumed: resumed, load: correlation}
	var st abi.DaemonStatus
	if err := l.manage(ctx, conn, abi.MethodGetStatus, nil, &st); err == nil {
		msg.pid = st.PID
	}
	err := l.bound(ctx, conn)
	if err != nil && ctx.Err() == nil {
		msg.problem = err.Error()
	}
	var end abi.SessionMessages
	err = conn.Publish(ctx, abi.TopicSessionGet, session, "", abi.SessionMessagesRequest{SessionID: session, CorrelationID: correlation, Last: firstMessages})
	if err == nil {
		end, err = l.history(ctx, topic, c)
		msg.history = end.Messages
	}
	if errors.Is(err, client.ErrClosed) || errors.Is(err, errOffline) || ctx.Err() != nil {
		return false
	}
	if err != nil {
		msg.problem = err.Error()
	}
	l.send(msg)
	if end.Earlier > 0 {
		l.spawn(func() { l.readOlder(ctx, conn, session, correlation, end.Earlier) })
	}
	return true
}

const (
	// firstMessages is how much of a session is read before it is shown, moreMessages how much at once
	// of what is before that.
	firstMessages = 100
	moreMessages  = 1000
)

// readOlder reads what is before the end of the session, piece by piece.
func (l *link) readOlder(ctx context.Context, conn *client.Conn, session, load string, before int) {
	for before > 0 && l.currentSession() == session {
		var r abi.SessionMessages
		err := l.askSessions(ctx, conn, "get_messages", abi.SessionMessagesRequest{SessionID: session, CorrelationID: l.asker, Last: moreMessages, Before: before}, &r)
		if err == nil && r.Error != "" {
			err = errors.New(r.Error)
		}
		if errors.Is(err, client.ErrClosed) || errors.Is(err, errOffline) || ctx.Err() != nil {
			return // the reader tells
		}
		if err != nil {
			l.send(failedMsg{what: "the session's beginning could not be read", err: err})
			return
		}
		l.send(olderMsg{load, r.Messages})
		if r.Earlier >= before {
			return // nobody gets anywhere that way
		}
		before = r.Earlier
	}
}

func (l *link) history(ctx context.Context, topic string, c <-chan abi.Message) (r abi.SessionMessages, err error) {
	m, err := l.reply(ctx, topic, c, "the request for the session's history")
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(unwrap(m.Payload), &r); err != nil {
		return r, fmt.Errorf("history of the session: %w", err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("history of the session: %s", r.Error)
	}
	return r, nil
}

// refreshAll asks for everything that the status line and the completion show.
func (l *link) refreshAll() {
	l.add(job{do: func(ctx context.Context, c *client.Conn) error {
		// No registry capsule is no error: the model stays unknown.
		_ = c.Publish(ctx, "registry.v1.get_active_model", l.currentSession(), "", struct{}{})
		l.spawn(func() {
			var list commandsMsg
			if l.manage(ctx, c, abi.MethodGetCommands, nil, &list) == nil {
				l.send(list)
			}
		})
		return nil
	}})
	l.Refresh()
}

// work carries out requests, one after the other.
func (l *link) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-l.jobs:
			conn, err := l.current(ctx, j.needed)
			if err == nil {
				err = j.do(ctx, conn)
			}
			switch {
			case err == nil || ctx.Err() != nil:
			case j.failed != nil:
				j.failed(err)
			case j.what != "":
				l.send(failedMsg{what: j.what, turn: j.turn, err: err})
			}
		}
	}
}

// current returns the connection; if it is needed, one is waited for.
func (l *link) current(ctx context.Context, needed bool) (*client.Conn, error) {
	timer := time.NewTimer(wakeTimeout)
	defer timer.Stop()
	select {
	case <-l.cold: // of an earlier request
	default:
	}
	for {
		l.mu.Lock()
		conn, up := l.conn, l.up
		l.mu.Unlock()
		select {
		case <-up:
			return conn, nil
		default:
		}
		if !needed {
			return nil, errOffline
		}
		select {
		case l.wake <- struct{}{}:
		default:
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-timer.C:
			return nil, errOffline
		case err := <-l.cold:
			return nil, err
		case <-up:
		}
	}
}

// add queues a request. The screen never waits for it.
func (l *link) add(j job) {
	select {
	case l.jobs <- j:
	default:
		if j.failed != nil {
			go j.failed(fmt.Errorf("too many requests wait for the daemon (%d)", maxJobs))
			return
		}
		go l.send(failedMsg{what: j.what, turn: j.turn, err: fmt.Errorf("too many requests wait for the daemon (%d)", maxJobs)})
	}
}

func (l *link) Prompt(turn, text, model string, steer bool) {
	l.prompt(text, abi.InputContext{TurnID: turn, Steer: steer, Model: model, Directory: l.directory})
}

func (l *link) Run(turn, text, command string) {
	l.prompt(text, abi.InputContext{TurnID: turn, Command: command, Directory: l.directory})
}

func (l *link) prompt(text string, how abi.InputContext) {
	l.add(job{what: "the prompt was not sent", turn: how.TurnID, needed: true, do: func(ctx context.Context, c *client.Conn) error {
		in, err := json.Marshal(how)
		if err != nil {
			return err
		}
		if err := l.bound(ctx, c); err != nil {
			return err
		}
		s := l.currentSession()
		if err := c.Publish(ctx, abi.TopicUserPrompt, s, l.start.Workspace, abi.UserInput{Text: text, SessionID: s, Context: in}); err != nil {
			return err
		}
		l.send(sentMsg{how.TurnID})
		return nil
	}})
}

func (l *link) Cancel(turn string) {
	l.add(job{what: "the turn could not be cancelled", do: func(ctx context.Context, c *client.Conn) error {
		in, err := json.Marshal(abi.InputContext{Action: abi.ActionCancelTurn, TurnID: turn})
		if err != nil {
			return err
		}
		s := l.currentSession()
		return c.Publish(ctx, abi.TopicUserPrompt, s, "", abi.UserInput{SessionID: s, Context: in})
	}})
}

func (l *link) Answer(id, session, decision, feedback string) {
	l.add(job{what: "the decision was not taken", do: func(ctx context.Context, c *client.Conn) error {
		a := abi.ApprovalResponse{RequestID: id, Decision: decision}
		if feedback != "" {
			a.Reason = &feedback
		}
		if err := c.Publish(ctx, abi.TopicApprovalResponse+id, session, "", a); err != nil {
			return err
		}
		l.send(answeredMsg{id})
		return nil
	}})
}

func (l *link) Command(text string) {
	l.add(job{what: "the command was not sent", do: func(ctx context.Context, c *client.Conn) error {
		if err := l.bound(ctx, c); err != nil {
			return err
		}
		s := l.currentSession()
		return c.Publish(ctx, abi.TopicCommandExecute, s, l.start.Workspace, abi.UserInput{Text: text, SessionID: s})
	}})
}

// models asks for the models; the answer comes as any message of the registry.
func (l *link) models() {
	l.add(job{what: "the models could not be listed", do: func(ctx context.Context, c *client.Conn) error {
		return c.Publish(ctx, "registry.v1.get_providers", l.currentSession(), "", struct{}{})
	}})
}

func (l *link) SetModel(id string) {
	l.add(job{what: "the model could not be chosen", do: func(ctx context.Context, c *client.Conn) error {
		return c.Publish(ctx, "registry.v1.set_active_model", l.currentSession(), "", map[string]string{"model_id": id})
	}})
}

// Refresh asks for the mode and for what the session has cost.
func (l *link) Refresh() {
	l.add(job{do: func(ctx context.Context, c *client.Conn) error {
		l.spawn(func() {
			var mode abi.ModeInfo
			if l.manage(ctx, c, abi.MethodGetMode, l.place(), &mode) == nil {
				l.send(modeMsg(mode))
			}
			var b abi.BudgetInfo
			if l.manage(ctx, c, abi.MethodGetBudget, nil, &b) == nil {
				l.send(costOf(b, l.currentSession()))
			}
		})
		return nil
	}})
}

// costOf is what the session has cost, and the limit even when it has cost nothing yet.
func costOf(b abi.BudgetInfo, session string) budgetMsg {
	for _, t := range b.Totals {
		if t.Scope == "session" && t.Name == session {
			return budgetMsg(t)
		}
	}
	for _, l := range b.Limits {
		if l.Name == "session" {
			return budgetMsg{MaxUSD: l.MaxUSD}
		}
	}
	return budgetMsg{}
}

// place is the session and where it works, also if the daemon does not know it yet.
func (l *link) place() abi.ModeQuery {
	return abi.ModeQuery{Workspace: l.start.Workspace, Session: l.currentSession()}
}

// Switch goes on with another session, which has no history yet. It gets the mode that was chosen here.
func (l *link) Switch(session string) {
	l.mu.Lock()
	l.session, l.mode = session, l.fresh // also for a connection that is made later
	l.mu.Unlock()
	l.add(job{what: "the new session could not be followed", do: func(ctx context.Context, c *client.Conn) error {
		if err := l.attach(ctx, c, uuid.NewString()); err != nil {
			return err
		}
		defer l.Refresh()
		return l.bound(ctx, c)
	}})
}

// Resume goes on with a session that has a history.
func (l *link) Resume(session string) {
	l.mu.Lock()
	l.session, l.mode = session, ""
	l.mu.Unlock()
	l.add(job{what: "the session could not be opened", do: func(ctx context.Context, c *client.Conn) error {
		correlation := uuid.NewString()
		if err := l.attach(ctx, c, correlation); err != nil {
			return err
		}
		l.spawn(func() {
			if l.show(ctx, c, correlation, true) {
				l.Refresh()
			}
		})
		return nil
	}})
}

// Elicit sends an answer to a capsule's question.
func (l *link) Elicit(r abi.ElicitResponse) {
	l.aside(func(ctx context.Context, c *client.Conn) error {
		err := c.Publish(ctx, abi.TopicElicitResponse+r.RequestID, "", "", r)
		l.send(elicitedMsg{r.RequestID, err})
		return nil
	}, func(err error) { l.send(elicitedMsg{r.RequestID, err}) })
}
