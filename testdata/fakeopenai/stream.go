package fakeopenai

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Usage counts tokens; here they are words and pieces.
type Usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

type choice struct {
	Index        int     `json:"index"`
	Delta        *delta  `json:"delta,omitempty"`
	Message      *delta  `json:"message,omitempty"`
	Logprobs     any     `json:"logprobs"`
	FinishReason *string `json:"finish_reason"`
}

type delta struct {
	Role      string      `json:"role,omitempty"`
	Content   *string     `json:"content,omitempty"`
	Reasoning string      `json:"reasoning_content,omitempty"`
	ToolCalls []deltaCall `json:"tool_calls,omitempty"`
}

type deltaCall struct {
	Index    int    `json:"index"`
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type completion struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *Usage   `json:"usage"`
}

// Deltas are the pieces in which an answer is streamed, the one with the role included.
func (a *Answer) Deltas() int { return len(a.deltas()) }

// deltas cuts the answer into pieces. The arguments of the calls come interleaved.
func (a *Answer) deltas() []delta {
	empty := ""
	out := []delta{{Role: "assistant", Content: &empty}}
	for _, p := range pieces(a.Reasoning, 12) {
		out = append(out, delta{Reasoning: p})
	}
	for _, p := range pieces(a.Text, 4) {
		out = append(out, delta{Content: &p})
	}
	rest := make([][]string, len(a.Calls))
	for i, c := range a.Calls {
		d := deltaCall{Index: i, ID: c.ID, Type: "function"}
		d.Function.Name = c.Name
		out = append(out, delta{ToolCalls: []deltaCall{d}})
		rest[i] = pieces(c.Arguments, 5)
	}
	for more := true; more; {
		more = false
		for i := range rest {
			if len(rest[i]) == 0 {
				continue
			}
			d := deltaCall{Index: i}
			d.Function.Arguments, rest[i], more = rest[i][0], rest[i][1:], true
			out = append(out, delta{ToolCalls: []deltaCall{d}})
		}
	}
	return out
}

// pieces cuts text after every n characters.
func pieces(text string, n int) []string {
	var out []string
	runes := []rune(text)
	for p := range slices.Chunk(runes, n) {
		out = append(out, string(p))
	}
	return out
}

// UsageOf is the usage that the server reports for an answer to a request.
func UsageOf(r *Request, a *Answer) Usage {
	u := Usage{CompletionTokens: a.Deltas()}
	for i := range r.Body.Messages {
		u.PromptTokens += len(strings.Fields(r.Body.Messages[i].Text()))
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return u
}

func (a *Answer) finish() string {
	switch {
	case a.Finish != "":
		return a.Finish
	case len(a.Calls) > 0:
		return "tool_calls"
	}
	return "stop"
}

// send writes the answer.
func (a Answer) send(w http.ResponseWriter, hr *http.Request, r *Request, s *Server) {
	if a.Error != nil {
		refuse(w, a.Error)
		return
	}
	head := completion{ID: s.id("chatcmpl-"), Object: "chat.completion.chunk", Created: s.o.Now().Unix(), Model: r.Body.Model}
	if !r.Body.Stream {
		a.sendWhole(w, r, head)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	e := &events{w: w, flush: http.NewResponseController(w), hr: hr, wire: a.Wire}
	if e.wire.LineEnd == "" {
		e.wire.LineEnd = "\n"
	}
	for _, d := range a.deltas() {
		head.Choices = []choice{{Delta: &d}}
		e.event(head)
	}
	if a.Wire.Giant > 0 {
		text := strings.Repeat("x", a.Wire.Giant)
		head.Choices = []choice{{Delta: &delta{Content: &text}}}
		e.event(head)
	}
	reason := a.finish()
	head.Choices = []choice{{Delta: &delta{}, FinishReason: &reason}}
	e.event(head)
	if o := r.Body.StreamOptions; o != nil && o.IncludeUsage && !a.Wire.NoUsage {
		u := UsageOf(r, &a)
		head.Choices, head.Usage = []choice{}, &u
		e.event(head)
	}
	if !a.Wire.NoDone {
		e.write("[DONE]")
	}
}

func (a *Answer) sendWhole(w http.ResponseWriter, r *Request, head completion) {
	u := UsageOf(r, a)
	reason := a.finish()
	m := &delta{Role: "assistant", Content: &a.Text, Reasoning: a.Reasoning}
	for i, c := range a.Calls {
		d := deltaCall{Index: i, ID: c.ID, Type: "function"}
		d.Function.Name, d.Function.Arguments = c.Name, c.Arguments
		m.ToolCalls = append(m.ToolCalls, d)
	}
	head.Object, head.Usage, head.Choices = "chat.completion", &u, []choice{{Message: m, FinishReason: &reason}}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(head) // an error is a client that has gone
}

// events writes server-sent events in the way that the scenario asks for.
type events struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	hr    *http.Request
	wire  Wire
	sent  int
	over  bool // after an error nothing more comes
}

func (e *events) event(v any) {
	if e.wire.Fail != nil && e.sent == e.wire.FailAfter {
		e.write(string(encode(map[string]*APIError{"error": e.wire.Fail})))
		e.over = true
	}
	if e.wire.Broken && e.sent == 2 {
		e.write(`{"choices":[{"delta":`)
	}
	e.write(string(encode(v)))
	e.sent++
	if e.wire.Cut > 0 && e.sent == e.wire.Cut {
		panic(http.ErrAbortHandler) // net/http closes the connection without the final chunk
	}
}

func (e *events) write(data string) {
	if e.over {
		return
	}
	if e.wire.Gap > 0 && e.sent > 0 {
		select {
		case <-time.After(e.wire.Gap):
		case <-e.hr.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	if e.wire.Ping {
		e.raw(": ping" + e.wire.LineEnd + e.wire.LineEnd)
	}
	sep := "data: "
	if e.wire.NoSpace {
		sep = "data:"
	}
	e.raw(sep + data + e.wire.LineEnd + e.wire.LineEnd)
}

// raw writes and flushes; if asked to, it flushes within each character of several bytes.
func (e *events) raw(text string) {
	for len(text) > 0 {
		n := len(text)
		if e.wire.SplitBytes {
			if i := strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }); i >= 0 {
				n = i + 1
			}
		}
		// An error here is a client that has gone; the request's context ends the rest.
		_, _ = e.w.Write([]byte(text[:n]))
		_ = e.flush.Flush()
		text = text[n:]
	}
}

// encode is JSON with characters as they are.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // plain records always encode
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
