package fakeanthropic

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"

	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
)

// The types of package fakellm for this vendor.
type (
	Server   = fakellm.Server[Message]
	Options  = fakellm.Options[Message]
	Scenario = fakellm.Scenario[Message]
	Request  = fakellm.Request[Message]
	Answer   = fakellm.Answer
	APIError = fakellm.APIError
)

// New makes a server.
func New(o Options) *Server {
	c := &cache{seen: map[string]bool{}}
	return fakellm.New(fakellm.Vendor[Message]{
		Check: check, Conversation: conversation, Refuse: refuse, Errors: failures,
		Send: func(s *Server, a *Answer, w http.ResponseWriter, hr *http.Request, r *Request) {
			send(s, a, w, hr, r, c)
		},
		ModelsPath: "/v1/models", Models: models,
	}, o)
}

// failures are the vendor's errors by scenario. Source: Anthropic API, "Errors".
var failures = map[string]APIError{
	"401": {Status: 401, Message: "invalid x-api-key", Type: "authentication_error"},
	"402": {Status: 402, Message: "Your credit balance is too low to access the Anthropic API.", Type: "billing_error"},
	"404": {Status: 404, Message: "model: no-such-model", Type: "not_found_error"},
	"413": {Status: 400, Message: "prompt is too long: 213462 tokens > 200000 maximum", Type: "invalid_request_error"},
	"429": {Status: 429, Message: "This request would exceed your account's rate limit.", Type: "rate_limit_error"},
	"500": {Status: 500, Message: "Internal server error", Type: "api_error"},
	"529": {Status: 529, Message: "Overloaded", Type: "overloaded_error"},
}

// check finds what the vendor would refuse before looking at the model.
func check(s *Server, hr *http.Request, r *Request) *APIError {
	list := hr.URL.Path == "/v1/models"
	want := http.MethodPost
	if list {
		want = http.MethodGet
	}
	key := hr.Header.Get("X-Api-Key")
	switch {
	case !list && hr.URL.Path != "/v1/messages":
		return &APIError{Status: http.StatusNotFound, Message: "Not Found", Type: "not_found_error"}
	case hr.Method != want:
		return &APIError{Status: http.StatusMethodNotAllowed, Message: "Method Not Allowed", Type: "invalid_request_error"}
	case hr.Header.Get("Anthropic-Version") != "2023-06-01":
		return malformed("anthropic-version: header is required")
	case key == "" || s.APIKey != "" && key != s.APIKey:
		e := failures["401"]
		return &e
	case list:
		return nil
	case !strings.HasPrefix(hr.Header.Get("Content-Type"), "application/json"):
		return malformed("content-type: must be application/json")
	}
	return r.Body.parse(r.Raw)
}

var malformed = fakellm.Malformed

func refuse(w http.ResponseWriter, e *APIError) {
	fakellm.WriteJSON(w, e.Status, failed(e))
}

func failed(e *APIError) map[string]any {
	return map[string]any{"type": "error", "error": map[string]string{"type": e.Type, "message": e.Message}, "request_id": "req_fake"}
}

// models lists some, in the vendor's form.
func models(s *Server, w http.ResponseWriter) {
	var list []map[string]any
	for _, m := range [][2]string{{"claude-opus-5-5", "Claude Opus 5.5"}, {"claude-haiku-5-5", "Claude Haiku 5.5"}, {"claude-next-9", "Claude Next 9"}} {
		list = append(list, map[string]any{
			"type": "model", "id": m[0], "display_name": m[1], "created_at": s.Now().UTC().Format("2006-01-02T15:04:05Z"),
			"max_input_tokens": 777_000, "max_tokens": 66_000,
		})
	}
	fakellm.WriteJSON(w, http.StatusOK, map[string]any{"data": list, "has_more": false, "first_id": "claude-opus-5-5", "last_id": "claude-next-9"})
}

// sign is the signature of a thought; hidden thoughts are their own.
func sign(thought string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(thought)) // it never fails
	return fmt.Sprintf("EqRkCk%016x==", h.Sum64())
}

const hidden = "EmwKAhgBEgy3va3pzix/LafPsn4a"

// conversation is a request without the vendor's format.
func conversation(m *Message) fakellm.Conversation {
	out := fakellm.Conversation{Model: m.Model}
	for _, t := range m.Messages {
		for _, b := range t.blocks {
			switch {
			case b.Type == "tool_result":
				out.Said = append(out.Said, b.resultText())
			case t.Role == "user" && b.Type == "text":
				out.Prompt, out.Rounds, out.Said = b.Text, 0, nil
			}
		}
		if t.has("tool_use") {
			out.Rounds++
		}
	}
	for _, t := range m.Tools {
		out.Tools = append(out.Tools, fakellm.Tool{Name: t.Name, Schema: t.InputSchema})
	}
	return out
}
