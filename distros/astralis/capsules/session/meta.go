package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	stdtime "time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
	"github.com/unicity-astrid/astrid-go/sdk/time"
)

const metaPrefix = "session.meta."

func metaKey(id string) string { return metaPrefix + strconv.QuoteToASCII(id) }

// meta is a session's record. Its counts trail the log by one append when a crash comes
// between; Next tells.
type meta struct {
	SchemaVersion int `json:"schema_version"`
	abi.SessionInfo
	Next int `json:"next"` // number of the append after those counted
}

const schemaVersion = 2

// workspace is the directory that the running call's session works in.
var workspace string

func begin(id string, messages []abi.ChatMessage) error {
	m, ok, err := kv.GetJSON[meta](metaKey(id))
	if err != nil {
		return fmt.Errorf("session %s: its record is damaged: %w", id, err)
	}
	if !ok {
		m = fresh(id, "")
	}
	if m.Workspace == "" {
		m.Workspace = workspace
	}
	if !m.Named {
		m.Title = titleOf(messages, m.Title)
	}
	return kv.SetJSON(metaKey(id), m)
}

func fresh(id, parent string) meta {
	now := time.Now()
	return meta{SchemaVersion: schemaVersion, SessionInfo: abi.SessionInfo{
		SessionID: id, ParentSessionID: parent, CreatedAt: now, UpdatedAt: now, Workspace: workspace,
	}}
}

// count brings a session's record up to date after an append; what it missed is read again.
func count(id string, added []abi.ChatMessage) error {
	m, ok, err := kv.GetJSON[meta](metaKey(id))
	if err != nil || !ok {
		return err // somebody deleted it just now
	}
	next, err := end(id)
	if err != nil {
		return err
	}
	if m.Next == next-1 {
		m.add(added)
	} else {
		m.Messages, m.Prompts = 0, 0
		err = each(id, func(e entry) (bool, error) {
			m.add(e.Messages)
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	m.Next, m.UpdatedAt = next, time.Now()
	return kv.SetJSON(metaKey(id), m)
}

// add counts messages.
func (m *meta) add(ms []abi.ChatMessage) {
	m.Messages += len(ms)
	m.Prompts += prompts(ms)
	if !m.Named {
		m.Title = titleOf(ms, m.Title)
	}
}

func prompts(ms []abi.ChatMessage) int {
	n := 0
	for _, m := range ms {
		if m.Role == abi.RoleUser {
			n++
		}
	}
	return n
}

// titleOf is how the first prompt begins, unless there is a title.
func titleOf(ms []abi.ChatMessage, have string) string {
	if have != "" {
		return have
	}
	for _, m := range ms {
		if m.Role != abi.RoleUser {
			continue
		}
		for line := range strings.Lines(textOf(m)) {
			if line = strings.Join(strings.Fields(line), " "); line != "" {
				return clip(line, 80)
			}
		}
	}
	return ""
}

// clip cuts text to so many characters.
func clip(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return s
}

// find returns a session's record.
func find(id string) (meta, error) {
	m, ok, err := kv.GetJSON[meta](metaKey(id))
	if err == nil && !ok {
		err = fmt.Errorf("there is no session %q", id)
	}
	return m, err
}

// all returns the records of all sessions, the last used first.
func all() ([]meta, error) {
	keys, err := kv.List(metaPrefix)
	if err != nil {
		return nil, err
	}
	out := make([]meta, 0, len(keys))
	for _, k := range keys {
		m, ok, err := kv.GetJSON[meta](k)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b meta) int {
		return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt), strings.Compare(a.SessionID, b.SessionID))
	})
	return out, nil
}

func handleList(_ *sdk.Context, r abi.SessionListRequest) error {
	a := abi.SessionList{CorrelationID: r.CorrelationID, Sessions: []abi.SessionInfo{}}
	return answer("list", r.CorrelationID, &a, &a.Error, func() error {
		ms, err := all()
		if err != nil {
			return err
		}
		// A cursor is where the page before ended: sessions that were used since are on the first page again.
		before, id, paged := strings.Cut(r.Cursor, "/")
		at, err := stdtime.Parse(stdtime.RFC3339Nano, before)
		if r.Cursor != "" && (err != nil || !paged) {
			return fmt.Errorf("cursor %q is none of an answer", r.Cursor)
		}
		for _, m := range ms {
			switch {
			case m.Messages == 0 && !r.Empty, r.Workspace != "" && m.Workspace != r.Workspace:
				continue
			case paged && cmp.Or(at.Compare(m.UpdatedAt), strings.Compare(m.SessionID, id)) <= 0:
				continue
			}
			if len(a.Sessions) == limit(r.Limit, 50, 500) {
				last := a.Sessions[len(a.Sessions)-1]
				a.Next = last.UpdatedAt.Format(stdtime.RFC3339Nano) + "/" + last.SessionID
				return nil
			}
			a.Sessions = append(a.Sessions, m.SessionInfo)
		}
		return nil
	})
}

// limit is what was asked for, within what there is.
func limit(asked, usual, most int) int {
	if asked <= 0 {
		return usual
	}
	return min(asked, most)
}
