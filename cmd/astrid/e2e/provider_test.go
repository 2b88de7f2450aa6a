package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/testdata/fakeanthropic"
	"github.com/unicity-astrid/astrid-go/testdata/fakellm"
	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
	"github.com/unicity-astrid/astrid-go/testdata/fakeresponses"
)

const secretKey = "sk-e2e-secret-7531"

// vendors are the stand-ins, each with what its capsule is told.
var vendors = map[string]struct {
	server func() http.Handler
	faults func(http.Handler) []string
	names  string // of the variables
}{
	"anthropic": {
		func() http.Handler { return fakeanthropic.New(fakeanthropic.Options{APIKey: secretKey}) },
		func(h http.Handler) []string { return faults(h.(*fakeanthropic.Server)) }, "anthropic",
	},
	"openai": {
		func() http.Handler { return fakeresponses.New(fakeresponses.Options{APIKey: secretKey}) },
		func(h http.Handler) []string { return faults(h.(*fakeresponses.Server)) }, "openai",
	},
	"openai-compat": {
		func() http.Handler { return fakeopenai.New(fakeopenai.Options{APIKey: secretKey}) },
		func(h http.Handler) []string { return faults(h.(*fakeopenai.Server)) }, "openai",
	},
}

func faults[B any](s *fakellm.Server[B]) []string {
	var out []string
	for _, r := range s.Requests() {
		if r.Fault != "" {
			out = append(out, r.Fault+"\n"+string(r.Raw))
		}
	}
	return out
}

// TestProviders: init with each provider, and turns as a person has them: text, thinking,
// tools in several rounds, an error, and the cost.
func TestProviders(t *testing.T) {
	t.Parallel()
	for name, v := range vendors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := v.server()
			srv := httptest.NewServer(h)
			t.Cleanup(srv.Close)
			b := newBox(t, offline)
			b.run("", "init", "--yes", "--provider", name, "--set", v.names+"_base_url="+srv.URL,
				"--set", v.names+"_api_key="+secretKey, "--set", v.names+"_model=gpt-5.4").want(t, 0)
			b.write("a.txt", "apple\n")
			b.run("", "-p", "hello").want(t, 0, fakellm.Echo("hello"))
			prompt := "scenario:reasoning\ncall read_file {\"file_path\":\"a.txt\"}\ncall list_directory\nthen\ncall read_file {\"file_path\":\"nope.txt\"}"
			r := b.run("", "--output-format", "json", "-p", prompt).want(t, 0)
			var got struct {
				Response  string
				ToolCalls []struct{ Name string } `json:"tool_calls"`
				Usage     struct {
					In   int     `json:"input_tokens"`
					Out  int     `json:"output_tokens"`
					Cost float64 `json:"cost_usd"`
				}
			}
			if err := json.Unmarshal([]byte(r.out), &got); err != nil {
				t.Fatalf("%v: %s", err, r.out)
			}
			if len(got.ToolCalls) != 3 || !strings.Contains(got.Response, "apple") || !strings.Contains(got.Response, "nope.txt") {
				t.Errorf("%+v", got)
			}
			if got.Usage.In == 0 || got.Usage.Out == 0 || got.Usage.Cost <= 0 {
				t.Errorf("usage %+v", got.Usage)
			}
			b.run("", "-p", "scenario:402").want(t, 4)
			// What was spent is the sum of what the answers cost.
			b.run("", "budget").want(t, 0, "$0.")
			for _, f := range v.faults(h) {
				t.Errorf("a request breaks the vendor's schema: %s", f)
			}
			if s, ok := h.(*fakeanthropic.Server); ok {
				modelsAndCancel(t, b, s)
			}
			b.run("", "stop").want(t, 0)
			noKey(t, b.home)
		})
	}
}

// dial connects to a box's daemon and sees what is on the topics.
func dial(t testing.TB, b *box, topics ...string) *client.Conn {
	t.Helper()
	h, err := home.New(b.home)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := client.Dial(t.Context(), h, cli.Version)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Subscribe(t.Context(), abi.ClientSubscribe{Topics: topics, Sessions: []string{"*"}}); err != nil {
		t.Fatal(err)
	}
	return conn
}

