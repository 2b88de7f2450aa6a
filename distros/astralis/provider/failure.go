package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Failure is an [abi.LlmFailure] with its text for people.
type Failure struct {
	abi.LlmFailure
	Text string
}

func (f *Failure) Error() string { return f.Text }

func (f *Failure) status(n int) *Failure {
	f.Status = n
	return f
}

// Fail makes a failure of a kind.
func Fail(kind, format string, args ...any) *Failure {
	return &Failure{abi.LlmFailure{Kind: kind}, fmt.Sprintf(format, args...)}
}

// Cut is what a stream is that ends before the vendor said that the answer is complete.
var Cut = Fail(abi.LlmNetwork, "the server cut the stream before the answer was complete")

// Unreadable is an event that cannot be decoded.
func Unreadable(err error) error {
	return Fail(abi.LlmProtocol, "the server sent an event that cannot be read: %v", err)
}

// hostKinds says what an error of a host call means for the request.
var hostKinds = []struct {
	err  error
	kind string
}{
	{abi.ErrDenied, abi.LlmDenied}, {abi.ErrDeferred, abi.LlmDenied}, {abi.ErrAudit, abi.LlmDenied},
	{abi.ErrBudget, abi.LlmBudget}, {abi.ErrTimeout, abi.LlmTimeout}, {abi.ErrCanceled, abi.LlmCancelled},
	{abi.ErrTooLarge, abi.LlmContext}, {abi.ErrInvalid, abi.LlmConfig}, {abi.ErrIO, abi.LlmNetwork}, {abi.ErrClosed, abi.LlmNetwork},
}

func failureOf(err error) *Failure {
	var f *Failure
	if err == nil || errors.As(err, &f) {
		return f
	}
	for _, k := range hostKinds {
		if errors.Is(err, k.err) {
			return Fail(k.kind, "%v", err)
		}
	}
	return Fail(abi.LlmServer, "%v", err)
}

// retryable tells whether the same request may be answered later.
func retryable(f *Failure) bool {
	if f == nil {
		return false
	}
	switch f.Kind {
	case abi.LlmRateLimit, abi.LlmOverloaded, abi.LlmServer, abi.LlmNetwork:
		return true
	case abi.LlmTimeout: // the vendor's; ours has taken long enough
		return f.Status != 0
	}
	return false
}

// words are the types and codes that vendors give their errors. Sources: "Errors" in the
// API references of Anthropic and OpenAI.
var words = map[string]string{
	"authentication_error": abi.LlmAuth, "permission_error": abi.LlmAuth, "invalid_api_key": abi.LlmAuth,
	"billing_error": abi.LlmBilling, "insufficient_quota": abi.LlmBilling, "billing_hard_limit_reached": abi.LlmBilling,
	"not_found_error": abi.LlmModel, "model_not_found": abi.LlmModel,
	"context_length_exceeded": abi.LlmContext, "request_too_large": abi.LlmContext,
	"rate_limit_error": abi.LlmRateLimit, "rate_limit_exceeded": abi.LlmRateLimit,
	"overloaded_error": abi.LlmOverloaded, "slow_down": abi.LlmOverloaded, "server_is_overloaded": abi.LlmOverloaded,
	"timeout_error": abi.LlmTimeout,
	"api_error":     abi.LlmServer, "server_error": abi.LlmServer, "internal_error": abi.LlmServer,
}

// tooLong are words that tell a conversation that is too long from other malformed requests.
var tooLong = []string{"prompt is too long", "context length", "context window", "maximum context", "input is too long", "exceed context limit"}

// kindOf maps a vendor's error: its code says most, then its type, then the status. Status
// 0 is an error inside a stream.
func kindOf(status int, code, typ, text string) string {
	if k, ok := words[code]; ok {
		return k
	}
	lower := strings.ToLower(text)
	for _, w := range tooLong {
		if (status == 0 || status == 400 || status == 413) && strings.Contains(lower, w) {
			return abi.LlmContext
		}
	}
	if k, ok := words[typ]; ok {
		return k
	}
	switch {
	case status == 401 || status == 403:
		return abi.LlmAuth
	case status == 402:
		return abi.LlmBilling
	case status == 404:
		return abi.LlmModel
	case status == 408 || status == 504:
		return abi.LlmTimeout
	case status == 413:
		return abi.LlmContext
	case status == 429:
		return abi.LlmRateLimit
	case status == 503 || status == 529:
		return abi.LlmOverloaded
	case status == 409 || status >= 500:
		return abi.LlmServer
	case status >= 300 || typ == "invalid_request_error":
		return abi.LlmInvalid
	}
	return abi.LlmServer
}

// vendorFailure reads an error in the form that the vendors share: an object with an
// object "error", or with a text.
func vendorFailure(status int, raw []byte) *Failure {
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(raw, &body) != nil || len(body.Error) == 0 {
		body.Error, _ = json.Marshal(string(raw)) // texts always encode
	}
	return VendorError(status, body.Error)
}

// VendorError is the failure that a field "error" speaks of.
func VendorError(status int, raw json.RawMessage) *Failure {
	var e struct {
		Message string `json:"message"`
		Type    string `json:"type"`
		Code    any    `json:"code"`
	}
	var text string
	switch {
	case json.Unmarshal(raw, &e) == nil && e.Message != "":
	case json.Unmarshal(raw, &text) == nil:
		e.Message = text
	default:
		e.Message = string(raw)
	}
	code, _ := e.Code.(string) // some servers send numbers, which say what the status says
	where := ""
	if status != 0 {
		where = fmt.Sprintf(" (%d)", status)
	}
	return Fail(kindOf(status, code, e.Type, e.Message), "API error%s: %s", where, readable(e.Message)).status(status)
}

// maxText bounds what a server may say in an error, in characters.
const maxText = 1000

// readable is a server's text without what would disturb a terminal, cut to a length
// that fits one.
func readable(s string) string {
	n := 0
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		n++
		switch {
		case n > maxText || r == unicode.ReplacementChar:
			return -1
		case r == '\n' || r == '\t' || !unicode.IsControl(r):
			return r
		}
		return -1
	}, s))
}

// redact cuts a key out of a text.
func redact(text, key string) string {
	if len(key) < 4 {
		return text
	}
	return strings.ReplaceAll(text, key, "[key]")
}
