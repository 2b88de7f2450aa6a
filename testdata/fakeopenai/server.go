package fakeopenai

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options of a server; the zero value takes any key.
type Options struct {
	// APIKey is the key that requests must carry; empty takes all, also none.
	APIKey string
	// Scenarios are tried before the built-in ones, by name.
	Scenarios map[string]Scenario
	// Now stamps answers; default time.Now.
	Now func() time.Time
}

// Scenario decides what the answer to a request is. args is what followed its name.
type Scenario func(s *Server, r *Request, args []string) Answer

// Request is a request as it was received.
type Request struct {
	Path   string
	Header http.Header
	Raw    []byte // the body
	Body   Chat   // what of it could be decoded
	Fault  string // why it was refused as malformed, if it was
}

// Server is the stand-in. It is an [http.Handler].
type Server struct {
	o  Options
	mu sync.Mutex // guards what follows

	requests []Request
	refused  map[string]int // refusals so far, by scenario and prompt
	ids      int
}

var _ http.Handler = (*Server)(nil)

// maxBody bounds a request, in bytes.
const maxBody = 64 << 20

// New makes a server.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{o: o, refused: make(map[string]int)}
}

// Requests returns what has been received so far, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Reset forgets requests and refusals.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.refused = nil, make(map[string]int)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, maxBody))
	if err != nil {
		refuse(w, &APIError{Status: http.StatusRequestEntityTooLarge, Message: err.Error(), Type: "invalid_request_error"})
		return
	}
	r := Request{Path: hr.URL.Path, Header: hr.Header.Clone(), Raw: raw}
	fault := s.check(hr, &r)
	if fault != nil {
		r.Fault = fault.Message
	}
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	if fault != nil {
		refuse(w, fault)
		return
	}
	s.answer(&r).send(w, hr, &r, s)
}

// check finds what the vendor would refuse before looking at the model.
func (s *Server) check(hr *http.Request, r *Request) *APIError {
	switch {
	case hr.URL.Path != "/v1/chat/completions":
		return &APIError{Status: http.StatusNotFound, Message: fmt.Sprintf("Invalid URL (%s %s)", hr.Method, hr.URL.Path), Type: "invalid_request_error"}
	case hr.Method != http.MethodPost:
		return &APIError{Status: http.StatusMethodNotAllowed, Message: "Not allowed to " + hr.Method + " on /v1/chat/completions.", Type: "invalid_request_error"}
	case s.o.APIKey != "" && hr.Header.Get("Authorization") != "Bearer "+s.o.APIKey:
		return unauthorized()
	case !strings.HasPrefix(hr.Header.Get("Content-Type"), "application/json"):
		return malformed("you must provide a JSON body with content type application/json")
	}
	return r.Body.parse(r.Raw)
}

// count adds one to the refusals under a key and returns how many there were before.
// forget starts again.
func (s *Server) count(key string, forget bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.refused[key]
	s.refused[key]++
	if forget {
		delete(s.refused, key)
	}
	return n
}

// id makes an id that no other answer of this server has.
func (s *Server) id(prefix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids++
	return fmt.Sprintf("%s%024x", prefix, s.ids)
}

// APIError is an error in the vendor's shape.
type APIError struct {
	Status     int    `json:"-"`
	RetryAfter string `json:"-"` // header, if any

	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func malformed(format string, args ...any) *APIError {
	return &APIError{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), Type: "invalid_request_error"}
}

func unauthorized() *APIError {
	code := "invalid_api_key"
	return &APIError{Status: http.StatusUnauthorized, Message: "Incorrect API key provided.", Type: "invalid_request_error", Code: &code}
}

func refuse(w http.ResponseWriter, e *APIError) {
	w.Header().Set("Content-Type", "application/json")
	if e.RetryAfter != "" {
		w.Header().Set("Retry-After", e.RetryAfter)
	}
	w.WriteHeader(e.Status)
	// An error here is a client that has gone.
	_ = json.NewEncoder(w).Encode(map[string]*APIError{"error": e})
}
