package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/http"
)

const (
	// attempts is how often a request is sent in all when the server is busy.
	attempts = 4
	// maxWait bounds the time between two attempts, also when the server asks for more.
	maxWait = 20 * time.Second
	// maxErrorBody is how much of an error's body is read, in bytes.
	maxErrorBody = 4096
)

// sleep waits between attempts; tests replace it.
var sleep = time.Sleep

// generate sends the request and hands on what comes. It returns nil only when the
// server said that the answer is complete.
func generate(ctx *sdk.Context, r *abi.LlmRequest, emit func(abi.StreamEvent) error) error {
	body, err := encode(r)
	if err != nil {
		return err
	}
	req := &http.Request{
		Method:  "POST",
		URL:     endpoint(env.Get("base_url")),
		Headers: map[string]string{"content-type": "application/json", "accept": "text/event-stream"},
		Body:    body,
	}
	if key := strings.TrimSpace(env.Get("api_key")); key != "" {
		req.Headers["authorization"] = "Bearer " + key
	}
	s, err := open(ctx, req)
	if err != nil {
		return err
	}
	// The end of the stream was read, or an error is being reported already.
	defer s.Close()
	return relay(s, r.RequestID, emit)
}

// endpoint is the address of the API. The setting comes without /v1, but many people give
// it with it.
func endpoint(base string) string {
	base = strings.TrimRight(strings.TrimSpace(base), "/")
	return strings.TrimSuffix(base, "/v1") + "/v1/chat/completions"
}

// open sends the request until the server takes it. Only what says "later" is tried
// again, and only before any of the answer has come.
func open(ctx *sdk.Context, req *http.Request) (*http.Stream, error) {
	wait := 500 * time.Millisecond
	for n := 1; ; n++ {
		s, err := http.Open(req)
		if err != nil {
			return nil, err
		}
		if s.OK() {
			return s, nil
		}
		failure := apiError(s)
		retry := s.Status == 429 || s.Status == 408 || s.Status >= 500
		asked := retryAfter(s)
		if err := s.Close(); err != nil {
			ctx.Warn("A refused stream could not be closed", "error", err)
		}
		if !retry || n == attempts || asked > maxWait {
			return nil, failure
		}
		pause := max(asked, wait/2+rand.N(wait/2))
		ctx.Info("The server is busy, trying again", "status", s.Status, "attempt", n, "wait", pause.String())
		sleep(min(pause, maxWait))
		wait *= 2
	}
}

// retryAfter is how long the server asks to wait, in seconds; the form with a date is
// not used by these servers.
func retryAfter(s *http.Stream) time.Duration {
	secs, err := strconv.ParseFloat(strings.TrimSpace(s.Header("retry-after")), 64)
	if err != nil || secs < 0 || secs > 1e6 {
		return 0
	}
	return time.Duration(secs * float64(time.Second))
}

// apiError is a refusal in the server's own words.
func apiError(s *http.Stream) error {
	raw, err := io.ReadAll(io.LimitReader(s, maxErrorBody))
	if err != nil && len(raw) == 0 {
		return fmt.Errorf("API error (%d), and its text could not be read: %w", s.Status, err)
	}
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	text := strings.ToValidUTF8(string(raw), "")
	if json.Unmarshal(raw, &body) == nil && body.Error != nil {
		text = errorText(body.Error)
	}
	return fmt.Errorf("API error (%d): %s", s.Status, strings.TrimSpace(text))
}

// errorText finds the message in an error field, which is an object or a text.
func errorText(raw json.RawMessage) string {
	var obj struct {
		Message string `json:"message"`
	}
	var text string
	switch {
	case json.Unmarshal(raw, &obj) == nil && obj.Message != "":
		return obj.Message
	case json.Unmarshal(raw, &text) == nil:
		return text
	}
	return string(raw)
}

var errCut = errors.New("the server cut the stream before the answer was complete")
