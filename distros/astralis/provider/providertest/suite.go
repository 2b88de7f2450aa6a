package providertest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Vendor is what the suite needs to know of a provider and of the stand-in for its vendor.
type Vendor struct {
	ID string
	// Server makes a stand-in that wants a key, if one is given.
	Server func(key string) Server
	// KeyHeader is where the key goes.
	KeyHeader string
	// Without are scenarios that mean nothing to the vendor.
	Without []string
	// Exact tells whether the end of the stream is sure only when the vendor says so.
	Config map[string]string
}

// Server is a stand-in as the suite sees it.
type Server interface {
	http.Handler
	// Seen are the requests so far, and what was wrong with them.
	Seen() []Seen
	Gone() int
}

// Seen is a request to the vendor.
type Seen struct {
	Header http.Header
	Body   string
	Fault  string
}

// Echo is what the stand-ins answer.
func Echo(prompt string) string { return "You said: " + prompt + " — grüße, 你好, 🚀" }

// Run checks that a provider keeps the contract of all providers, on good days and on bad.
func Run(t *testing.T, v Vendor) {
	t.Run("scenarios", v.scenarios)
	t.Run("tools", v.tools)
	t.Run("retries", v.retries)
	t.Run("key", v.key)
	t.Run("base url", v.baseURL)
	t.Run("refusals of the host", v.hostRefusals)
	t.Run("cancel", v.cancel)
	t.Run("money", v.money)
	t.Run("undecodable", v.undecodable)
	t.Run("bus", v.bus)
	t.Run("names", v.names)
}

func (v Vendor) rig(t *testing.T) (*Rig, Server) {
	s := v.Server("")
	g := New(t, v.ID, s)
	g.Config["api_key"] = "sk-test-1234"
	for k, val := range v.Config {
		g.Config[k] = val
	}
	t.Cleanup(func() {
		for _, r := range s.Seen() {
			if r.Fault != "" {
				t.Errorf("a request breaks the vendor's schema: %s\n%s", r.Fault, r.Body)
			}
		}
	})
	return g, s
}

func (v Vendor) scenarios(t *testing.T) {
	whole := func(t *testing.T, o Outcome) {
		if !o.Done || o.Text != Echo("hi") {
			t.Errorf("%+v", o)
		}
		if o.Reason != abi.ReasonEndTurn {
			t.Errorf("stopped for %q", o.Reason)
		}
	}
	failed := func(kind string, words ...string) func(*testing.T, Outcome) {
		return func(t *testing.T, o Outcome) {
			if lacks := Lacks(o.Error, words...); o.Done || o.Failure.Kind != kind || len(lacks) > 0 {
				t.Errorf("kind %q, want %q; error %q lacks %q", o.Failure.Kind, kind, o.Error, lacks)
			}
		}
	}
	for model, check := range map[string]func(*testing.T, Outcome){
		"text": whole, "crlf": whole, "ping": whole, "nospace": whole, "nodone": whole, "drip:1": whole,
		"429": whole, "500:3": whole, "529:2": whole, "overloaded:2": whole,
		"nousage": whole,
		"reasoning": func(t *testing.T, o Outcome) {
			whole(t, o)
			if !strings.HasPrefix(o.Thought, "Let me think") {
				t.Errorf("thought %q", o.Thought)
			}
		},
		"redacted": func(t *testing.T, o Outcome) {
			whole(t, o)
			if o.Thought != "" {
				t.Errorf("thought %q", o.Thought)
			}
		},
		"length": func(t *testing.T, o Outcome) {
			if !o.Done || o.Reason != abi.ReasonMaxTokens || o.Text == "" {
				t.Errorf("%+v", o)
			}
		},
		"empty": func(t *testing.T, o Outcome) {
			if !o.Done || o.Text != "" {
				t.Errorf("%+v", o)
			}
		},
		"cut:1": failed(abi.LlmNetwork, "stream"), "cut:4": failed(abi.LlmNetwork, "stream"), "cut:7": failed(abi.LlmNetwork, "stream"),
		"broken":       failed(abi.LlmProtocol, "cannot be read"),
		"error:5":      failed(abi.LlmServer, "API error"),
		"error:0":      failed(abi.LlmServer, "API error"),
		"overloaded:9": failed(abi.LlmOverloaded, "API error"),
		"giant":        failed(abi.LlmProtocol, "longer than"),
		"401":          failed(abi.LlmAuth, "401"),
		"402":          failed(abi.LlmBilling),
		"404":          failed(abi.LlmModel, "404"),
		"413":          failed(abi.LlmContext),
		"500":          failed(abi.LlmServer, "500"),
	} {
		if slices.Contains(v.Without, model) {
			continue
		}
		t.Run(model, func(t *testing.T) {
			g, _ := v.rig(t)
			g.Config["model"] = model
			check(t, g.Ask(Prompt("hi")))
		})
	}
	t.Run("length inside a call", func(t *testing.T) {
		g, _ := v.rig(t)
		if o := g.Ask(Prompt("scenario:length\ncall a {\"x\":\"y\"}")); o.Failure.Kind != abi.LlmLength || len(Lacks(o.Error, "max_output_tokens")) > 0 {
			t.Errorf("%+v", o)
		}
	})
}

