package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider/providertest"
	sdkhttp "github.com/unicity-astrid/astrid-go/sdk/http"
)

// answer is what the vendor of these tests does with a request; each test sets it.
var answer func(c *provider.Call) error

// decode, if it is set, does it with the events of the answer.
var decode func(c *provider.Call, events *provider.Events) error

var _ = (&provider.Provider{
	ID: "test", Name: "Test", Capabilities: []string{"text"}, NeedsKey: true, Window: 4000,
	Encode: func(c *provider.Call) (*sdkhttp.Request, error) {
		return &sdkhttp.Request{Method: "POST", URL: provider.Endpoint("/v1/x"), Body: []byte("{}")}, nil
	},
	Decode: func(c *provider.Call, events *provider.Events) error {
		if decode != nil {
			return decode(c, events)
		}
		return answer(c)
	},
	List: func() *sdkhttp.Request {
		return &sdkhttp.Request{URL: provider.Endpoint("/v1/models"), Headers: map[string]string{"k": provider.Key()}}
	},
	Listed: func(raw json.RawMessage) provider.Model {
		var m provider.Model
		if json.Unmarshal(raw, &m) != nil {
			return provider.Model{}
		}
		return m
	},
}).Register()

const table = `
as-of 2026-11-20
small  8000 1000  0.1 0.5 0.01 0.125 >100 0.5 2.5 0.05 0.625 # two prices
big    9000 2000  4   20  0.4  5
*      0    0     10  50  1    12.5
`