// next is the next message on a topic, decoded.
func next[T any](t testing.TB, conn *client.Conn, topic string) T {
	t.Helper()
	for m := range conn.Messages() {
		if m.Topic != topic {
			continue
		}
		v, err := ipc.Decode[T](m)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	t.Fatalf("the connection ended: %v", conn.Err())
	panic("unreachable")
}

// modelsAndCancel: a client has the list of models fetched and chooses one, which is
// asked; when it cancels a turn, the connection to the vendor is closed at once.
func modelsAndCancel(t *testing.T, b *box, s *fakeanthropic.Server) {
	s.Reset()
	b.run("", "start").want(t, 0)
	ctx := t.Context()
	conn := dial(t, b, "registry.v1.*", abi.TopicAgentDelta, abi.TopicTurnCompleted)
	publish := func(topic string, v any) {
		t.Helper()
		if err := conn.Publish(ctx, topic, "session-x", b.ws, v); err != nil {
			t.Fatal(err)
		}
	}
	publish(abi.TopicRefreshModels, abi.RefreshModels{CorrelationID: "c"})
	if done := next[abi.ModelsRefreshed](t, conn, abi.TopicModelsRefreshed); done.Provider != "anthropic" || done.Models != 3 || done.Error != "" || done.CorrelationID != "c" {
		t.Fatalf("%+v", done)
	}
	publish("registry.v1.get_providers", struct{}{})
	var ids []string
	for _, p := range next[[]abi.ProviderDescription](t, conn, "registry.v1.response.get_providers") {
		ids = append(ids, p.ID)
		if p.ID == "anthropic:claude-next-9" && (p.ContextWindow != 777_000 || p.Price == nil || p.Listed == "") {
			t.Errorf("%+v", p)
		}
	}
	if got := strings.Join(ids, " "); got != "anthropic anthropic:claude-opus-5-5 anthropic:claude-haiku-5-5 anthropic:claude-next-9" {
		t.Errorf("models: %s", got)
	}
	publish("registry.v1.set_active_model", map[string]string{"model_id": "anthropic:claude-next-9"})
	next[any](t, conn, "registry.v1.response.set_active_model")

	publish(abi.TopicUserPrompt, abi.UserInput{Text: "scenario:drip:60000", SessionID: "session-x"})
	eventually(t, "the request", func() bool { return len(s.Requests()) == 1 })
	if m := s.Requests()[0].Body.Model; m != "claude-next-9" {
		t.Errorf("%s was asked", m)
	}
	began := time.Now()
	cancel, err := json.Marshal(abi.InputContext{Action: abi.ActionCancelTurn})
	if err != nil {
		t.Fatal(err)
	}
	publish(abi.TopicUserPrompt, abi.UserInput{SessionID: "session-x", Context: cancel})
	if c := next[abi.TurnCompleted](t, conn, abi.TopicTurnCompleted); c.StopReason != abi.StopCancelled {
		t.Errorf("%+v", c)
	}
	eventually(t, "the end of the connection to the vendor", func() bool { return s.Gone() == 1 })
	t.Logf("the connection was closed after %s", time.Since(began))

	// Several turns at once, each in an instance of its own.
	var ps []*process
	for range 6 {
		ps = append(ps, b.begin(b.cmd("-p", "scenario:drip:30 together")))
	}
	for _, p := range ps {
		p.wait().want(t, 0, "together")
	}
	// A vendor's failure reaches the client as one of the documented kinds.
	var got struct{ Error abi.TurnError }
	r := b.run("", "--output-format", "json", "-p", "scenario:402").want(t, 4)
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || got.Error.Failure == nil || got.Error.Failure.Kind != abi.LlmBilling || got.Error.Failure.Status != 402 {
		t.Errorf("%v %s", err, r.out)
	}
}

// noKey looks for the key everywhere but where it is kept.
func noKey(t *testing.T, home string) {
	t.Helper()
	err := filepath.WalkDir(home, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(path, "/env/") || strings.Contains(path, "secret") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.Contains(string(text), secretKey) {
			t.Errorf("the key is in %s", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
