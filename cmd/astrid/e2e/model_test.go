package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
)

// TestPipe: what is piped in goes before the prompt, the streamed text comes out.
func TestPipe(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	b.run("", "start").want(t, 0)
	b.write("a.txt", "old\n")
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = b.ws
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", cmd, err, out)
		}
	}
	b.write("a.txt", "new\n")
	diff := exec.Command("git", "diff")
	diff.Dir = b.ws
	ask := b.cmd("-p", "review this")
	pipe, err := diff.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	ask.Stdin = pipe
	if err := diff.Start(); err != nil {
		t.Fatal(err)
	}
	r := b.finish(ask)
	if err := diff.Wait(); err != nil {
		t.Error(err)
	}
	r.want(t, 0, "-old\n+new\n", "review this")
	if !strings.HasPrefix(r.out, "You said: diff --git a/a.txt") || !strings.HasSuffix(r.out, "🚀\n") {
		t.Errorf("standard output is not the answer alone: %q", r.out)
	}
	if r.err != "" {
		t.Errorf("standard error: %q", r.err)
	}
}

// TestModelAnswers: the good days of a provider.
func TestModelAnswers(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	b.write("a.txt", "apple\n")
	b.write("b.txt", "banana\n")
	for _, name := range []string{"text", "crlf", "ping", "nospace", "nodone", "nousage", "reasoning", "drip:1"} {
		b.run("", "-p", "scenario:"+name).want(t, 0, fakeopenai.Echo("scenario:"+name)+"\n")
	}
	r := b.run("", "--output-format", "json", "-p", "call read_file {\"file_path\":\"a.txt\"}\ncall read_file {\"file_path\":\"b.txt\"}").want(t, 0)
	var got struct {
		Response  string
		ToolCalls []struct {
			Name    string
			Content string
			IsError bool `json:"is_error"`
		} `json:"tool_calls"`
		Usage struct {
			In  int `json:"input_tokens"`
			Out int `json:"output_tokens"`
		}
		Iterations int
	}
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatalf("%v: %s", err, r.out)
	}
	if len(got.ToolCalls) != 2 || got.ToolCalls[0].IsError || !strings.Contains(got.ToolCalls[0].Content, "apple") || !strings.Contains(got.ToolCalls[1].Content, "banana") {
		t.Errorf("tool calls: %+v", got.ToolCalls)
	}
	if !strings.Contains(got.Response, "apple") || !strings.Contains(got.Response, "banana") || got.Usage.In == 0 || got.Usage.Out == 0 {
		t.Errorf("response %q, usage %+v", got.Response, got.Usage)
	}
	// Two rounds, the second with a tool that fails: the model is told.
	b.run("", "-p", "call write_file {\"file_path\":\"c.txt\",\"content\":\"cherry\"}\nthen\ncall read_file {\"file_path\":\"c.txt\"}\ncall read_file {\"file_path\":\"nope.txt\"}").
		want(t, 0, "cherry", "nope.txt")
}

// TestModelErrors: what a provider says when it fails reaches standard error, and nothing
// else reaches standard output.
func TestModelErrors(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	for _, c := range []struct {
		scenario string
		says     string
	}{
		{"401", "API error (401): Incorrect API key provided. (`astrid secret set openai-compat api_key` stores another key)"},
		{"500", "API error (500): The server had an error while processing your request"},
		{"error:4", "The server had an error while processing your request. Sorry about that!"},
		{"cut:6", "the stream broke off"},
		{"broken", "cannot be read"},
		{"empty", "empty answer"},
	} {
		t.Run(c.scenario, func(t *testing.T) {
			t.Parallel()
			r := b.run("", "-p", "scenario:"+c.scenario+" please").want(t, 4).says(t, "astrid: ", c.says)
			if r.out != "" {
				t.Errorf("standard output: %q", r.out)
			}
			var got struct {
				Response string
				Error    struct{ Kind, Message string }
			}
			r = b.run("", "--output-format", "json", "-p", "scenario:"+c.scenario+" please").want(t, 4)
			if err := json.Unmarshal([]byte(r.out), &got); err != nil || got.Response != "" || got.Error.Kind != "provider" || !strings.Contains(got.Error.Message, c.says) {
				t.Errorf("json: %v %s", err, r.out)
			}
		})
	}
}

// TestRateLimit: 429 is tried again, later each time, and as late as the server asks.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	began := time.Now()
	b.run("", "-p", "scenario:429:2:1 mark-ratelimit").want(t, 0, "You said: scenario:429")
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("two refusals with Retry-After 1 were answered after %s", took)
	}
	if n := len(requestsWith("mark-ratelimit")); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

// TestSessionHistory: a session's history reaches the model, also after a restart.
func TestSessionHistory(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	r := b.run("", "-p", "mark-history one", "--print-session").want(t, 0)
	id := strings.TrimSpace(r.err[strings.LastIndex(strings.TrimSpace(r.err), "\n")+1:])
	b.run("", "-p", "mark-history two", "--session", id, "--print-session").want(t, 0).says(t, id)
	b.run("", "stop").want(t, 0, "stopped")
	b.run("", "start").want(t, 0)
	b.run("", "-p", "mark-history three", "--session", id).want(t, 0)
	reqs := requestsWith("mark-history three")
	if len(reqs) != 1 {
		t.Fatalf("%d requests", len(reqs))
	}
	var said []string
	for _, m := range reqs[0].Body.Messages {
		if m.Role != "system" {
			said = append(said, m.Role+": "+m.Text())
		}
	}
	want := []string{
		"user: mark-history one", "assistant: " + fakeopenai.Echo("mark-history one"),
		"user: mark-history two", "assistant: " + fakeopenai.Echo("mark-history two"), "user: mark-history three",
	}
	if got := strings.Join(said, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("history:\n%s", got)
	}
}

// TestControlCharacters: a pipe gets what the model wrote; JSON escapes it.
func TestControlCharacters(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	b.run("", "-p", "scenario:control").want(t, 0, "\x1b[31mtext", "title \x1b]0;owned\a end")
	for _, format := range []string{"json", "stream-json"} {
		r := b.run("", "--output-format", format, "-p", "scenario:control").want(t, 0, `\u001b[31mtext`)
		if strings.ContainsAny(r.out, "\x1b\a\b") {
			t.Errorf("%s has raw control characters: %q", format, r.out)
		}
	}
}
