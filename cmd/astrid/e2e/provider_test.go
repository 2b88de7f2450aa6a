package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
			b.run("", "stop").want(t, 0)
			noKey(t, b.home)
		})
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
