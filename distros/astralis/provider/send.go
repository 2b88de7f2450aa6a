package provider

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/http"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	sdktime "github.com/unicity-astrid/astrid-go/sdk/time"
)

const (
	// attempts is how often a request is sent in all.
	attempts = 4
	// firstWait is the longest wait before the second attempt; each later one doubles it.
	firstWait = 500 * time.Millisecond
	// maxWait bounds the time between two attempts. A vendor that asks for more is not asked again.
	maxWait = 20 * time.Second
	// maxErrorBody is how much of an error's body is read, in bytes.
	maxErrorBody = 16 << 10
)

// run sends the request until it is answered.
func (c *Call) run() (err error) {
	if c.key, err = c.p.readKey(); err != nil {
		return err
	}
	if c.Use, err = c.p.model(c.Model); err != nil {
		return err
	}
	c.Kept.open(c)
	req, err := c.p.Encode(c)
	if err != nil {
		return err
	}
	if c.cancel, err = ipc.Subscribe(abi.TopicGenerateCancel); err != nil {
		return err
	}
	defer func() {
		if cerr := c.cancel.Close(); cerr != nil {
			c.Warn("A subscription could not be closed", "error", cerr)
		}
	}()
	req.CostUSD = c.Use.reserve(len(req.Body) - c.imageBytes())
	wait := firstWait
	for n := 1; ; n++ {
		err := c.attempt(req)
		f := failureOf(err)
		if err == nil || n == attempts || c.sent > 0 || !retryable(f) {
			return err
		}
		asked := time.Duration(f.RetryAfterMs) * time.Millisecond
		if asked > maxWait {
			return err
		}
		pause := max(asked, wait/2+rand.N(wait/2))
		c.Info("The model's server is asked again later", "kind", f.Kind, "status", f.Status, "attempt", n, "wait", pause.String())
		if err := c.sleep(min(pause, maxWait)); err != nil {
			return err
		}
		wait *= 2
	}
}

// sleep waits, unless the request is cancelled.
func (c *Call) sleep(d time.Duration) error {
	for end := sdktime.Now().Add(d); ; {
		left := end.Sub(sdktime.Now())
		if left <= 0 {
			return nil
		}
		e, err := c.cancel.Recv(max(left, time.Millisecond)) // the unit of the host
		if err != nil {
			return err
		}
		if c.isCancelled(e) {
			return errCancelled
		}
	}
}

// attempt sends the request once and hands on the answer.
func (c *Call) attempt(req *http.Request) error {
	c.usage, c.reason, c.Kept.items, c.Kept.opaque = nil, "", nil, false
	s, err := http.Open(req)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := s.Close(); cerr != nil {
			c.Warn("A stream could not be closed", "error", cerr)
		}
	}()
	if !s.OK() {
		s.Settle(0) // vendors charge for answers
		return c.p.refusal(s)
	}
	// What it really cost is known when the answer has ended, however it did.
	defer func() { s.Settle(c.cost(len(req.Body) - c.imageBytes())) }()
	err = c.p.Decode(c, &Events{call: c, stream: s})
	var gone *publishError
	if errors.As(err, &gone) {
		return err
	}
	return cmp.Or(c.flush(), err)
}

// cost is what the answer cost so far: by the reported usage, else by the amount of text.
func (c *Call) cost(asked int) float64 {
	u := abi.Usage{InputTokens: tokens(asked)}
	if c.usage != nil {
		u = *c.usage
	}
	if c.usage == nil || c.reason == "" { // the last report has not come
		u.OutputTokens = max(u.OutputTokens, tokens(c.said))
	}
	return c.Use.Cost(u)
}

func (c *Call) imageBytes() int {
	n := 0
	for _, m := range c.Messages {
		for _, p := range m.Content.Parts {
			// An image counts by its size in pixels: this is about a large one.
			n += max(0, len(p.Data)-4*imageTokens)
		}
	}
	return n
}

const imageTokens = 1600

var errCancelled = Fail(abi.LlmCancelled, "the request was cancelled")

// isCancelled tells whether one of the messages cancels this request.
func (c *Call) isCancelled(e abi.PollEnvelope) bool {
	for _, m := range e.Messages {
		if q, err := ipc.Decode[abi.LlmCancel](m); err == nil && q.RequestID == c.RequestID {
			return true
		}
	}
	return false
}

// refusal is an answer that is an error, in the vendor's own words, and where the key is at fault how to store another.
func (p *Provider) refusal(s *http.Stream) error {
	raw, err := io.ReadAll(io.LimitReader(s, maxErrorBody))
	if err != nil && len(raw) == 0 && !errors.Is(err, io.EOF) {
		return Fail(kindOf(s.Status, "", "", ""), "API error (%d), and its text could not be read: %v", s.Status, err).status(s.Status)
	}
	f := vendorFailure(s.Status, raw)
	if s.Status == 401 {
		f.Text += fmt.Sprintf(" (`astrid secret set %s api_key` stores another key)", p.ID)
	}
	f.RetryAfterMs = retryAfter(s).Milliseconds()
	return f
}

// retryAfter is how long the vendor asks to wait: in seconds, as a date, or in a header of
// its own in milliseconds.
func retryAfter(s *http.Stream) time.Duration {
	header := func(name string) float64 {
		n, err := strconv.ParseFloat(strings.TrimSpace(s.Header(name)), 64)
		if err != nil || n < 0 || n > 1e9 {
			return 0
		}
		return n
	}
	if ms := header("retry-after-ms"); ms > 0 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	if secs := header("retry-after"); secs > 0 {
		return time.Duration(secs * float64(time.Second))
	}
	at, err := time.Parse(time.RFC1123, strings.TrimSpace(s.Header("retry-after")))
	if err != nil {
		return 0
	}
	return max(0, at.Sub(sdktime.Now()))
}