func TestTable(t *testing.T) {
	tb, err := provider.ParseTable(table)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]float64{ // price of a million tokens of answer
		"small": 0.5, "big": 20, "big-2026-01-31": 20, "big-20260131": 20, "big@20260131": 20, "big-latest": 20,
		"bigger": 50, "big-pro": 50, "big-2026-01-31-pro": 50, "big-2026013": 50, "big-": 50, "": 50, "other": 50,
	} {
		m := tb.Find(id)
		if got := m.Cost(abi.Usage{OutputTokens: 1e6}); got != want || m.ID != id {
			t.Errorf("%q: %g, want %g", id, got, want)
		}
	}
	for _, c := range []struct {
		u    abi.Usage
		want float64
	}{
		{abi.Usage{InputTokens: 100, OutputTokens: 10}, 100*0.1 + 10*0.5},
		{abi.Usage{InputTokens: 100, CacheReadTokens: 50, CacheWriteTokens: 40, OutputTokens: 10}, 10*0.1 + 50*0.01 + 40*0.125 + 10*0.5},
		{abi.Usage{InputTokens: 101, CacheReadTokens: 50, OutputTokens: 10}, 51*0.5 + 50*0.05 + 10*2.5},
		{abi.Usage{InputTokens: 1, CacheReadTokens: 50}, 50 * 0.01}, // nonsense costs no less than nothing
	} {
		if got := tb.Find("small").Cost(c.u) * 1e6; got-c.want > 1e-9 || c.want-got > 1e-9 {
			t.Errorf("%+v: %g, want %g", c.u, got, c.want)
		}
	}
	for _, bad := range []string{"x", "x 1 2 3 4 5", "x 1 2 3 4 5 six", "x -1 2 3 4 5 6", "x 1 2 -3 4 5 6", "x 1 2 3 4 5 6 7", "x 1 2 3 4 5 6 >a 1 2 3 4", "x 1 2 3 4 5 6 9 1 2 3 4", "x 1 2 NaN 4 5 6", "x 1 2 1e9 4 5 6"} {
		if _, err := provider.ParseTable("\n" + bad); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// describe lists the models, if asked to after the vendor was asked; problem is what went wrong.
func describe(g *providertest.Rig, refresh bool) (d abi.ProvidersDescription, problem string) {
	g.T.Helper()
	if refresh {
		g.Forget()
		g.Call("handle_refresh_models", abi.RefreshModels{CorrelationID: "c", Provider: "test"})
		var done abi.ModelsRefreshed
		if err := json.Unmarshal(g.Published(abi.TopicModelsRefreshed)[0], &done); err != nil || done.Provider != "test" || done.CorrelationID != "c" || (done.Models > 0) != (done.Error == "") {
			g.T.Errorf("%+v %v", done, err)
		}
		problem = done.Error
	}
	if err := g.Call("llm_describe", struct{}{}).JSON(&d); err != nil {
		g.T.Fatal(err)
	}
	if problem == "" {
		problem = d.Providers[0].Problem
	}
	return d, problem
}

func brief(d abi.ProvidersDescription) string {
	var out []string
	for _, p := range d.Providers {
		price := "?"
		if p.Price != nil {
			price = fmt.Sprint(p.Price.OutputUSD)
		}
		out = append(out, fmt.Sprintf("%s=%s/%d/%d/%s/%v", p.ID, p.RequestModel(), p.ContextWindow, p.MaxOutputTokens, price, p.Listed != ""))
	}
	return strings.Join(out, " ")
}

// Models come from the table, then from the vendor's list, which is kept.
func TestModels(t *testing.T) {
	list := `{"data":[{"id":"big","name":"Big"},{"id":"new","window":77,"output":66},{"nonsense":1},7]}`
	status := 200
	asked := 0
	g := providertest.New(t, "test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path != "/v1/models" || r.Header.Get("k") != "sk-123456" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(list))
	}))
	g.Config["model"], g.Config["models"], g.Config["api_key"] = "small", table, "sk-123456"
	const fromTable = "test=/8000/1000/0.5/false test:big=big/9000/2000/20/false"
	d, problem := describe(g, false)
	if got := brief(d); got != fromTable || problem != "" || asked != 0 {
		t.Errorf("%s %s", got, problem)
	}
	if p := d.Providers[0]; p.Model != "small" || p.RequestTopic != "llm.v1.request.generate.test" || p.StreamTopic != "llm.v1.stream.test" || p.Price.AsOf != "2026-11-20" {
		t.Errorf("%+v", p)
	}
	if p := d.Providers[0]; p.MaxOutputTokens != 1000 {
		t.Errorf("%+v", p)
	}
	const live = "test=/8000/1000/0.5/false test:big=big/9000/2000/20/true test:new=new/77/66/50/true"
	d, _ = describe(g, true)
	if got := brief(d); got != live || d.Providers[1].Description != "Test: Big" {
		t.Errorf("%s %+v", got, d.Providers)
	}
	// It is kept; a failure says so and keeps it, too, without the key in it.
	status, list = 500, `{"error":{"message":"down for sk-123456"}}`
	if d, problem := describe(g, true); brief(d) != live || !strings.Contains(problem, "down for [key]") {
		t.Errorf("%s %q", brief(d), problem)
	}
	status, list = 200, "<html>"
	if d, problem := describe(g, true); brief(d) != live || problem == "" {
		t.Errorf("%s %q", brief(d), problem)
	}
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	if d, problem := describe(g, false); brief(d) != live || problem != "" || asked != 3 {
		t.Errorf("%s %q", brief(d), problem)
	}
	g.Call("handle_refresh_models", abi.RefreshModels{Provider: "another"})
	if asked != 3 {
		t.Error("it answered for another provider")
	}
	// Another server has other models, and without a key nobody is asked.
	g.Config["base_url"] += "/other"
	g.Config["api_key"] = ""
	if d, problem := describe(g, true); brief(d) != fromTable || !strings.Contains(problem, "no API key") || !strings.Contains(d.Providers[0].Problem, "no API key") || asked != 3 {
		t.Errorf("%s %q", brief(d), problem)
	}
}

