package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
)

// answer runs fn, which fills in *a, and publishes it. Why it failed goes to *text, and
// also what kept a large answer from being sent.
func answer[A any](verb, correlation string, a *A, text *string, fn func() error) error {
	if err := checkCorrelation(correlation); err != nil {
		return err // there is no topic to answer on
	}
	whole := *a
	err := fn()
	if err != nil {
		*a = whole
		*text = err.Error()
	}
	sent := publish(verb, correlation, a)
	if sent != nil && err == nil {
		*a = whole
		*text = "the answer could not be sent, ask for a part of it: " + sent.Error()
		sent = errors.Join(sent, publish(verb, correlation, a))
	}
	return sent
}

func publish(verb, correlation string, a any) error {
	return ipc.Publish(abi.TopicSessionResponsePrefix+verb+"."+correlation, a)
}

// about answers a verb that is about one session with its record.
func about(verb, correlation string, fn func() (meta, error)) error {
	a := abi.SessionAnswer{CorrelationID: correlation}
	return answer(verb, correlation, &a, &a.Error, func() error {
		m, err := fn()
		if err == nil {
			a.Session = &m.SessionInfo
		}
		return err
	})
}

func handleGetMeta(_ *sdk.Context, r abi.SessionRequest) error {
	return about("get_meta", r.CorrelationID, func() (meta, error) { return find(idOr(r.SessionID)) })
}

func handleUpdate(_ *sdk.Context, r abi.SessionUpdate) error {
	return about("update", r.CorrelationID, func() (meta, error) {
		m, err := find(idOr(r.SessionID))
		if err != nil {
			return m, err
		}
		title, err := checkTitle(r.Title)
		if err != nil {
			return m, err
		}
		m.Title, m.Named = title, title != ""
		if !m.Named {
			err := each(m.SessionID, func(e entry) (bool, error) {
				m.Title = titleOf(e.Messages, "")
				return m.Title == "", nil
			})
			if err != nil {
				return m, err
			}
		}
		return m, kv.SetJSON(metaKey(m.SessionID), m)
	})
}

func checkTitle(s string) (string, error) {
	s = strings.TrimSpace(s)
	if len([]rune(s)) > 200 || strings.ContainsFunc(s, unicode.IsControl) {
		return "", errors.New("a title is one line of at most 200 characters")
	}
	return s, nil
}

func handleDelete(_ *sdk.Context, r abi.SessionRequest) error {
	return about("delete", r.CorrelationID, func() (meta, error) {
		m, err := find(idOr(r.SessionID))
		if err != nil {
			return m, err
		}
		return m, remove(m.SessionID)
	})
}

// handleSetContext takes what a model is to see instead of the older messages.
func handleSetContext(_ *sdk.Context, r abi.SessionContext) error {
	return about("set_context", r.CorrelationID, func() (meta, error) {
		m, err := find(idOr(r.SessionID))
		if err != nil {
			return m, err
		}
		_, total, err := length(m.SessionID)
		if err != nil {
			return m, err
		}
		if r.From < 0 || r.From > total {
			return m, fmt.Errorf("from is %d, the session has %d messages", r.From, total)
		}
		if r.From < total {
			first, err := message(m.SessionID, r.From)
			if err != nil {
				return m, err
			}
			if first.Content.Result != nil {
				return m, fmt.Errorf("message %d answers a tool call before it: they cannot be separated", r.From)
			}
		}
		head, err := abi.AppendMessages(nil, r.Head)
		if err != nil {
			return m, err
		}
		return m, kv.SetJSON(contextKey(m.SessionID), window{From: r.From, Head: head})
	})
}

func handleFork(_ *sdk.Context, r abi.SessionForkRequest) error {
	return about("fork", r.CorrelationID, func() (meta, error) {
		from, err := find(idOr(r.SessionID))
		if err != nil {
			return from, err
		}
		id := r.NewSessionID
		if id == "" {
			id = newUUID()
		}
		if len(id) > abi.MaxSessionID {
			return from, fmt.Errorf("new_session_id is longer than %d bytes", abi.MaxSessionID)
		}
		if _, err := find(id); err == nil {
			return from, fmt.Errorf("there is a session %q already", id)
		}
		title, err := checkTitle(r.Title)
		if err != nil {
			return from, err
		}
		_, total, err := length(from.SessionID)
		if err != nil {
			return from, err
		}
		if r.At < 0 || r.At > total {
			return from, fmt.Errorf("at is %d, the session has %d messages", r.At, total)
		}
		whole := r.At == 0 || r.At == total
		m := fresh(id, from.SessionID)
		m.Title, m.Named, m.Workspace = title, title != "", from.Workspace
		if !m.Named {
			m.Title = from.Title
		}
		if whole {
			r.At = total
		}
		if err := copyTo(&m, from.SessionID, r.At, whole); err != nil {
			return from, err
		}
		if whole { // a model goes on with what it saw
			if w, ok, err := kv.GetJSON[window](contextKey(from.SessionID)); err != nil {
				return from, err
			} else if ok {
				if err := kv.SetJSON(contextKey(id), w); err != nil {
					return from, err
				}
			}
		}
		return m, kv.SetJSON(metaKey(id), m)
	})
}

// copyTo copies the first messages of a session, append by append. What a crash has left of an earlier copy goes first.
func copyTo(m *meta, from string, most int, whole bool) error {
	if _, err := kv.Clear(logPrefix(m.SessionID)); err != nil {
		return err
	}
	var held []abi.ChatMessage // calls that may miss results, and what followed
	left := most
	put := func(at int64) error {
		if len(held) == 0 {
			return nil
		}
		m.Messages, m.Prompts = m.Messages+len(held), m.Prompts+prompts(held)
		err := kv.SetJSON(entryKey(m.SessionID, m.Next), entry{At: at, Messages: held})
		m.Next, held = m.Next+1, nil
		return err
	}
	var at int64
	err := each(from, func(e entry) (bool, error) {
		ms := e.Messages[:min(left, len(e.Messages))]
		if left -= len(ms); len(ms) > 0 && ms[0].Content.Result == nil { // what was before is complete
			if err := put(at); err != nil {
				return false, err
			}
		}
		held, at = append(held, ms...), e.At
		return left > 0, nil
	})
	if err != nil {
		return err
	}
	if !whole {
		held = together(held)
	}
	return put(at)
}

// together drops calls at the end whose results are not all there.
func together(ms []abi.ChatMessage) []abi.ChatMessage {
	for i := len(ms) - 1; i >= 0; i-- {
		switch {
		case ms[i].Content.Result != nil:
			continue
		case ms[i].Content.Calls != nil && len(ms)-1-i < len(ms[i].Content.Calls):
			return ms[:i]
		}
		break
	}
	return ms
}
