package fakeresponses

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"

	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
)

// The types of package fakellm for this vendor.
type (
	Server   = fakellm.Server[Create]
	Options  = fakellm.Options[Create]
	Scenario = fakellm.Scenario[Create]
	Request  = fakellm.Request[Create]
	Answer   = fakellm.Answer
	APIError = fakellm.APIError
)

// New makes a server.
func New(o Options) *Server {
	return fakellm.New(fakellm.Vendor[Create]{
		Check: check, Conversation: conversation, Refuse: refuse, Send: send, Errors: fakeopenai.Failures,
		ModelsPath: "/v1/models", Models: models,
	}, o)
}

// check finds what the vendor would refuse before looking at the model.
func check(s *Server, hr *http.Request, r *Request) *APIError {
	list := hr.URL.Path == "/v1/models"
	want := http.MethodPost
	if list {
		want = http.MethodGet
	}
	auth := hr.Header.Get("Authorization")
	switch {
	case !list && hr.URL.Path != "/v1/responses":
		return &APIError{Status: http.StatusNotFound, Message: fmt.Sprintf("Invalid URL (%s %s)", hr.Method, hr.URL.Path), Type: "invalid_request_error"}
	case hr.Method != want:
		return &APIError{Status: http.StatusMethodNotAllowed, Message: "Not allowed to " + hr.Method + " on " + hr.URL.Path + ".", Type: "invalid_request_error"}
	case !strings.HasPrefix(auth, "Bearer ") || s.APIKey != "" && auth != "Bearer "+s.APIKey:
		e := fakeopenai.Failures["401"]
		return &e
	case list:
		return nil
	case !strings.HasPrefix(hr.Header.Get("Content-Type"), "application/json"):
		return malformed("you must provide a JSON body with content type application/json")
	}
	return r.Body.parse(r.Raw)
}

var malformed = fakellm.Malformed

func refuse(w http.ResponseWriter, e *APIError) {
	fakellm.WriteJSON(w, e.Status, map[string]*APIError{"error": e})
}

// models lists some, not all of which answer.
func models(s *Server, w http.ResponseWriter) {
	var list []map[string]any
	for _, id := range []string{"gpt-6.1-sol", "gpt-5.4-2026-03-05", "o3", "gpt-image-1", "whisper-1", "text-embedding-3-small", "gpt-realtime-1.5", "gpt-4o-transcribe"} {
		list = append(list, map[string]any{"id": id, "object": "model", "created": s.Now().Unix(), "owned_by": "openai"})
	}
	fakellm.WriteJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
}

// seal is the encrypted form of a thought. The id is part of it.
func seal(id string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // it never fails
	return fmt.Sprintf("gAAAAAB%016x==", h.Sum64())
}

// conversation is a request without the vendor's format.
func conversation(c *Create) fakellm.Conversation {
	out := fakellm.Conversation{Model: c.Model}
	calls := false
	for _, i := range c.items {
		switch {
		case i.Role == "user":
			out.Prompt, out.Rounds, out.Said = i.text(), 0, nil
		case i.Type == "function_call" && !calls:
			out.Rounds++
		case i.Type == "function_call_output":
			out.Said = append(out.Said, i.Output)
		}
		calls = i.Type == "function_call"
	}
	for _, t := range c.Tools {
		out.Tools = append(out.Tools, fakellm.Tool{Name: t.Name, Schema: t.Parameters})
	}
	return out
}
