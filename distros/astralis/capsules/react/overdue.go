package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

// callName names a call across all sessions.
type callName struct{ principal, session, id string }

func (s *session) callName(id string) callName { return callName{s.principal, s.id, id} }

// abandoned are the calls that were running when their turn ended, with the time of that.
// A model may use the same id again, and must not be given the result of the old call.
var abandoned = map[callName]int64{}

// open are the calls of a round that have no result yet.
func (t *turn) open() []*call {
	if t.phase != tools {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(t.calls), func(c *call) bool { return c.result != nil })
}

// abandon notes the calls whose results nobody waits for any more.
func (t *turn) abandon() {
	for _, c := range t.open() {
		abandoned[t.s.callName(c.ID)] = now()
	}
}

// taken tells whether a result with that id could be for another call. What carries no
// session is told apart by the id alone, so all sessions of the principal count.
func (t *turn) taken(id string) bool {
	for name := range abandoned {
		if name.principal == t.s.principal && name.id == id {
			return true
		}
	}
	for _, s := range sessions {
		if o := s.turn; s.principal == t.s.principal && o != t && o.phase == tools && o.call(id) != nil {
			return true
		}
	}
	return false
}

// forgetAbandoned drops what has not answered in the time that tools have.
func forgetAbandoned() {
	for key, since := range abandoned {
		if now()-since >= int64(toolTimeout())*1000 {
			delete(abandoned, key)
		}
	}
}

func toolTimeout() int { return setting("tool_timeout_secs", 330) }

// outside is true while what runs belongs to no session: what is published then carries none, so
// nothing that a turn does can be started.
var outside bool

// endOverdue ends the turns whose phase, or which themselves, have taken too long.
func endOverdue() error {
	forgetAbandoned()
	outside = true
	defer func() { outside = false }()
	var errs []error
	for _, s := range sessions {
		t := s.turn
		if t == nil { // its wake-up was lost
			errs = append(errs, s.next())
			continue
		}
		if l := t.exceeded(); l != nil && l.reason == abi.StopTime {
			errs = append(errs, t.end(l.reason, &abi.TurnError{Kind: "limit", Message: l.text}, l.text))
			continue
		}
		limit := 30
		switch t.phase {
		case compacting:
			limit = compactTimeout
		case streaming:
			limit = setting("streaming_timeout_secs", 120)
		case tools:
			limit = toolTimeout()
		}
		if now()-t.since < int64(limit)*1000 {
			continue
		}
		if t.phase == compacting { // then it must do as it is
			errs = append(errs, ipc.Publish(abi.TopicTurnWake, abi.TurnWake{SessionID: s.id, TurnID: t.id}))
			continue
		}
		text := fmt.Sprintf("Request timed out (%s phase exceeded %ds limit)", phaseNames[t.phase], limit)
		errs = append(errs, t.fail("timeout", text))
	}
	return errors.Join(errs...)
}
