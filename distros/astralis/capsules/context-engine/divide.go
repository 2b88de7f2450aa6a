package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
)

// unit is what must stay together: one message, or calls with their results.
type unit struct {
	messages []abi.ChatMessage
	first    int // its place in the conversation
	tokens   uint64
}

func units(ms []abi.ChatMessage) []unit {
	var out []unit
	for i, m := range ms {
		if m.Content.Result != nil && len(out) > 0 { // also one whose calls are missing: it is nothing by itself
			u := &out[len(out)-1]
			u.messages = append(u.messages, m)
			u.tokens += abi.EstimateTokens(m)
			continue
		}
		out = append(out, unit{[]abi.ChatMessage{m}, i, abi.EstimateTokens(m)})
	}
	return out
}

// parts are a conversation that was divided.
type parts struct {
	old    []abi.ChatMessage // gives way to a summary
	pinned []abi.ChatMessage // older, but wanted as it is
	recent []abi.ChatMessage
}

// divide keeps what fits at the end. The rest is old, but for what is pinned. Of the last units
// so many are kept even if they must be cut to fit.
func divide(ms []abi.ChatMessage, target uint64, keep int, pinned map[int]bool) parts {
	all := units(ms)
	room := target - target/4 // the rest is for the summary
	var p parts
	for _, u := range all {
		if wanted(u, pinned) && u.tokens <= room/2 {
			room -= u.tokens
		}
	}
	from := len(all)
	var used uint64
	for from > 0 {
		u := all[from-1]
		cost := u.tokens
		if len(all)-from < keep { // it may be cut
			cost = min(cost, room/uint64(keep))
		}
		if used+cost > room && from < len(all) {
			break
		}
		used += cost
		from--
	}
	for i, u := range all {
		switch {
		case i >= from:
			p.recent = append(p.recent, u.messages...)
		case wanted(u, pinned) && u.tokens <= target/2:
			p.pinned = append(p.pinned, u.messages...)
		default:
			p.old = append(p.old, u.messages...)
		}
	}
	return p
}

func wanted(u unit, pinned map[int]bool) bool {
	for i := range u.messages {
		if pinned[u.first+i] {
			return true
		}
	}
	return false
}

// join puts the summary in the place of what is old.
func (p parts) join(summary string) []abi.ChatMessage {
	out := make([]abi.ChatMessage, 0, 1+len(p.pinned)+len(p.recent))
	if summary != "" {
		out = append(out, abi.TextMessage(abi.RoleUser, summaryHead+summary))
	}
	return append(append(out, p.pinned...), p.recent...)
}

// minText is what is left at least of a text that is cut, in bytes.
const minText = 400

// squeeze cuts the longest texts until all of it fits, or nothing long is left. It changes ms,
// not what its messages share with others.
func squeeze(ms []abi.ChatMessage, target uint64) {
	for {
		all := abi.EstimateAll(ms)
		if all <= target {
			return
		}
		longest, size := -1, minText*2
		for i := range ms {
			if n := len(text(&ms[i])); n > size {
				longest, size = i, n
			}
		}
		if longest < 0 {
			return
		}
		// Halving reaches the target in few steps and leaves long texts alike.
		over := int(all-target) * 4
		setText(&ms[longest], shorten(text(&ms[longest]), max(minText, size/2, size-over-200)))
	}
}

// text is the part of a message that can be cut.
func text(m *abi.ChatMessage) string {
	if r := m.Content.Result; r != nil {
		return r.Content
	}
	return m.Content.Text
}

func setText(m *abi.ChatMessage, s string) {
	if r := m.Content.Result; r != nil {
		cut := *r
		cut.Content = s
		m.Content.Result = &cut
		return
	}
	m.Content.Text = s
}

// shorten leaves out the middle of a text, so that about limit bytes are left.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	head, tail := limit*2/3, limit/3
	for head > 0 && !utf8.RuneStart(s[head]) {
		head--
	}
	at := len(s) - tail
	for at < len(s) && !utf8.RuneStart(s[at]) {
		at++
	}
	return fmt.Sprintf("%s\n[… %d bytes left out to fit the model's window …]\n%s", s[:head], at-head, s[at:])
}

// same counts how many messages at the end are still what they were.
func same(before, after []abi.ChatMessage) int {
	n := 0
	for n < len(before) && n < len(after) {
		a, err1 := json.Marshal(before[len(before)-1-n])
		b, err2 := json.Marshal(after[len(after)-1-n])
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			break
		}
		n++
	}
	// Results that were cut stand before what follows them, and calls stay with their results.
	for n > 0 && after[len(after)-n].Content.Result != nil {
		n--
	}
	return n
}
