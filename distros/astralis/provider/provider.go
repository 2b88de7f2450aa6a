package provider

import (
	"encoding/json"
	"errors"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/http"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

// Provider is what tells one vendor's API from another.
type Provider struct {
	ID           string   // last part of its topics
	Name         string   // of the vendor, for people
	Capabilities []string // see [abi.ProviderDescription]
	// NeedsKey: there is no use in asking without one. A vendor that needs none may be a
	// server of one's own, where a model that the table does not list costs nothing.
	NeedsKey bool
	// Vendor is the address whose models the table lists; a server elsewhere has others, which only it can list. Empty: it lists
	// those of any.
	Vendor string
	// Window is that of a model of which nothing is known, in tokens.
	Window uint64

	// Encode makes the request for an answer that is streamed.
	Encode func(*Call) (*http.Request, error)
	// Decode reads the stream to its end and hands on what it says. It returns nil only when
	// the vendor said that the answer is complete.
	Decode func(*Call, *Events) error
	// List makes the request for the list of models.
	List func() *http.Request
	// Listed reads one entry of the list's field "data". An empty ID leaves it out.
	Listed func(entry json.RawMessage) Model

	read read
}

// Register registers the handlers of the manifest's interceptors.
func (p *Provider) Register() sdk.Registration {
	sdk.Interceptor("llm_describe", p.describe)
	sdk.On("handle_refresh_models", p.handleRefresh)
	return sdk.On("handle_llm_request", p.handle)
}

// handle answers one request.
func (p *Provider) handle(ctx *sdk.Context, raw json.RawMessage) error {
	c := &Call{Context: ctx, p: p}
	if err := c.LlmRequest.UnmarshalJSON(raw); err != nil {
		if c.RequestID == "" {
			return err // nobody could be told
		}
		return c.end(Fail(abi.LlmInvalid, "the request cannot be read: %v", err))
	}
	return c.end(c.run())
}

// publish sends one event.
func (p *Provider) publish(m abi.LlmStreamEvent) error {
	return ipc.PublishTagged(abi.TopicStreamPrefix+p.ID, m)
}

// publishError is a failure to hand an event on, as opposed to one of the vendor.
type publishError struct{ err error }

func (e *publishError) Error() string { return e.err.Error() }
func (e *publishError) Unwrap() error { return e.err }

// end publishes the terminal event.
func (c *Call) end(err error) error {
	if err == nil {
		err = c.closeCalls()
	}
	var gone *publishError
	switch {
	case errors.As(err, &gone):
		return err // the bus refused an event: it would refuse the next one too
	case err == nil:
		return c.p.publish(abi.LlmStreamEvent{RequestID: c.RequestID, Event: abi.StreamEvent{Done: true}, StopReason: c.stopReason()})
	}
	f := failureOf(err)
	text := redact(f.Text, c.key)
	return c.p.publish(abi.LlmStreamEvent{RequestID: c.RequestID, Event: abi.StreamEvent{Error: &text}, Failure: &f.LlmFailure})
}
