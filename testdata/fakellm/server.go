package fakellm

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Vendor is the format of one vendor, for requests whose body is decoded into a B.
type Vendor[B any] struct {
	// Check decodes the body and finds what the vendor would refuse before looking at the model.
	Check func(s *Server[B], hr *http.Request, r *Request[B]) *APIError
	// Conversation is what the scenarios need to know of a body.
	Conversation func(*B) Conversation
	// Refuse writes an error.
	Refuse func(w http.ResponseWriter, e *APIError)
	// Send writes an answer that is no error.
	Send func(s *Server[B], a *Answer, w http.ResponseWriter, hr *http.Request, r *Request[B])
	// Errors are the vendor's own, by the name of their scenario.
	Errors map[string]APIError
	// Models answers the request for the list of models, at the path ModelsPath.
	ModelsPath string
	Models     func(s *Server[B], w http.ResponseWriter)
}

// Conversation is a request without the vendor's format.
type Conversation struct {
	Model  string
	Prompt string   // what the person said last
	Tools  []Tool   // that the model may call
	Rounds int      // of calls since the person spoke
	Said   []string // results of those
}

// Tool of a request.
type Tool struct {
	Name   string
	Schema []byte // JSON
}

// Options of a server; the zero value takes any key.
type Options[B any] struct {
	// APIKey is the key that requests must carry; empty takes all, also none.
	APIKey string
	// Scenarios are tried before the built-in ones, by name.
	Scenarios map[string]Scenario[B]
	// Now stamps answers; default time.Now.
	Now func() time.Time
}

// Scenario decides what the answer to a request is. args is what followed its name.
type Scenario[B any] func(s *Server[B], r *Request[B], args []string) Answer

// Request is a request as it was received.
type Request[B any] struct {
	Path   string
	Header http.Header
	Raw    []byte // the body
	Body   B      // what of it could be decoded
	Fault  string // why it was refused as malformed, if it was
}

// Server is the stand-in. It is an [http.Handler].
type Server[B any] struct {
	Options[B]
	vendor Vendor[B]

	mu       sync.Mutex // guards what follows
	requests []Request[B]
	refused  map[string]int // refusals so far, by scenario and prompt
	ids      int
	gone     int // clients that left before the end
}

// maxBody bounds a request, in bytes.
const maxBody = 64 << 20

// New makes a server.
func New[B any](v Vendor[B], o Options[B]) *Server[B] {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server[B]{Options: o, vendor: v, refused: make(map[string]int)}
}

// Requests returns what has been received so far, in order, requests for the list of
// models aside.
func (s *Server[B]) Requests() []Request[B] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request[B](nil), s.requests...)
}

// Reset forgets requests and refusals.
func (s *Server[B]) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.refused, s.gone = nil, make(map[string]int), 0
}

// Gone is the number of clients that left before their answer had ended.
func (s *Server[B]) Gone() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// ServeHTTP answers one request.
func (s *Server[B]) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, maxBody))
	if err != nil {
		s.vendor.Refuse(w, &APIError{Status: http.StatusRequestEntityTooLarge, Message: err.Error(), Type: "invalid_request_error"})
		return
	}
	r := Request[B]{Path: hr.URL.Path, Header: hr.Header.Clone(), Raw: raw}
	fault := s.vendor.Check(s, hr, &r)
	if s.vendor.Models != nil && hr.URL.Path == s.vendor.ModelsPath {
		if fault != nil {
			s.vendor.Refuse(w, fault)
			return
		}
		s.vendor.Models(s, w)
		return
	}
	if fault != nil {
		r.Fault = fault.Message
	}
	s.mu.Lock()
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	if fault == nil {
		a := s.answer(&r)
		if fault = a.Error; fault == nil {
			defer func() {
				if hr.Context().Err() != nil {
					s.mu.Lock()
					s.gone++
					s.mu.Unlock()
				}
			}()
			s.vendor.Send(s, &a, w, hr, &r)
			return
		}
	}
	if fault.RetryAfter != "" {
		w.Header().Set("Retry-After", fault.RetryAfter)
	}
	s.vendor.Refuse(w, fault)
}

// count adds one to the refusals under a key and returns how many there were before.
// forget starts again.
func (s *Server[B]) count(key string, forget bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.refused[key]
	s.refused[key]++
	if forget {
		delete(s.refused, key)
	}
	return n
}

// ID makes an id that no other answer of this server has.
func (s *Server[B]) ID(prefix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids++
	return fmt.Sprintf("%s%024x", prefix, s.ids)
}

// Malformed is an error for a request that breaks the schema.
func Malformed(format string, args ...any) *APIError {
	return &APIError{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), Type: "invalid_request_error"}
}
