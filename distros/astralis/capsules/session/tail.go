package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/unicity-astrid/astrid-go/sdk/kv"
)

// tailBytes is about how much one answer about the end of a session holds; a message is never cut.
const tailBytes = 1 << 20

// tail fills in the end of a session, or what is before an append. Nothing else is read, so that a
// session opens as quickly as a short one however long it is.
func tail(id string, r getRequest, a *page) error {
	next := r.Before
	if next <= 0 {
		var err error
		if next, err = end(id); err != nil {
			return err
		}
	}
	var appends [][]json.RawMessage
	for n, size := 0, 0; next > 0 && n < r.Last && size < tailBytes; {
		var messages []json.RawMessage
		name, bytes, err := readRaw(id, entryKey(id, next-1), &messages)
		switch {
		case err != nil:
			return err
		case bytes == 0: // before it all was deleted
			next = 0
			continue
		}
		if a.LastAppendID == "" && r.Before <= 0 {
			a.LastAppendID = name
		}
		appends = append(appends, messages)
		n, size, next = n+len(messages), size+bytes, next-1
	}
	slices.Reverse(appends)
	a.Messages = slices.Concat(appends...)
	a.Earlier = next
	return nil
}

// end is the number of the next append. The record may be one behind.
func end(id string) (int, error) {
	m, ok, err := kv.GetJSON[meta](metaKey(id))
	if err != nil {
		return 0, fmt.Errorf("session %s: its record is damaged: %w", id, err)
	}
	if !ok {
		return 0, nil
	}
	for n := m.Next; ; n++ {
		if raw, err := fetch(entryKey(id, n)); err != nil || len(raw) == 0 {
			return n, err
		}
	}
}
