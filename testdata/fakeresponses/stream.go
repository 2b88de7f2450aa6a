package fakeresponses

import (
	"net/http"
	"strings"

	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
)

type object = map[string]any

// writer numbers the events, and collects the items that are done.
type writer struct {
	*fakellm.Events
	n      int
	tokens int
	output []object
}

func (w *writer) event(name string, v object) {
	v["type"], v["sequence_number"] = name, w.n
	w.n++
	w.Event(name, v)
}

// item writes an item with what comes between its beginning and its end. fill sets the
// fields that it has only at its end.
func (w *writer) item(begin object, fill object, between func(at object)) {
	index := len(w.output)
	w.event("response.output_item.added", object{"output_index": index, "item": begin})
	between(object{"item_id": begin["id"], "output_index": index})
	done := object{}
	for k, v := range begin {
		done[k] = v
	}
	for k, v := range fill {
		done[k] = v
	}
	w.output = append(w.output, done)
	w.event("response.output_item.done", object{"output_index": index, "item": done})
}

func with(at object, more object) object {
	out := object{}
	for k, v := range at {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

// send writes the answer.
func send(s *Server, a *Answer, hw http.ResponseWriter, hr *http.Request, r *Request) {
	w := &writer{Events: fakellm.NewEvents(hw, hr, a.Wire)}
	w.Failed = func(f *APIError) (string, any) {
		code := f.Type
		if f.Code != nil {
			code = *f.Code
		}
		return "error", object{"type": "error", "code": code, "message": f.Message, "param": nil, "sequence_number": w.n}
	}
	w.BrokenText = `{"type":"response.output_text.delta","delta":`
	id := s.ID("resp_")
	response := func(status string) object {
		return object{"id": id, "object": "response", "created_at": s.Now().Unix(), "status": status, "model": r.Body.Model,
			"output": w.output, "error": nil, "incomplete_details": nil, "usage": nil}
	}
	w.output = []object{}
	w.event("response.created", object{"response": response("in_progress")})
	w.event("response.in_progress", object{"response": response("in_progress")})
	if a.Reasoning != "" {
		w.think(s, a)
	}
	if a.Text != "" || a.Refusal != "" || a.Wire.Giant > 0 {
		w.say(s, a)
	}
	w.calls(s, a)
	end := response("completed")
	if a.Length {
		end["status"], end["incomplete_details"] = "incomplete", object{"reason": "max_output_tokens"}
	}
	if !a.Wire.NoUsage {
		end["usage"] = usageOf(r, w.tokens)
	}
	w.event("response."+end["status"].(string), object{"response": end})
}

func (w *writer) think(s *Server, a *Answer) {
	id := s.ID("rs_")
	summary := []any{}
	if !a.Redacted {
		summary = append(summary, object{"type": "summary_text", "text": a.Reasoning})
	}
	begin := object{"type": "reasoning", "id": id, "summary": []any{}, "encrypted_content": "gAAAAincomplete"}
	w.item(begin, object{"summary": summary, "encrypted_content": seal(id)}, func(at object) {
		if a.Redacted {
			return
		}
		at["summary_index"] = 0
		w.event("response.reasoning_summary_part.added", with(at, object{"part": object{"type": "summary_text", "text": ""}}))
		for _, p := range fakellm.Pieces(a.Reasoning, 12) {
			w.tokens++
			w.event("response.reasoning_summary_text.delta", with(at, object{"delta": p}))
		}
		w.event("response.reasoning_summary_text.done", with(at, object{"text": a.Reasoning}))
	})
}

func (w *writer) say(s *Server, a *Answer) {
	kind, field, text := "output_text", "text", a.Text
	if a.Refusal != "" {
		kind, field, text = "refusal", "refusal", a.Refusal
	}
	part := object{"type": kind, field: text}
	begin := object{"type": "message", "id": s.ID("msg_"), "role": "assistant", "status": "in_progress", "content": []any{}}
	w.item(begin, object{"status": "completed", "content": []any{part}}, func(at object) {
		at["content_index"] = 0
		w.event("response.content_part.added", with(at, object{"part": object{"type": kind, field: ""}}))
		for _, p := range fakellm.Pieces(text, 4) {
			w.tokens++
			w.event("response."+kind+".delta", with(at, object{"delta": p}))
		}
		if a.Wire.Giant > 0 {
			w.event("response."+kind+".delta", with(at, object{"delta": strings.Repeat("x", a.Wire.Giant)}))
		}
		w.event("response."+kind+".done", with(at, object{field: text}))
		w.event("response.content_part.done", with(at, object{"part": part}))
	})
}

func (w *writer) calls(s *Server, a *Answer) {
	for n, c := range a.Calls {
		callID := c.ID
		if a.Reasoning != "" {
			callID = strings.Replace(c.ID, "call_", thoughtful, 1)
		}
		begin := object{"type": "function_call", "id": s.ID("fc_"), "call_id": callID, "name": c.Name, "arguments": "", "status": "in_progress"}
		cut := a.Length && n == len(a.Calls)-1
		fill := object{"arguments": c.Arguments, "status": "completed"}
		if cut {
			fill["status"] = "incomplete"
		}
		w.item(begin, fill, func(at object) {
			for _, p := range fakellm.Pieces(c.Arguments, 5) {
				w.tokens++
				w.event("response.function_call_arguments.delta", with(at, object{"delta": p}))
			}
			if !cut {
				w.event("response.function_call_arguments.done", with(at, object{"arguments": c.Arguments}))
			}
		})
	}
}

// usageOf counts tokens; here they are words and pieces. The first half of the
// instructions is found in the cache.
func usageOf(r *Request, out int) object {
	cached := len(strings.Fields(r.Body.Instructions)) / 2
	in := len(strings.Fields(r.Body.Instructions))
	for _, i := range r.Body.items {
		in += len(strings.Fields(i.text() + i.Output))
	}
	return object{"input_tokens": in, "input_tokens_details": object{"cached_tokens": cached}, "output_tokens": max(out, 1),
		"output_tokens_details": object{"reasoning_tokens": 0}, "total_tokens": in + max(out, 1)}
}
