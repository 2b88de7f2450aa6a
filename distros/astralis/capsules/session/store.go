package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
	"github.com/unicity-astrid/astrid-go/sdk/time"
)

// Each append is one key, so that it costs the same however long the session is, and is
// there wholly or not at all:
//
//	session.log.<id>/<number, 10 digits>  entry
//	session.meta.<id>                     meta
//	session.context.<id>                  what models see in place of the older messages
//
// The id is quoted, so that one session's keys are never a prefix of another's.
func logPrefix(id string) string { return "session.log." + strconv.QuoteToASCII(id) + "/" }

func contextKey(id string) string { return "session.context." + strconv.QuoteToASCII(id) }

// entry is one append.
type entry struct {
	At       int64             `json:"at"` // ms since the epoch
	ID       string            `json:"id,omitempty"`
	Messages []abi.ChatMessage `json:"messages"`
}

// AppendJSON writes the entry.
func (e entry) AppendJSON(dst []byte) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, `{"at":`...), e.At, 10)
	if e.ID != "" {
		dst = rawjson.AppendText(append(dst, `,"id":`...), e.ID)
	}
	dst, err := abi.AppendMessages(append(dst, `,"messages":`...), e.Messages)
	return append(dst, '}'), err
}

// UnmarshalJSON reads the entry.
func (e *entry) UnmarshalJSON(b []byte) error {
	*e = entry{}
	raw, err := e.outline(b)
	if err == nil {
		e.Messages, err = abi.DecodeMessages(raw)
	}
	return err
}

// outline reads all but the messages.
func (e *entry) outline(b []byte) (messages json.RawMessage, err error) {
	messages = json.RawMessage("null")
	err = rawjson.Object(b, func(name string, value json.RawMessage) (err error) {
		switch name {
		case "at":
			err = json.Unmarshal(value, &e.At)
		case "id":
			e.ID, err = rawjson.Text(value)
		case "messages":
			messages = value
		}
		return err
	})
	return messages, err
}

// store appends messages. A new session's record is written before its first message, so
// that no message is ever without one.
func store(id, appendID string, repeated bool, messages []abi.ChatMessage) (stored bool, err error) {
	if len(messages) == 0 {
		return false, nil
	}
	next, err := end(id)
	if err != nil {
		return false, err
	}
	if repeated && appendID != "" {
		for n := next - 1; n >= 0; n-- {
			if e, _, err := read(id, entryKey(id, n)); err != nil || e.ID == appendID {
				return false, err
			}
		}
	}
	if next == 0 {
		if err := begin(id, messages); err != nil {
			return false, err
		}
	}
	raw, err := entry{At: time.Now().UnixMilli(), ID: appendID, Messages: messages}.AppendJSON(nil)
	if err != nil {
		return false, err
	}
	stored = true
	if err = kv.Set(entryKey(id, next), raw); err == nil {
		newest.key, newest.raw = entryKey(id, next), raw
	}
	return stored, err
}

// newest is what the running call has stored: it is looked at several times, and may be as large as a message.
var newest struct {
	key string
	raw []byte
}

func forgetNewest() { newest.key, newest.raw = "", nil }

// fetch reads an append; nothing is that there is none.
func fetch(key string) ([]byte, error) {
	if key == newest.key {
		return newest.raw, nil
	}
	return kv.Get(key)
}

func entryKey(id string, n int) string { return fmt.Sprintf("%s%010d", logPrefix(id), n) }

func read(id, key string) (e entry, size int, err error) {
	raw, err := fetch(key)
	if err != nil || len(raw) == 0 {
		return e, 0, err
	}
	if err := e.UnmarshalJSON(raw); err != nil {
		return e, 0, fmt.Errorf("session %s: %s is damaged: %w", id, key, err)
	}
	return e, len(raw), nil
}

// each visits the appends of a session in order until fn wants no more. One at a time is in memory: a session may be
// larger than that.
func each(id string, fn func(entry) (more bool, err error)) error {
	next, err := end(id)
	if err != nil {
		return err
	}
	for n := range next {
		e, size, err := read(id, entryKey(id, n))
		if err != nil {
			return err
		}
		if size == 0 {
			continue
		}
		if more, err := fn(e); err != nil || !more {
			return err
		}
	}
	return nil
}

// readRaw adds the messages of one append to all. size 0 is that there is none.
func readRaw(id, key string, all *[]json.RawMessage) (appendID string, size int, err error) {
	raw, err := fetch(key)
	if err != nil || len(raw) == 0 {
		return "", 0, err
	}
	var e entry
	messages, err := e.outline(raw)
	if err == nil {
		*all, err = items(*all, messages)
	}
	if err != nil {
		return "", 0, fmt.Errorf("session %s: %s is damaged: %w", id, key, err)
	}
	return e.ID, len(raw), nil
}

// items appends the items of a list.
func items(all []json.RawMessage, list json.RawMessage) ([]json.RawMessage, error) {
	err := rawjson.Array(list, func(m json.RawMessage) error {
		all = append(all, m)
		return nil
	})
	return all, err
}

// remove forgets a session. The record goes last: until then it can be removed again.
func remove(id string) error {
	_, err := kv.Clear(logPrefix(id))
	return errors.Join(err, kv.Delete(contextKey(id)), kv.Delete(metaKey(id)))
}

// newUUID makes a version 4 UUID.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