func (v Vendor) tools(t *testing.T) {
	g, s := v.rig(t)
	r := Prompt("call read_file {\"file_path\":\"grün.txt\"}\ncall list_directory {\"dir_path\":\".\"}\nthen\ncall last")
	o := g.Ask(r)
	if len(o.Calls) != 2 || string(o.Calls[0].Arguments) != `{"file_path":"grün.txt"}` || string(o.Calls[1].Arguments) != `{"dir_path":"."}` {
		t.Fatalf("%+v", o)
	}
	ended := slices.Sorted(slices.Values(o.Ended))
	if want := slices.Sorted(slices.Values([]string{o.Calls[0].ID, o.Calls[1].ID})); !slices.Equal(ended, want) || !o.Done || o.Reason != abi.ReasonToolUse {
		t.Errorf("ended %v, %+v", o.Ended, o)
	}
	r = Follow(r, o, "one", "two")
	o = g.Ask(r)
	if len(o.Calls) != 1 || o.Calls[0].Name != "last" {
		t.Fatalf("second round: %+v", o)
	}
	if args := string(o.Calls[0].Arguments); args != "" && args != "{}" {
		t.Errorf("arguments %q", args)
	}
	o.Calls[0].Arguments = []byte("{}")
	if o = g.Ask(Follow(r, o, "three")); o.Text != "The tools said:\none\ntwo\nthree\n✓" {
		t.Errorf("%+v, seen %+v", o, s.Seen())
	}
}

func (v Vendor) retries(t *testing.T) {
	const attempts, maxWait = 4, 20 * time.Second
	half := 250 * time.Millisecond
	for _, c := range []struct {
		model    string
		requests int
		done     bool
		least    []time.Duration // of the waits
	}{
		{"429:2:3", 3, true, []time.Duration{3 * time.Second, 3 * time.Second}},
		{"429:3", attempts, true, []time.Duration{half, 2 * half, 4 * half}},
		{"429:9", attempts, false, []time.Duration{half, 2 * half, 4 * half}},
		{"429:9:0.5", attempts, false, []time.Duration{2 * half, 2 * half, 4 * half}},
		{"429:9:3600", 1, false, nil}, // longer than anybody waits
		{"529:1", 2, true, []time.Duration{half}},
		{"overloaded:1", 2, true, []time.Duration{half}},
		{"cut:1", attempts, false, []time.Duration{half, 2 * half, 4 * half}},
		{"cut:7", 1, false, nil}, // some of the answer has come
		{"error:7", 1, false, nil},
		{"401", 1, false, nil},
		{"402", 1, false, nil},
		{"413", 1, false, nil},
	} {
		t.Run(c.model, func(t *testing.T) {
			g, s := v.rig(t)
			g.Config["model"] = c.model
			o := g.Ask(Prompt("hi"))
			if n := len(s.Seen()); n != c.requests || o.Done != c.done {
				t.Errorf("%d requests, %+v", n, o)
			}
			for i, least := range c.least {
				if i+1 >= len(g.Began) {
					t.Fatalf("%d requests", len(g.Began))
				}
				if d := g.Began[i+1].Sub(g.Began[i]); d < least || d > maxWait {
					t.Errorf("wait %d is %s, want at least %s", i+1, d, least)
				}
			}
			if c.model == "429:9:3600" && o.Failure.RetryAfterMs != 3_600_000 {
				t.Errorf("%+v", o.Failure)
			}
		})
	}
}

