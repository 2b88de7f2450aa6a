// Package http sends HTTP requests through the host, which checks the address, keeps the
// budget and holds the connection. It is not net/http, which would not work in a guest.
//
// Bodies are UTF-8 text of at most [abi.MaxValue] bytes; a streamed answer may be any
// bytes of any length. Every status is an answer, not an error.
package http

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// Request is one request.
type Request struct {
	Method  string // default GET
	URL     string
	Headers map[string]string
	Body    []byte
	// CostUSD is what the request may cost. It is reserved against the budget; a request
	// that is charged by use should name an estimate and settle it with [Stream.Settle].
	CostUSD float64
}

// Response is a whole answer.
type Response struct {
	Status  int
	Headers map[string]string // names in lower case
	Body    []byte
}

// Header returns a header whatever the case of its name.
func (r *Response) Header(name string) string { return r.Headers[strings.ToLower(name)] }

// OK tells whether the status is one of success, 200 to 299.
func (r *Response) OK() bool { return r.Status/100 == 2 }

// JSON decodes the body.
func (r *Response) JSON(into any) error {
	if err := json.Unmarshal(r.Body, into); err != nil {
		return fmt.Errorf("body of the answer (status %d): %w", r.Status, err)
	}
	return nil
}

// Get fetches a URL.
func Get(url string) (*Response, error) { return Do(&Request{URL: url}) }

// Post sends body to a URL.
func Post(url, contentType string, body []byte) (*Response, error) {
	return Do(&Request{Method: "POST", URL: url, Headers: map[string]string{"content-type": contentType}, Body: body})
}

// Do sends a request and reads the whole answer, within [abi.HTTPTimeout].
func Do(r *Request) (*Response, error) {
	req, err := r.record()
	if err != nil {
		return nil, err
	}
	var a abi.HTTPResponse
	if err := wire.Ask(abi.HTTPRequestFn, req, &a); err != nil {
		return nil, fmt.Errorf("%s %s: %w", req.Method, r.URL, err)
	}
	return &Response{Status: int(a.Status), Headers: a.Headers, Body: []byte(a.Body)}, nil
}

func (r *Request) record() (abi.HTTPRequest, error) {
	req := abi.HTTPRequest{URL: r.URL, Method: r.Method, Headers: r.Headers, CostUSD: r.CostUSD}
	if req.Method == "" {
		req.Method = "GET"
	}
	if r.Body != nil {
		if !utf8.Valid(r.Body) {
			return req, fmt.Errorf("%s %s: the body is not UTF-8", req.Method, r.URL)
		}
		body := string(r.Body)
		req.Body = &body
	}
	return req, nil
}
