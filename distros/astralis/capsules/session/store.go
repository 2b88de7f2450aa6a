package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
)

// Each append is one key, so that it costs the same however long the session is, and is
// there wholly or not at all:
//
//	session.log.<id>/<number, 10 digits>  JSON array of messages
//	session.meta.<id>                     JSON record of a session that has a parent
//
// The id is quoted, so that one session's keys are never a prefix of another's.
func logPrefix(id string) string { return "session.log." + strconv.QuoteToASCII(id) + "/" }

type meta struct {
	SchemaVersion   int    `json:"schema_version"`
	ParentSessionID string `json:"parent_session_id,omitempty"`
}

func store(id string, messages []abi.ChatMessage) error {
	if len(messages) == 0 {
		return nil
	}
	keys, err := kv.List(logPrefix(id))
	if err != nil {
		return err
	}
	next := 0
	if len(keys) > 0 {
		last := strings.TrimPrefix(keys[len(keys)-1], logPrefix(id))
		if next, err = strconv.Atoi(last); err != nil {
			return fmt.Errorf("session %s: damaged key %q", id, keys[len(keys)-1])
		}
		next++
	}
	return kv.SetJSON(fmt.Sprintf("%s%010d", logPrefix(id), next), messages)
}

func load(id string) ([]abi.ChatMessage, error) {
	keys, err := kv.List(logPrefix(id))
	if err != nil {
		return nil, err
	}
	var all []abi.ChatMessage
	for _, k := range keys {
		raw, err := kv.Get(k)
		if err != nil {
			return nil, err
		}
		var part []abi.ChatMessage
		if err := json.Unmarshal(raw, &part); err != nil {
			return nil, fmt.Errorf("session %s: %s is damaged: %w", id, k, err)
		}
		all = append(all, part...)
	}
	return all, nil
}

func newSession(parent string) (string, error) {
	id := newUUID()
	return id, kv.SetJSON("session.meta."+id, meta{SchemaVersion: 2, ParentSessionID: parent})
}

// newUUID makes a version 4 UUID.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