func TestModelsAreBounded(t *testing.T) {
	var items []string
	for i := range 300 {
		items = append(items, fmt.Sprintf(`{"id":"m%d\u001b[31m"}`, i))
	}
	g := providertest.New(t, "test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"data":[` + strings.Join(items, ",") + `]}`))
	}))
	g.Config["api_key"] = "k"
	d, _ := describe(g, true)
	if len(d.Providers) != abi.MaxModels || strings.Contains(d.Providers[5].ID, "\x1b") {
		t.Errorf("%d entries, %q", len(d.Providers), d.Providers[5].ID)
	}
	if d.Providers[0].ContextWindow != 4000 || d.Providers[0].Price != nil {
		t.Errorf("%+v", d.Providers[0])
	}
}

func TestSettingsOfSizes(t *testing.T) {
	g := providertest.New(t, "test", http.NotFoundHandler())
	g.Config["model"], g.Config["models"] = "small", table
	g.Config["context_window"], g.Config["max_output_tokens"] = "5000", "1500"
	d, _ := describe(g, false)
	if got := brief(d); got != "test=/5000/1000/0.5/false test:big=big/9000/1500/20/false" {
		t.Error(got)
	}
	g.Config["max_output_tokens"] = "900"
	if d, _ := describe(g, false); d.Providers[0].MaxOutputTokens != 900 {
		t.Errorf("%+v", d.Providers[0])
	}
	g.Config["model"] = ""
	if d, problem := describe(g, false); !strings.Contains(problem, "no model") || len(d.Providers) == 0 {
		t.Errorf("%+v", d)
	}
	g.Config["models"], g.Config["model"] = "what", "small"
	if d, problem := describe(g, false); !strings.Contains(problem, "line 1") || len(d.Providers) != 1 {
		t.Errorf("%+v", d)
	}
}

func TestNoKey(t *testing.T) {
	g := providertest.New(t, "test", http.NotFoundHandler())
	if o := g.Ask(providertest.Prompt("hi")); o.Failure.Kind != abi.LlmConfig || !strings.Contains(o.Error, "astrid secret set test api_key") || len(g.Began) != 0 {
		t.Errorf("%+v", o)
	}
}

// Retry-After is seconds, a date, or a header of the vendor in milliseconds.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct{ name, value, ms string }{
		{"Retry-After", "7", "7000"}, {"Retry-After", "0.25", "250"}, {"Retry-After", "Fri, 02 Jan 2026 03:05:05 GMT", "60000"},
		{"Retry-After-Ms", "1234", "1234"}, {"Retry-After", "soon", "0"}, {"Retry-After", "-3", "0"}, {"Retry-After", "Fri, 02 Jan 2016 03:05:05 GMT", "0"},
		{"Retry-After", "NaN", "0"}, {"Retry-After", "Inf", "0"},
	} {
		g := providertest.New(t, "test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(c.name, c.value)
			w.WriteHeader(400)
		}))
		g.Config["api_key"] = "k"
		if o := g.Ask(providertest.Prompt("hi")); fmt.Sprint(o.Failure.RetryAfterMs) != c.ms || o.Failure.Kind != abi.LlmInvalid || o.Failure.Status != 400 {
			t.Errorf("%s %s: %+v", c.name, c.value, o.Failure)
		}
	}
}

