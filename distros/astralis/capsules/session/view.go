package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
)

// window is the context of a session as models see it.
type window struct {
	From int             `json:"from"`
	Head json.RawMessage `json:"head"`
}

// messages fills in what was said, or a part of it. What cannot be sent anyway is not read to its end.
func messages(id string, r getRequest, a *page) error {
	next, total, err := length(id)
	if err != nil {
		return err
	}
	a.Total, a.Start = total, min(max(r.From, 0), total)
	most := total - a.Start
	if r.Limit > 0 {
		most = min(most, r.Limit)
	}
	at, size := 0, 0
	for n := range next {
		var piece []json.RawMessage
		name, bytes, err := readRaw(id, entryKey(id, n), &piece)
		if err != nil {
			return err
		}
		if n == next-1 {
			a.LastAppendID = name
		}
		first := min(max(a.Start-at, 0), len(piece))
		at += len(piece)
		piece = piece[first:]
		if piece = piece[:min(len(piece), most-len(a.Messages))]; len(piece) == 0 {
			continue
		}
		if size += bytes; size > 2*abi.MaxPublish {
			return fmt.Errorf("the answer would be larger than %d bytes, ask for a part of it (from, limit, last)", abi.MaxPublish)
		}
		a.Messages = append(a.Messages, piece...)
	}
	return nil
}

// length is the number of the next append, and how many messages there are. The record may be behind by an append that
// is being counted.
func length(id string) (next, total int, err error) {
	m, ok, err := kv.GetJSON[meta](metaKey(id))
	if err != nil {
		return 0, 0, fmt.Errorf("session %s: its record is damaged: %w", id, err)
	}
	if !ok {
		return 0, 0, nil
	}
	for next, total = m.Next, m.Messages; ; next++ {
		var more []json.RawMessage
		if _, size, err := readRaw(id, entryKey(id, next), &more); err != nil || size == 0 {
			return next, total, err
		}
		total += len(more)
	}
}

// view fills in what a model is to see: what stands for older messages, then the rest. Only that is read, and of it no more than
// the end that a request can carry: a session goes on however much was said in it.
func view(id string, r getRequest, a *page) error {
	next, total, err := length(id)
	if err != nil {
		return err
	}
	w, ok, err := kv.GetJSON[window](contextKey(id))
	if err != nil {
		return err
	}
	if !ok || w.From > total { // the latter cannot be of this session
		w = window{Head: json.RawMessage("null")}
	}
	head, err := items(nil, w.Head)
	if err != nil {
		return fmt.Errorf("session %s: its context is damaged: %w", id, err)
	}
	known := r.From > w.From && r.From <= total
	if !known {
		r.From = w.From
	}
	a.Total = total
	var whole bool
	if a.Messages, whole, err = back(id, next, total, r.From, abi.MaxContext-len(w.Head), &a.LastAppendID); err != nil {
		return err
	}
	a.Start = total - len(a.Messages)
	if !whole {
		left := fmt.Sprintf("[%d earlier messages are left out here: together with them the conversation is larger than a request to a model can be]", a.Start-w.From)
		mark, err := abi.TextMessage(abi.RoleUser, left).AppendJSON(nil)
		if err != nil {
			return err
		}
		head = append(head, mark)
	} else if known {
		head = nil
	}
	a.Head = len(head)
	a.Messages = append(head, a.Messages...)
	return nil
}

// back reads a session from its end back to the message of a number, or as far as there is room. It never begins with
// the result of a call that it leaves out.
func back(id string, next, total, from, room int, last *string) (all []json.RawMessage, whole bool, err error) {
	var appends [][]json.RawMessage
	whole = true
	for n := next - 1; n >= 0 && total > from && whole; n-- {
		var piece []json.RawMessage
		name, _, err := readRaw(id, entryKey(id, n), &piece)
		if err != nil {
			return nil, false, err
		}
		if n == next-1 {
			*last = name
		}
		first := len(piece)
		for first > 0 && total > from {
			if room -= len(piece[first-1]) + 1; room < 0 && (n < next-1 || first < len(piece)) { // the last message is always there
				whole = false
				break
			}
			first, total = first-1, total-1
		}
		appends = append(appends, piece[first:])
	}
	slices.Reverse(appends)
	all = slices.Concat(appends...)
	for !whole && len(all) > 0 && isResult(all[0]) {
		all = all[1:]
	}
	if *last == "" && next > 0 { // nothing was to be read
		*last, _, err = readRaw(id, entryKey(id, next-1), new([]json.RawMessage))
	}
	return all, whole, err
}

// isResult tells whether a message answers a tool call.
func isResult(m json.RawMessage) bool {
	result := false
	err := rawjson.Object(m, func(name string, value json.RawMessage) error {
		result = result || name == "content" && len(value) > 0 && value[0] == '{'
		return nil
	})
	return err == nil && result
}

// message reads one message of a session.
func message(id string, number int) (abi.ChatMessage, error) {
	var m abi.ChatMessage
	next, total, err := length(id)
	for n := next - 1; n >= 0 && err == nil; n-- {
		var piece []json.RawMessage
		if _, _, err = readRaw(id, entryKey(id, n), &piece); err != nil {
			break
		}
		if total -= len(piece); total <= number {
			return m, m.UnmarshalJSON(piece[number-total])
		}
	}
	return m, err
}
