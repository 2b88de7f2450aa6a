package tui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

type (
	// fetchedMsg is what a page asked for: all of it, or what belongs to the row key.
	fetchedMsg struct {
		page, key string
		data      any
		err       error
	}
	// actedMsg is what came of an action.
	actedMsg struct {
		page, text string
		err        error
	}
)

const (
	// maxEntries is how much of the audit log a page shows.
	maxEntries = 500
	// maxSessions is how many sessions a page shows.
	maxSessions = 500
	// maxDiffText is how much of one file's diff a page shows, in bytes.
	maxDiffText = 512 << 10
)

// Fetch reads what a page shows. key "" is all of it, else the row with that id.
func (l *link) Fetch(page, key string) {
	if page == pageModel {
		l.models()
		return
	}
	l.aside(func(ctx context.Context, c *client.Conn) error {
		data, err := l.fetch(ctx, c, page, key)
		l.send(fetchedMsg{page, key, data, err})
		return nil
	}, func(err error) { l.send(fetchedMsg{page: page, key: key, err: err}) })
}

// Act carries out what a page offers.
func (l *link) Act(page, verb, key string) {
	l.aside(func(ctx context.Context, c *client.Conn) error {
		text, err := l.act(ctx, c, page, verb, key)
		l.send(actedMsg{page, text, err})
		return nil
	}, func(err error) { l.send(actedMsg{page: page, err: err}) })
}

// aside does something that takes its time without holding up what comes after it.
func (l *link) aside(do func(context.Context, *client.Conn) error, failed func(error)) {
	l.add(job{failed: failed, do: func(ctx context.Context, c *client.Conn) error {
		l.spawn(func() {
			if err := do(ctx, c); err != nil {
				failed(err)
			}
		})
		return nil
	}})
}

func (l *link) fetch(ctx context.Context, c *client.Conn, page, key string) (any, error) {
	switch page {
	case pageDiff:
		if key != "" {
			return l.diffOf(ctx, c, key)
		}
		return l.changes(ctx, c)
	case pageCaps:
		return manageAs[[]abi.GrantInfo](ctx, l, c, abi.MethodListGrants, nil)
	case pageBudget:
		return manageAs[abi.BudgetInfo](ctx, l, c, abi.MethodGetBudget, nil)
	case pageCapsules:
		return manageAs[abi.DaemonStatus](ctx, l, c, abi.MethodGetStatus, nil)
	case pageApprovals:
		return manageAs[[]abi.ApprovalInfo](ctx, l, c, abi.MethodListApprovals, nil)
	case pageMode:
		return manageAs[abi.ModeInfo](ctx, l, c, abi.MethodGetMode, l.place())
	case pageAudit, pageAuditAll:
		if key != "" {
			return l.command(ctx, "why", key)
		}
		return l.entries(ctx, page == pageAuditAll)
	case pageSessions:
		if key != "" {
			return l.messagesOf(ctx, c, key)
		}
		return l.sessions(ctx, c)
	}
	return nil, fmt.Errorf("nobody knows what %q shows", page)
}

func (l *link) act(ctx context.Context, c *client.Conn, page, verb, key string) (string, error) {
	switch page + " " + verb {
	case pageDiff + " commit":
		return l.commit(ctx, c, key)
	case pageDiff + " discard":
		out, err := manageAs[abi.OverlayOutcome](ctx, l, c, abi.MethodDiscardOverlay, l.selector(key))
		return fmt.Sprintf("discarded %d, %d changes are left", out.Count, out.Remaining), err
	case pageCaps + " revoke":
		_, err := manageAs[[]abi.GrantInfo](ctx, l, c, abi.MethodRevokeGrants, abi.GrantSelector{ID: key, Reason: "revoked in the chat screen"})
		return "revoked " + key, err
	case pageMode + " session":
		info, err := l.setMode(ctx, c, l.currentSession(), key)
		l.Refresh()
		if err == nil && info.Mode != key {
			err = fmt.Errorf("%s is in force (%s): a session's own mode can only be stricter; /mode, then s, changes your configuration", info.Mode, info.Source)
		}
		return "mode " + info.Mode + " in this session", err
	case pageMode + " set":
		text, err := l.command(ctx, "mode", "set", key)
		l.Refresh()
		return text, err
	case pageAudit + " verify", pageAuditAll + " verify":
		return l.command(ctx, "audit", "verify")
	}
	if page == pageApprovals {
		_, err := manageAs[abi.ApprovalInfo](ctx, l, c, abi.MethodAnswerApproval, abi.ApprovalReply{RequestID: key, Decision: verb})
		return strings.ToLower(word(verb)) + ": decided", err
	}
	return "", fmt.Errorf("nobody knows how to %s there", verb)
}

func manageAs[T any](ctx context.Context, l *link, c *client.Conn, method string, params any) (v T, err error) {
	err = l.manage(ctx, c, method, params, &v)
	return v, err
}

// command runs another astrid command and returns what it printed.
func (l *link) command(ctx context.Context, args ...string) (string, error) {
	if l.astrid == nil {
		return "", errors.New("this screen cannot run other commands")
	}
	out, errs, code := l.astrid(ctx, args...)
	text := strings.TrimSpace(strings.TrimSpace(out) + "\n" + strings.TrimSpace(errs))
	if code != 0 {
		return "", errors.New(text)
	}
	return text, nil
}

func (l *link) selector(path string) abi.OverlaySelector {
	sel := abi.OverlaySelector{Session: l.currentSession()}
	if path != "" {
		sel.Paths = []string{path}
	}
	return sel
}

