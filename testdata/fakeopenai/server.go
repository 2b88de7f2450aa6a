package fakeopenai

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
)

// The types of package fakellm for this vendor.
type (
	Server   = fakellm.Server[Chat]
	Options  = fakellm.Options[Chat]
	Scenario = fakellm.Scenario[Chat]
	Request  = fakellm.Request[Chat]
	Answer   = fakellm.Answer
	Call     = fakellm.Call
	Wire     = fakellm.Wire
	APIError = fakellm.APIError
)

// Echo and Quote are the texts of the default answers.
var (
	Echo  = fakellm.Echo
	Quote = fakellm.Quote
)

// New makes a server.
func New(o Options) *Server {
	return fakellm.New(fakellm.Vendor[Chat]{
		Check: check, Conversation: conversation, Refuse: refuse, Send: send, Errors: Failures,
		ModelsPath: "/v1/models", Models: models,
	}, o)
}

// Failures are the vendor's errors by scenario. Source: OpenAI API, "Error codes".
var Failures = map[string]APIError{
	"401": *unauthorized(),
	"402": {Status: 429, Message: "You exceeded your current quota, please check your plan and billing details.", Type: "insufficient_quota", Code: text("insufficient_quota")},
	"404": {Status: 404, Message: "The model does not exist or you do not have access to it.", Type: "invalid_request_error", Code: text("model_not_found")},
	"413": {Status: 400, Message: "This model's maximum context length is 10 tokens.", Type: "invalid_request_error", Code: text("context_length_exceeded")},
	"429": {Status: 429, Message: "Rate limit reached for requests", Type: "requests", Code: text("rate_limit_exceeded")},
	"500": {Status: 500, Message: "The server had an error while processing your request", Type: "server_error"},
	"529": {Status: 503, Message: "The engine is currently overloaded, please try again later", Type: "server_error", Code: text("slow_down")},
}

func text(s string) *string { return &s }

// check finds what the vendor would refuse before looking at the model.
func check(s *Server, hr *http.Request, r *Request) *APIError {
	list := hr.URL.Path == "/v1/models"
	want := http.MethodPost
	if list {
		want = http.MethodGet
	}
	switch {
	case !list && hr.URL.Path != "/v1/chat/completions":
		return &APIError{Status: http.StatusNotFound, Message: fmt.Sprintf("Invalid URL (%s %s)", hr.Method, hr.URL.Path), Type: "invalid_request_error"}
	case hr.Method != want:
		return &APIError{Status: http.StatusMethodNotAllowed, Message: "Not allowed to " + hr.Method + " on " + hr.URL.Path + ".", Type: "invalid_request_error"}
	case s.APIKey != "" && hr.Header.Get("Authorization") != "Bearer "+s.APIKey:
		return unauthorized()
	case list:
		return nil
	case !strings.HasPrefix(hr.Header.Get("Content-Type"), "application/json"):
		return malformed("you must provide a JSON body with content type application/json")
	}
	return r.Body.parse(r.Raw)
}

var malformed = fakellm.Malformed

func unauthorized() *APIError {
	return &APIError{Status: http.StatusUnauthorized, Message: "Incorrect API key provided.", Type: "invalid_request_error", Code: text("invalid_api_key")}
}

func refuse(w http.ResponseWriter, e *APIError) {
	fakellm.WriteJSON(w, e.Status, map[string]*APIError{"error": e})
}

// models lists what a small server might have.
func models(s *Server, w http.ResponseWriter) {
	var list []map[string]any
	for _, id := range []string{"gpt-5.4", "llama-local", "text-embedding-3-small"} {
		list = append(list, map[string]any{"id": id, "object": "model", "created": s.Now().Unix(), "owned_by": "fake", "max_model_len": 32768})
	}
	fakellm.WriteJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
}

// conversation is a request without the vendor's format.
func conversation(c *Chat) fakellm.Conversation {
	out := fakellm.Conversation{Model: c.Model}
	for i := range c.Messages {
		switch m := &c.Messages[i]; {
		case m.Role == "user":
			out.Prompt, out.Rounds, out.Said = m.Text(), 0, nil
		case len(m.ToolCalls) > 0:
			out.Rounds++
		case m.Role == "tool":
			out.Said = append(out.Said, m.Text())
		}
	}
	for _, t := range c.Tools {
		out.Tools = append(out.Tools, fakellm.Tool{Name: t.Function.Name, Schema: t.Function.Parameters})
	}
	return out
}
