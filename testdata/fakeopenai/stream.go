package fakeopenai

import (
	"net/http"
	"strings"

	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
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
	Refusal   *string     `json:"refusal,omitempty"`
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

// deltas cuts the answer into pieces, the one with the role included. The arguments of the
// calls come interleaved.
func deltas(a *Answer) []delta {
	empty := ""
	out := []delta{{Role: "assistant", Content: &empty}}
	for _, p := range fakellm.Pieces(a.Reasoning, 12) {
		out = append(out, delta{Reasoning: p})
	}
	for _, p := range fakellm.Pieces(a.Text, max(4, len(a.Text)/20_000)) {
		out = append(out, delta{Content: &p})
	}
	for _, p := range fakellm.Pieces(a.Refusal, 4) {
		out = append(out, delta{Refusal: &p})
	}
	rest := make([][]string, len(a.Calls))
	for i, c := range a.Calls {
		d := deltaCall{Index: i, ID: c.ID, Type: "function"}
		d.Function.Name = c.Name
		out = append(out, delta{ToolCalls: []deltaCall{d}})
		rest[i] = fakellm.Pieces(c.Arguments, 5)
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

// UsageOf is the usage that the server reports for an answer to a request.
func UsageOf(r *Request, a *Answer) Usage {
	u := Usage{CompletionTokens: len(deltas(a))}
	for i := range r.Body.Messages {
		u.PromptTokens += len(strings.Fields(r.Body.Messages[i].Text()))
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return u
}

func finish(a *Answer) string {
	switch {
	case a.Length:
		return "length"
	case len(a.Calls) > 0:
		return "tool_calls"
	}
	return "stop"
}

// send writes the answer.
func send(s *Server, a *Answer, w http.ResponseWriter, hr *http.Request, r *Request) {
	head := completion{ID: s.ID("chatcmpl-"), Object: "chat.completion.chunk", Created: s.Now().Unix(), Model: r.Body.Model}
	if !r.Body.Stream {
		sendWhole(a, w, r, head)
		return
	}
	e := fakellm.NewEvents(w, hr, a.Wire)
	e.Failed = func(f *APIError) (string, any) { return "", map[string]*APIError{"error": f} }
	e.BrokenText = `{"choices":[{"delta":`
	for _, d := range deltas(a) {
		head.Choices = []choice{{Delta: &d}}
		e.Event("", head)
	}
	if a.Wire.Giant > 0 {
		text := strings.Repeat("x", a.Wire.Giant)
		head.Choices = []choice{{Delta: &delta{Content: &text}}}
		e.Event("", head)
	}
	reason := finish(a)
	head.Choices = []choice{{Delta: &delta{}, FinishReason: &reason}}
	e.Event("", head)
	if o := r.Body.StreamOptions; o != nil && o.IncludeUsage && !a.Wire.NoUsage {
		u := UsageOf(r, a)
		head.Choices, head.Usage = []choice{}, &u
		e.Event("", head)
	}
	if !a.Wire.NoDone {
		e.Write("", "[DONE]")
	}
}

func sendWhole(a *Answer, w http.ResponseWriter, r *Request, head completion) {
	u := UsageOf(r, a)
	reason := finish(a)
	m := &delta{Role: "assistant", Content: &a.Text, Reasoning: a.Reasoning}
	for i, c := range a.Calls {
		d := deltaCall{Index: i, ID: c.ID, Type: "function"}
		d.Function.Name, d.Function.Arguments = c.Name, c.Arguments
		m.ToolCalls = append(m.ToolCalls, d)
	}
	head.Object, head.Usage, head.Choices = "chat.completion", &u, []choice{{Message: m, FinishReason: &reason}}
	fakellm.WriteJSON(w, http.StatusOK, head)
}
