package provider

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
	sdktime "github.com/unicity-astrid/astrid-go/sdk/time"
)

const (
	// roundsPrefix and a session's id is where its rounds are kept, roundsIndex when each
	// session last had one.
	roundsPrefix = "rounds."
	roundsIndex  = "rounds"
	// maxSessions is of how many sessions rounds are kept, maxRounds how many bytes of one.
	maxSessions = 64
	maxRounds   = 1 << 20
)

// Rounds are answers with tool calls that the vendor wants back word for word, for it signs
// what the model thought. They are kept by the ids of their calls, which the history has.
// The zero value keeps nothing.
type Rounds struct {
	session string
	old     []round
	items   []json.RawMessage
	opaque  bool
}

type round struct {
	Model string            `json:"model"`
	Calls []string          `json:"calls"`
	Items []json.RawMessage `json:"items"`
}

// open reads what is kept for the request's session. A history without calls needs nothing.
func (r *Rounds) open(c *Call) {
	if r.session = c.Session(); r.session == "" {
		r.session = "default"
	}
	if !slices.ContainsFunc(c.Messages, func(m abi.ChatMessage) bool { return len(m.Content.Calls) > 0 }) {
		return
	}
	old, _, err := kv.GetJSON[[]round](roundsPrefix + r.session)
	if err != nil {
		c.Warn("What the model thought before could not be read", "error", err)
	}
	r.old = old
}

// Find returns the items of the answer that had these calls, if the same model gave it.
func (r *Rounds) Find(model string, calls []abi.ToolCall) []json.RawMessage {
	for _, k := range r.old {
		if k.Model == model && slices.EqualFunc(k.Calls, calls, func(id string, c abi.ToolCall) bool { return id == c.ID }) {
			return k.Items
		}
	}
	return nil
}

// Keep notes an item of the answer. One that is opaque is the reason to keep the others.
func (r *Rounds) Keep(item json.RawMessage, opaque bool) {
	r.items = append(r.items, item)
	r.opaque = r.opaque || opaque
}

// SaveRound stores the items of an answer that is complete, if the vendor wants them back:
// if there are calls, and something opaque besides them.
func (c *Call) SaveRound() {
	r := &c.Kept
	if len(c.calls) == 0 || !r.opaque {
		return
	}
	now := round{Model: c.Use.ID, Items: r.items}
	for _, t := range c.calls {
		now.Calls = append(now.Calls, t.id)
	}
	// What the history has forgotten is of no use any more.
	inHistory := map[string]bool{}
	for _, m := range c.Messages {
		for _, call := range m.Content.Calls {
			inHistory[call.ID] = true
		}
	}
	all := []round{now}
	size := now.size()
	for _, k := range slices.Backward(r.old) {
		if size += k.size(); size > maxRounds {
			break
		}
		if len(k.Calls) > 0 && inHistory[k.Calls[0]] {
			all = append(all, k)
		}
	}
	slices.Reverse(all)
	err := kv.SetJSON(roundsPrefix+r.session, all)
	if err == nil {
		err = r.forgetOthers()
	}
	if err != nil {
		// The vendor may answer less well without it; the answer that has come is whole.
		c.Warn("What the model thought could not be kept", "error", err)
	}
}

func (r round) size() int {
	n := 0
	for _, i := range r.Items {
		n += len(i)
	}
	return n
}

// forgetOthers deletes what is kept of the sessions that have been silent for longest.
func (r *Rounds) forgetOthers() error {
	at, _, err := kv.GetJSON[map[string]int64](roundsIndex)
	if err != nil || at == nil {
		at = map[string]int64{}
	}
	_, known := at[r.session]
	at[r.session] = sdktime.Now().Unix()
	if known {
		return kv.SetJSON(roundsIndex, at)
	}
	keys, err := kv.List(roundsPrefix)
	if err != nil {
		return err
	}
	var sessions []string // the store knows those, too, of which the index has lost sight
	for _, k := range keys {
		sessions = append(sessions, strings.TrimPrefix(k, roundsPrefix))
	}
	slices.SortFunc(sessions, func(a, b string) int { return int(at[b] - at[a]) })
	for _, s := range sessions[min(len(sessions), maxSessions):] {
		delete(at, s)
		if err := kv.Delete(roundsPrefix + s); err != nil {
			return err
		}
	}
	return kv.SetJSON(roundsIndex, at)
}