func (l *link) changes(ctx context.Context, c *client.Conn) ([]abi.OverlayChange, error) {
	known, err := manageAs[[]abi.OverlayInfo](ctx, l, c, abi.MethodListOverlays, abi.OverlayQuery{Session: l.currentSession()})
	if err != nil || len(known) == 0 {
		return nil, err
	}
	if known[0].Problem != "" {
		return nil, errors.New(known[0].Problem)
	}
	page, err := manageAs[abi.OverlayChanges](ctx, l, c, abi.MethodOverlayChanges, l.selector(""))
	return page.Changes, err
}

// files lists what @ completes: the workspace as the session has it. What the daemon does not tell in time is left out:
// the list is a convenience.
func (l *link) files(ctx context.Context) fileList {
	list := listFiles(l.start.Workspace)
	l.mu.Lock()
	c := l.conn
	l.mu.Unlock()
	if c == nil {
		return list
	}
	ctx, stop := context.WithTimeout(ctx, maxWalk)
	defer stop()
	changes, err := l.changes(ctx, c)
	if err != nil {
		return list
	}
	return list.with(changes)
}

// diffOf reads the diff of one path, up to what a person would look at.
func (l *link) diffOf(ctx context.Context, c *client.Conn, path string) (string, error) {
	var b strings.Builder
	sum := ""
	for {
		sel := l.selector(path)
		sel.Offset = b.Len()
		part, err := manageAs[abi.OverlayDiff](ctx, l, c, abi.MethodOverlayDiff, sel)
		switch {
		case err != nil:
			return "", err
		case b.Len() > 0 && part.Sum != sum:
			return b.String() + "\n(it changed while it was read: r reads it again)\n", nil
		}
		sum = part.Sum
		b.Write(part.Text)
		if b.Len() >= part.Total || len(part.Text) == 0 {
			return b.String(), nil
		}
		if b.Len() >= maxDiffText {
			return b.String() + fmt.Sprintf("\n(%s more: astrid diff shows all)\n", byteCount(int64(part.Total-b.Len()))), nil
		}
	}
}

func (l *link) commit(ctx context.Context, c *client.Conn, path string) (string, error) {
	sel := l.selector(path)
	out, err := manageAs[abi.OverlayOutcome](ctx, l, c, abi.MethodCommitOverlay, abi.OverlayCommit{Session: sel.Session, Paths: sel.Paths, OnConflict: abi.ConflictRefuse})
	switch {
	case err != nil:
		return "", err
	case !out.Done && out.ConflictCount > 0:
		return "", fmt.Errorf("nothing was committed: %d changed in the workspace meanwhile (%s); astrid commit --ours or --theirs decides", out.ConflictCount, conflictName(out.Conflicts))
	}
	text := fmt.Sprintf("committed %d, %d changes are left", out.Count, out.Remaining)
	if out.SkippedCount > 0 {
		text += fmt.Sprintf(", %d cannot be committed", out.SkippedCount)
	}
	return text, nil
}

func conflictName(list []abi.OverlayChange) string {
	if len(list) == 0 {
		return "unknown"
	}
	return list[0].Path
}

// entries reads the newest audit entries, newest first.
func (l *link) entries(ctx context.Context, all bool) ([]audit.Entry, error) {
	args := []string{"audit", "query", "--json", "--limit", fmt.Sprint(maxEntries)}
	if !all {
		args = append(args, "--session", l.currentSession())
	}
	if l.astrid == nil {
		return nil, errors.New("this screen cannot read the audit log")
	}
	out, errs, code := l.astrid(ctx, args...)
	if code != 0 {
		return nil, errors.New(strings.TrimSpace(errs))
	}
	var list []audit.Entry
	for raw := range strings.Lines(out) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(raw), &e); err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		list = append([]audit.Entry{e}, list...)
	}
	return list, nil
}

// previewed is how many messages of a session its preview is made of.
const previewed = 50

// messagesOf reads the end of another session's conversation.
func (l *link) messagesOf(ctx context.Context, c *client.Conn, session string) ([]abi.ChatMessage, error) {
	var r abi.SessionMessages
	err := l.askSessions(ctx, c, "get_messages", abi.SessionMessagesRequest{SessionID: session, CorrelationID: l.asker, Last: previewed}, &r)
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	return r.Messages, err
}

// sessions lists the sessions there are, the last used first.
func (l *link) sessions(ctx context.Context, c *client.Conn) ([]abi.SessionInfo, error) {
	var r abi.SessionList
	err := l.askSessions(ctx, c, "list", abi.SessionListRequest{CorrelationID: l.asker, Limit: maxSessions}, &r)
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	return r.Sessions, err
}

// askSessions asks the capsule that keeps sessions. One question at a time: all answers to
// this screen come on one topic, so that it does not see what others asked.
func (l *link) askSessions(ctx context.Context, c *client.Conn, verb string, request, into any) error {
	l.asking.Lock()
	defer l.asking.Unlock()
	topic := abi.TopicSessionResponsePrefix + verb + "." + l.asker
	in := l.await(topic)
	// It is asked in this screen's session: its answer is then seen by this screen.
	if err := c.Publish(ctx, abi.TopicSessionPrefix+verb, l.currentSession(), "", request); err != nil {
		return err
	}
	m, err := l.reply(ctx, topic, in, "the request for sessions")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(unwrap(m.Payload), into); err != nil {
		return fmt.Errorf("answer to %s: %w", verb, err)
	}
	return nil
}
