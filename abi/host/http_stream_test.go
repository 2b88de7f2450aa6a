package host

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
)

// stream starts a stream and returns its handle.
func (g *guest) stream(u string, more ...string) string {
	g.t.Helper()
	out, err := g.do(abi.HTTPStreamStart, reqJSON(u, more...))
	if err != nil {
		g.t.Fatalf("%s: %s", err.Code, err.Message)
	}
	var s abi.HTTPStream
	must(g.t, json.Unmarshal(out, &s))
	return s.Handle
}

// chunks serves one chunk for each value that comes from next, and ends with it.
func chunks(next <-chan string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		w.WriteHeader(http.StatusOK)
		for {
			w.(http.Flusher).Flush()
			select {
			case c, ok := <-next:
				if !ok {
					return
				}
				_, _ = w.Write([]byte(c))
			case <-req.Context().Done():
				return
			}
		}
	}
}

func TestStream(t *testing.T) {
	next := make(chan string, 4)
	s := serve(t, chunks(next))
	r := newRig(t, autonomous())
	g := r.surfer(s.rule)
	h := g.stream(s.URL)
	next <- "one"
	g.want("one", abi.HTTPStreamRead, h)
	next <- "two\xff" // bytes need not be text
	g.want("two\xff", abi.HTTPStreamRead, h)
	close(next)
	g.want("", abi.HTTPStreamRead, h)
	g.want("", abi.HTTPStreamRead, h) // the end does not close it
	g.want("", abi.HTTPStreamClose, h)
	g.want("", abi.HTTPStreamClose, h)
	g.refused(abi.CodeHandle, "not found", abi.HTTPStreamRead, h)
	for _, bad := range []string{"", "x", "-1", `{"handle":"x"}`, `{`} {
		g.refused(abi.CodeInvalid, "", abi.HTTPStreamClose, bad)
	}
}

func TestStreamLimit(t *testing.T) {
	s := serve(t, chunks(nil))
	r := newRig(t, autonomous())
	g := r.surfer(s.rule)
	first := g.stream(s.URL)
	for range abi.MaxHTTPStreams - 1 {
		g.stream(s.URL)
	}
	g.refused(abi.CodeLimit, "4/4", abi.HTTPStreamStart, reqJSON(s.URL))
	g.want("", abi.HTTPStreamClose, first)
	g.stream(s.URL)
	// Other principals' calls do not find them.
	g.call = &Call{Principal: "mallory"}
	g.refused(abi.CodeHandle, "not found", abi.HTTPStreamRead, "2")
	g.want("", abi.HTTPStreamClose, "2")
	if n := g.inst.openStreams(); n != abi.MaxHTTPStreams {
		t.Errorf("%d streams are open", n)
	}
}

// TestStreamIdle: a stream that says nothing ends, with the reason.
func TestStreamIdle(t *testing.T) {
	s := serve(t, chunks(nil))
	o := autonomous()
	o.http.StreamIdle = 20 * time.Millisecond
	r := newRig(t, o)
	g := r.surfer(s.rule)
	h := g.stream(s.URL)
	g.refused(abi.CodeTimeout, "20ms", abi.HTTPStreamRead, h)
	g.refused(abi.CodeTimeout, "20ms", abi.HTTPStreamRead, h)
}

// TestStreamCanceled: the end of the call ends its read, and nothing else waits for the body.
func TestStreamCanceled(t *testing.T) {
	s := serve(t, chunks(nil))
	r := newRig(t, autonomous())
	g := r.surfer(s.rule)
	h := g.stream(s.URL)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := g.doCtx(ctx, abi.HTTPStreamRead, h); err == nil || err.Code != abi.CodeTimeout {
		t.Errorf("%v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %s", d)
	}
}