// A cancel between two attempts ends the wait.
func TestCancelWhileWaiting(t *testing.T) {
	g := providertest.New(t, "test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	g.Config["api_key"] = "k"
	g.Client.Transport = after{g.Client.Transport, func() {
		g.Deliver(abi.TopicGenerateCancel, abi.LlmCancel{RequestID: providertest.RequestID})
	}}
	if o := g.Ask(providertest.Prompt("hi")); o.Failure.Kind != abi.LlmCancelled || len(g.Began) != 1 {
		t.Errorf("%+v after %d requests", o, len(g.Began))
	}
}

type after struct {
	http.RoundTripper
	do func()
}

func (a after) RoundTrip(r *http.Request) (*http.Response, error) {
	defer a.do()
	return a.RoundTripper.RoundTrip(r)
}

// What was thought is kept for the newest sessions, and only as long as the history has
// the calls it led to.
func TestRoundsAreBounded(t *testing.T) {
	g := providertest.New(t, "test", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	g.Config["api_key"] = "k"
	size := 10
	var found []json.RawMessage
	answer = func(c *provider.Call) error {
		found = nil
		for _, m := range c.Messages {
			found = append(found, c.Kept.Find(c.Use.ID, m.Content.Calls)...)
		}
		id := fmt.Sprintf("c%d", len(c.Messages))
		if err := errors.Join(c.Start(id, "f"), c.Args(id, "{}")); err != nil {
			return err
		}
		c.Kept.Keep(json.RawMessage(`"`+strings.Repeat("x", size)+`"`), true)
		c.SaveRound()
		return nil
	}
	round := func(session string, r abi.LlmRequest) abi.LlmRequest {
		g.Caller.SessionID = session
		g.Now = g.Now.Add(time.Minute)
		o := g.Ask(r)
		return providertest.Follow(r, o, "done")
	}
	r := round("one", providertest.Prompt("hi"))
	r = round("one", r)
	r = round("one", r)
	if len(found) != 2 {
		t.Errorf("%d rounds are known to the third", len(found))
	}
	// A history without the first rounds forgets them.
	short := r
	short.Messages = r.Messages[len(r.Messages)-2:]
	round("one", short)
	round("one", r)
	if len(found) != 1 {
		t.Errorf("%d rounds are left, want the third", len(found))
	}
	// Much is cut to the newest.
	size = 600 << 10
	r = round("two", providertest.Prompt("hi"))
	r = round("two", r)
	round("two", r)
	if len(found) != 1 {
		t.Errorf("%d rounds of 600 KiB are kept", len(found))
	}
	size = 10
	for i := range 80 {
		round(fmt.Sprintf("s%02d", i), providertest.Prompt("hi"))
	}
	keys, err := g.HostCall(abi.KvListKeys, "rounds.")
	if err != nil || strings.Count(string(keys), "rounds.") != 64 || strings.Contains(string(keys), "rounds.one") || !strings.Contains(string(keys), "rounds.s79") {
		t.Errorf("%s %v", keys, err)
	}
}

// Pieces that are here together are one event; nobody waits while something is held.
func TestPiecesBecomeOneEvent(t *testing.T) {
	decode = func(c *provider.Call, events *provider.Events) error {
		for {
			e, err := events.Next()
			if errors.Is(err, io.EOF) {
				return c.Text("!")
			}
			if err == nil {
				err = c.Text(string(e.Data))
			}
			if err != nil {
				return err
			}
		}
	}
	t.Cleanup(func() { decode = nil })
	for _, c := range []struct {
		writes []string // of the server
		want   string   // what was published, event by event
	}{
		{[]string{"data: a\n\ndata: b\n\n", "data: c\n\nda", "ta: d\n\n"}, "ab|c|d|!"},
		{[]string{"data: " + strings.Repeat("x", 20<<10) + "\n\ndata: y\n\n"}, strings.Repeat("x", 20<<10) + "|y|!"},
	} {
		g := providertest.New(t, "test", nil)
		g.Client = nil
		g.Config["api_key"] = "k"
		g.HTTP = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for _, s := range c.writes {
				_, _ = io.WriteString(w, s)
				w.(http.Flusher).Flush()
			}
		})
		if o := g.Ask(providertest.Prompt("hi")); !o.Done {
			t.Errorf("%+v", o)
		}
		var got []string
		for _, raw := range g.Published(abi.TopicStreamPrefix + "test") {
			var m abi.LlmStreamEvent
			if err := json.Unmarshal(raw, &m); err != nil {
				t.Fatal(err)
			}
			if m.Event.TextDelta != nil {
				got = append(got, *m.Event.TextDelta)
			}
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%.100q, want %.100q", got, c.want)
		}
	}
}
