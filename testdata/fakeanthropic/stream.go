package fakeanthropic

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
)

// Usage counts tokens; here they are words and pieces.
type Usage struct {
	Input  int `json:"input_tokens"`
	Write  int `json:"cache_creation_input_tokens"`
	Read   int `json:"cache_read_input_tokens"`
	Output int `json:"output_tokens"`
}

// cache knows the system prompts that were marked.
type cache struct {
	mu   sync.Mutex
	seen map[string]bool
}

// usage of a request, before the answer.
func (c *cache) usage(m *Message) Usage {
	var u Usage
	for _, t := range m.Messages {
		for _, b := range t.blocks {
			u.Input += len(strings.Fields(b.Text + b.resultText()))
		}
	}
	for _, b := range m.system {
		n := len(strings.Fields(b.Text))
		if b.CacheControl == nil {
			u.Input += n
			continue
		}
		c.mu.Lock()
		if c.seen[b.Text] {
			u.Read += n
		} else {
			u.Write += n
		}
		c.seen[b.Text] = true
		c.mu.Unlock()
	}
	return u
}

type object = map[string]any

// send writes the answer.
func send(s *Server, a *Answer, w http.ResponseWriter, hr *http.Request, r *Request, c *cache) {
	usage := c.usage(&r.Body)
	usage.Output = 1
	e := fakellm.NewEvents(w, hr, a.Wire)
	e.Failed = func(f *APIError) (string, any) { return "error", failed(f) }
	e.BrokenText = `{"type":"content_block_delta","index":`
	out := 0
	event := func(name string, v object) {
		v["type"] = name
		e.Event(name, v)
	}
	message := object{"id": s.ID("msg_"), "type": "message", "role": "assistant", "model": r.Body.Model,
		"content": []any{}, "stop_reason": nil, "stop_sequence": nil, "usage": usage}
	if a.Wire.NoUsage {
		delete(message, "usage")
	}
	event("message_start", object{"message": message})
	index := 0
	block := func(start object, deltas ...object) {
		event("content_block_start", object{"index": index, "content_block": start})
		if index == 0 {
			event("ping", object{})
		}
		for _, d := range deltas {
			out++
			event("content_block_delta", object{"index": index, "delta": d})
		}
		event("content_block_stop", object{"index": index})
		index++
	}
	if a.Redacted {
		block(object{"type": "redacted_thinking", "data": hidden})
	} else if a.Reasoning != "" {
		var deltas []object
		for _, p := range fakellm.Pieces(a.Reasoning, 12) {
			deltas = append(deltas, object{"type": "thinking_delta", "thinking": p})
		}
		block(object{"type": "thinking", "thinking": "", "signature": ""}, append(deltas, object{"type": "signature_delta", "signature": sign(a.Reasoning)})...)
	}
	var deltas []object
	for _, p := range fakellm.Pieces(a.Text, 4) {
		deltas = append(deltas, object{"type": "text_delta", "text": p})
	}
	if a.Wire.Giant > 0 {
		deltas = append(deltas, object{"type": "text_delta", "text": strings.Repeat("x", a.Wire.Giant)})
	}
	if len(deltas) > 0 {
		block(object{"type": "text", "text": ""}, deltas...)
	}
	for _, call := range a.Calls {
		id := strings.Replace(call.ID, "call_", "toolu_", 1)
		if a.Reasoning != "" {
			id = strings.Replace(call.ID, "call_", thoughtful, 1)
		}
		deltas := []object{{"type": "input_json_delta", "partial_json": ""}}
		if call.Arguments != "{}" { // what is empty comes without text
			for _, p := range fakellm.Pieces(call.Arguments, 5) {
				deltas = append(deltas, object{"type": "input_json_delta", "partial_json": p})
			}
		}
		block(object{"type": "tool_use", "id": id, "name": call.Name, "input": json.RawMessage("{}")}, deltas...)
	}
	last := object{"delta": object{"stop_reason": reason(a), "stop_sequence": nil}, "usage": object{"output_tokens": max(out, 1)}}
	if a.Refusal != "" {
		last["delta"].(object)["stop_details"] = object{"type": "refusal", "category": nil, "explanation": a.Refusal}
	}
	if a.Wire.NoUsage {
		delete(last, "usage")
	}
	event("message_delta", last)
	if !a.Wire.NoDone {
		event("message_stop", object{})
	}
}

func reason(a *Answer) string {
	switch {
	case a.Refusal != "":
		return "refusal"
	case a.Length:
		return "max_tokens"
	case len(a.Calls) > 0:
		return "tool_use"
	}
	return "end_turn"
}