// TestStreamCost: a stream's grant is settled once, with the true cost if the guest tells it.
func TestStreamCost(t *testing.T) {
	next := make(chan string)
	s := serve(t, chunks(next))
	for name, c := range map[string]struct {
		end  func(g *guest, h string)
		cost float64
	}{
		"as reserved": {func(g *guest, h string) { g.want("", abi.HTTPStreamClose, h) }, 0.5},
		"told":        {func(g *guest, h string) { g.want("", abi.HTTPStreamClose, `{"handle":"`+h+`","cost_usd":0.25}`) }, 0.25},
		"told twice": {func(g *guest, h string) {
			g.want("", abi.HTTPStreamClose, `{"handle":"`+h+`","cost_usd":0.25}`)
			g.want("", abi.HTTPStreamClose, `{"handle":"`+h+`","cost_usd":9}`)
		}, 0.25},
		"under the tariff": {func(g *guest, h string) { g.want("", abi.HTTPStreamClose, `{"handle":"`+h+`","cost_usd":0}`) }, 0.1},
		"nonsense": {func(g *guest, h string) {
			g.refused(abi.CodeInvalid, "cost_usd", abi.HTTPStreamClose, `{"handle":"`+h+`","cost_usd":-1}`)
			g.want("", abi.HTTPStreamClose, h)
		}, 0.5},
		"instance dies": {func(g *guest, _ string) { g.inst.Close(); g.inst.Close() }, 0.5},
		"closed before dies": {func(g *guest, h string) {
			g.want("", abi.HTTPStreamClose, `{"handle":"`+h+`","cost_usd":0.25}`)
			g.inst.Close()
		}, 0.25},
	} {
		o := autonomous()
		o.limits = approval.Limits{SessionMax: 10_000_000, Tariff: []approval.Tariff{{Host: s.rule.host, PerRequest: 100_000}}}
		r := newRig(t, o)
		g := r.surfer(s.rule)
		c.end(g, g.stream(s.URL, `"cost_usd":0.5`))
		out := r.entries("default", audit.KindOutcome)
		if len(out) != 1 || out[0].CostUSD == nil || *out[0].CostUSD != c.cost || len(r.decisions("default")) != 1 || out[0].Of != r.decisions("default")[0].ID {
			t.Errorf("%s: outcomes %v, want one of %v", name, out, c.cost)
		}
	}
}

// TestRequestCost: what was reserved is spent, unless nothing was sent.
func TestRequestCost(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	o := autonomous()
	o.limits = approval.Limits{SessionMax: 1_000_000}
	r := newRig(t, o)
	g := r.surfer(s.rule)
	g.get(s.URL, `"cost_usd":0.6`)
	g.refused(abi.CodeBudget, "session", abi.HTTPRequestFn, reqJSON(s.URL, `"cost_usd":0.6`))
	g.inst.capsule.Bounds.transport().CloseIdleConnections() // on one of these it could be sent, to nobody
	s.Close()
	g.refused(abi.CodeIO, "", abi.HTTPRequestFn, reqJSON(s.URL, `"cost_usd":0.4`))
	_, err := g.do(abi.HTTPRequestFn, reqJSON(s.URL, `"cost_usd":0.4`))
	if err == nil || err.Code != abi.CodeIO || strings.Contains(err.Message, "budget") {
		t.Errorf("a request that was not sent was paid for: %v", err)
	}
}

// TestStreamInterrupted: a message that waits ends a read, and the stream loses nothing by it.
func TestStreamInterrupted(t *testing.T) {
	next := make(chan string, 4)
	s := serve(t, chunks(next))
	r := newRig(t, autonomous())
	g := r.guest(newCapsule(Grants{Net: []NetRule{s.rule}, IPCSubscribe: []string{"t.v1.a"}}))
	t.Cleanup(g.inst.capsule.Bounds.transport().CloseIdleConnections)
	other := r.guest(newCapsule(Grants{IPCPublish: []string{"t.v1.a"}}))
	h := g.stream(s.URL)
	sub, err := g.do(abi.IpcSubscribe, "t.v1.a")
	if err != nil {
		t.Fatal(err)
	}
	read := `{"handle":"` + h + `","until":"` + string(sub) + `"}`
	go func() { _, _ = other.do(abi.IpcPublish, "t.v1.a", `"now"`) }() // before or during the read
	g.refused(abi.CodeCanceled, "interrupted", abi.HTTPStreamRead, read)
	g.refused(abi.CodeCanceled, "interrupted", abi.HTTPStreamRead, read) // as long as it waits
	if out, err := g.do(abi.IpcPoll, string(sub)); err != nil || !strings.Contains(string(out), "now") {
		t.Fatalf("%s %v", out, err)
	}
	next <- "one"
	g.want("one", abi.HTTPStreamRead, read) // by the read that was interrupted
	next <- "two"
	g.want("two", abi.HTTPStreamRead, h)
	close(next)
	g.want("", abi.HTTPStreamRead, read)
	for _, bad := range []string{`{"handle":"` + h + `","until":"99"}`} {
		g.refused(abi.CodeHandle, "99", abi.HTTPStreamRead, bad)
	}
	g.refused(abi.CodeInvalid, "", abi.HTTPStreamRead, `{"handle":"`+h+`","until":"x"}`)
	g.want("", abi.HTTPStreamClose, h)
}
