package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
)

// A turn has a record from its beginning to its end: react.turn.<session>. It is written when the
// turn begins, and before tools are called. What is between can be done again: appends have
// names, so that none is stored twice, and the model can be asked again. Tools cannot be run
// again: those without a result are told to the model as such.
const (
	recordPrefix  = "react.turn."
	schemaVersion = 2
)

const (
	maxResumes = 3                       // a turn that ends the daemon must not do so for ever
	maxAge     = int64(24 * 3600 * 1000) // ms; nobody waits for what is older
)

type record struct {
	SchemaVersion int            `json:"schema_version"`
	SessionID     string         `json:"session_id"`
	TurnID        string         `json:"turn_id"`
	Text          string         `json:"text"`
	Limits        abi.TurnLimits `json:"limits"`
	Model         string         `json:"model,omitempty"` // that the prompt asks for
	Directory     string         `json:"directory,omitempty"`
	Command       string         `json:"command,omitempty"`
	BeganMs       int64          `json:"began_ms"`
	KeptMs        int64          `json:"kept_ms"`
	Resumes       int            `json:"resumes,omitempty"`
	Usage         abi.Usage      `json:"usage"`
	Iterations    int            `json:"iterations"`
	ToolCalls     int            `json:"tool_calls"`
	Appends       int            `json:"appends"`
	Steered       []string       `json:"steered,omitempty"`
	Said          string         `json:"said,omitempty"`
	Calls         []keptCall     `json:"calls,omitempty"` // of a round that was sent out
}

type keptCall struct {
	abi.ToolCall
	Result *abi.ToolCallResult `json:"result,omitempty"`
}

func (s *session) recordKey() string { return recordPrefix + strconv.QuoteToASCII(s.id) }

// keep writes the record.
func (t *turn) keep() error {
	r := record{
		SchemaVersion: schemaVersion, SessionID: t.s.id, TurnID: t.id, Text: t.text, Limits: t.limits, Model: t.wants, Directory: t.directory, Command: t.command,
		BeganMs: t.began, KeptMs: now(), Resumes: t.resumes,
		Usage: t.usage, Iterations: t.iterations, ToolCalls: t.toolCalls, Appends: t.appends, Steered: t.steered,
	}
	if t.phase == tools {
		r.Said = t.said.String()
		for _, c := range t.calls {
			r.Calls = append(r.Calls, keptCall{c.ToolCall, c.result})
		}
	}
	return kv.SetJSON(t.s.recordKey(), r)
}

func (t *turn) forget() error { return kv.Delete(t.s.recordKey()) }

// looked says that this instance has looked for unfinished turns.
var looked bool

// wakeUnfinished finds the turns that a restart, or the end of an instance, has interrupted, and
// asks itself to go on with each in its own session.
func wakeUnfinished(ctx *sdk.Context) error {
	if looked {
		return nil
	}
	keys, err := kv.List(recordPrefix)
	if err != nil {
		return err
	}
	looked = true
	var errs []error
	for _, k := range keys {
		r, ok, err := kv.GetJSON[record](k)
		switch {
		case err != nil || r.SchemaVersion != schemaVersion:
			ctx.Warn("The record of a turn cannot be read and is dropped", "key", k, "error", err)
			errs = append(errs, kv.Delete(k))
		case ok && sessions[(&session{id: r.SessionID, principal: principalOf(ctx)}).key()] == nil:
			errs = append(errs, ipc.Publish(abi.TopicTurnWake, abi.TurnWake{SessionID: r.SessionID, TurnID: r.TurnID}))
		}
	}
	return errors.Join(errs...)
}

// principalOf is whom a message of nobody acts for.
func principalOf(ctx *sdk.Context) string {
	if p := ctx.Principal(); p != "" {
		return p
	}
	return "default"
}

// handleWake goes on in a session: with a turn that was interrupted, with one that waits behind one that
// timed out, or without the compaction that did not come.
func handleWake(ctx *sdk.Context, w abi.TurnWake) error {
	s := sessionOf(ctx, w.SessionID)
	if s.turn != nil {
		if t := s.turn; t.id == w.TurnID && t.phase == compacting && now()-t.since >= compactTimeout*1000 {
			return t.or(t.generate())
		}
		return nil
	}
	r, ok, err := kv.GetJSON[record](s.recordKey())
	if err != nil {
		return err
	}
	if !ok || r.TurnID != w.TurnID {
		return s.next()
	}
	return s.resume(r)
}

// resume goes on where a turn's record ends.
func (s *session) resume(r record) error {
	t := newTurn(s, r.TurnID, r.Text)
	t.began, t.limits, t.wants, t.directory, t.usage, t.iterations, t.toolCalls = r.BeganMs, r.Limits, r.Model, r.Directory, r.Usage, r.Iterations, r.ToolCalls
	t.appends, t.steered, t.resumes, t.command = r.Appends, r.Steered, r.Resumes+1, r.Command
	s.turn = t
	sessions[s.key()] = s
	switch {
	case now()-r.KeptMs > maxAge:
		return t.fail("internal", "the daemon was away for too long to go on with this turn: send it again")
	case t.resumes > maxResumes:
		return t.fail("internal", "the daemon has ended "+strconv.Itoa(maxResumes)+" times during this turn")
	}
	if len(r.Calls) == 0 {
		t.enter(storing, newID())
		return t.or(errors.Join(t.ask([]abi.ChatMessage{abi.TextMessage(abi.RoleUser, t.text)}, true), t.keep()))
	}
	t.said.WriteString(r.Said)
	for _, k := range r.Calls {
		t.calls = append(t.calls, &call{ToolCall: k.ToolCall, result: k.Result})
	}
	t.phase = tools
	if t.command != "" {
		t.stop = abi.StopEndTurn
	}
	kept := t.keep()
	round := t.roundMessages("the daemon was restarted while this tool ran: it may or may not have had its effect")
	t.iterations++
	t.appends++
	t.enter(saving, newID())
	return t.or(errors.Join(kept, t.announce(), t.ask(round, true)))
}

// finishedBefore tells whether a turn that is resumed had stored more than its record says. Then
// what was stored last was its answer, which nobody has been told.
func (t *turn) finishedBefore(r abi.SessionMessages) bool {
	n, ok := strings.CutPrefix(r.LastAppendID, t.id+"/")
	later, err := strconv.Atoi(n)
	if !ok || err != nil || later <= t.appends || len(r.Messages) == 0 {
		return false
	}
	t.appends = later
	last := r.Messages[len(r.Messages)-1]
	if last.Role != abi.RoleAssistant || last.Content.Calls != nil {
		return false // what was said meanwhile: the model has not seen it
	}
	t.final, t.stop = last.Content.Text, abi.StopEndTurn
	return true
}