func (v Vendor) key(t *testing.T) {
	s := v.Server("sk-secret-42")
	g := New(t, v.ID, s)
	g.Config["api_key"] = " sk-secret-41\n"
	if o := g.Ask(Prompt("hi")); o.Failure.Kind != abi.LlmAuth {
		t.Errorf("with a wrong key: %+v", o)
	}
	g.Config["api_key"] = " sk-secret-42\n"
	if o := g.Ask(Prompt("hi")); !o.Done {
		t.Errorf("with the key: %+v", o)
	}
	// The key is in its header, and nowhere else.
	for _, r := range s.Seen() {
		for name, values := range r.Header {
			if strings.Contains(strings.Join(values, " "), "sk-secret") != strings.EqualFold(name, v.KeyHeader) {
				t.Errorf("%s: %v", name, values)
			}
		}
		if strings.Contains(r.Body, "sk-secret") {
			t.Errorf("the key is in the body: %s", r.Body)
		}
	}
	for _, l := range g.Logs() {
		if strings.Contains(l.Message, "sk-secret") {
			t.Errorf("the key is in the log: %s", l.Message)
		}
	}
	// A server that repeats the key does not bring it into the session or the log.
	g = New(t, v.ID, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"error":{"message":"not with ` + r.Header.Get(v.KeyHeader) + `"}}`))
	}))
	g.Config["api_key"] = "sk-secret-42"
	if o := g.Ask(Prompt("hi")); strings.Contains(o.Error, "sk-secret") || !strings.Contains(o.Error, "[key]") {
		t.Errorf("error %q", o.Error)
	}
}

func (v Vendor) baseURL(t *testing.T) {
	g, _ := v.rig(t)
	base := g.Config["base_url"]
	for _, tail := range []string{"", "/", "/v1", "/v1/"} {
		g.Config["base_url"] = base + tail
		if o := g.Ask(Prompt("hi")); !o.Done {
			t.Errorf("%q: %+v", tail, o)
		}
	}
}

func (v Vendor) hostRefusals(t *testing.T) {
	for code, kind := range map[abi.Code]string{
		abi.CodeDenied: abi.LlmDenied, abi.CodeDeferred: abi.LlmDenied, abi.CodeBudget: abi.LlmBudget,
		abi.CodeTimeout: abi.LlmTimeout, abi.CodeIO: abi.LlmNetwork, abi.CodeInvalid: abi.LlmConfig,
	} {
		g, _ := v.rig(t)
		g.Fail(abi.HTTPStreamStart, code, "for a reason at config.toml:3")
		if o := g.Ask(Prompt("hi")); o.Failure.Kind != kind || !strings.Contains(o.Error, "config.toml:3") {
			t.Errorf("%s: %+v", code, o)
		}
	}
	g, s := v.rig(t)
	g.Config["model"] = ""
	if o := g.Ask(Prompt("hi")); o.Failure.Kind != abi.LlmConfig || !strings.Contains(o.Error, "no model") || len(s.Seen()) != 0 {
		t.Errorf("%+v", o)
	}
	for _, key := range []string{"max_output_tokens", "context_window", "temperature", "models"} {
		g, s := v.rig(t)
		g.Config[key] = "warm"
		if o := g.Ask(Prompt("hi")); o.Failure.Kind != abi.LlmConfig || !strings.Contains(o.Error, key) || len(s.Seen()) != 0 {
			t.Errorf("%s: %+v", key, o)
		}
	}
}

// cancel: the connection is closed at once, in the middle of a silent stream and between
// two attempts.
func (v Vendor) cancel(t *testing.T) {
	g, s := v.rig(t)
	g.Config["model"] = "drip:60000"
	g.OnPublish(abi.TopicStreamPrefix+v.ID, func(abi.Message) {})
	go func() {
		for len(s.Seen()) == 0 {
			time.Sleep(time.Millisecond)
		}
		g.Deliver(abi.TopicGenerateCancel, abi.LlmCancel{RequestID: "somebody else's"})
		g.Deliver(abi.TopicGenerateCancel, abi.LlmCancel{RequestID: RequestID})
	}()
	if o := g.Ask(Prompt("hi")); o.Failure.Kind != abi.LlmCancelled {
		t.Errorf("%+v", o)
	}
	for end := time.Now().Add(10 * time.Second); s.Gone() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the server's side of the connection is still open")
		}
	}
}

const table = "as-of 2026-01-31\ntext 1000 500 4 20 0.4 5\n"

func (v Vendor) money(t *testing.T) {
	g, _ := v.rig(t)
	g.Config["models"] = table
	o := g.Ask(Prompt("one two three"))
	if o.Usage == nil || o.Usage.InputTokens == 0 || o.Usage.OutputTokens == 0 {
		t.Fatalf("usage %+v", o.Usage)
	}
	u := *o.Usage
	want := (float64(u.InputTokens-u.CacheReadTokens-u.CacheWriteTokens)*4 + float64(u.CacheReadTokens)*0.4 +
		float64(u.CacheWriteTokens)*5 + float64(u.OutputTokens)*20) / 1e6
	if d := u.CostUSD - want; d > 1e-12 || d < -1e-12 {
		t.Errorf("cost %g, want %g", u.CostUSD, want)
	}
	if c, r := g.Costs(), g.Reserved(); len(c) != 1 || c[0] != u.CostUSD || len(r) != 1 || r[0] < c[0] || r[0] > 0.05 {
		t.Errorf("reserved %v, settled %v, want %g", r, c, u.CostUSD)
	}
	// What is refused costs nothing; what breaks off costs what has come.
	g, _ = v.rig(t)
	g.Config["models"], g.Config["model"] = strings.ReplaceAll(table, "text", "429:2"), "429:2"
	g.Ask(Prompt("hi"))
	if c := g.Costs(); len(c) != 3 || c[0] != 0 || c[1] != 0 || c[2] == 0 {
		t.Errorf("settled %v", c)
	}
	g, _ = v.rig(t)
	g.Config["models"], g.Config["model"] = strings.ReplaceAll(table, "text", "cut:7"), "cut:7"
	g.Ask(Prompt("hi"))
	if c := g.Costs(); len(c) != 1 || c[0] <= 0 {
		t.Errorf("settled %v", c)
	}
}

// A request that cannot be decoded has an answer, too, if it has an id.
func (v Vendor) undecodable(t *testing.T) {
	g, _ := v.rig(t)
	g.Call("handle_llm_request", `{"type":"llm_request","request_id":"r","messages":[{"role":"user","content":7}],"tools":[]}`)
	if o := g.Outcome("r"); o.Failure.Kind != abi.LlmInvalid || !strings.Contains(o.Error, "content") {
		t.Errorf("%+v", o)
	}
}

// A bus that refuses ends the request: there is nobody to tell.
func (v Vendor) bus(t *testing.T) {
	g, _ := v.rig(t)
	n := 0
	g.Handle(abi.IpcPublish, func([]string) ([]byte, error) {
		n++
		return nil, abi.Errorf(abi.CodeQueueFull, "queue of react is full")
	})
	g.Call("handle_llm_request", abi.LlmRequest{RequestID: "r", Messages: Prompt("hi").Messages})
	if n != 1 {
		t.Errorf("%d events were published to a full queue", n)
	}
}

// Names that the vendor does not take are changed on the way there, and back.
func (v Vendor) names(t *testing.T) {
	g, _ := v.rig(t)
	r := Prompt("call mcp_a_b\ncall mcp_a_b_2")
	r.Tools = []abi.LlmToolDefinition{
		{Name: "mcp:a.b", InputSchema: []byte(`{"type":"object","mutable":true}`)}, {Name: "mcp:a:b"}, {Name: strings.Repeat("x", 100)},
	}
	o := g.Ask(r)
	if len(o.Calls) != 2 || o.Calls[0].Name != "mcp:a.b" || o.Calls[1].Name != "mcp:a:b" {
		t.Fatalf("%+v", o)
	}
	for i := range o.Calls {
		o.Calls[i].Arguments, o.Calls[i].ID = []byte(`{}`), "call:"+o.Calls[i].ID // as from another vendor
	}
	if o = g.Ask(Follow(r, o, "1", "2")); !o.Done {
		t.Errorf("%+v", o)
	}
}
