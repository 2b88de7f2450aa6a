package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
	"github.com/unicity-astrid/astrid-go/testdata/faketelegram"
)

// connect is a client of the box's daemon that sees all sessions.
func (b *box) connect(topics ...string) *client.Conn {
	b.t.Helper()
	h, err := home.New(b.home)
	if err != nil {
		b.t.Fatal(err)
	}
	conn, err := client.Dial(context.Background(), h, cli.Version)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	if err := conn.Subscribe(context.Background(), abi.ClientSubscribe{Topics: topics, Sessions: []string{"*"}}); err != nil {
		b.t.Fatal(err)
	}
	return conn
}

// set changes a setting of a capsule before the daemon starts.
func (b *box) set(capsule, key, value string) {
	b.t.Helper()
	path := filepath.Join(b.home, "home/default/.config/env", capsule+".env.json")
	set := map[string]any{}
	if raw, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(raw, &set); err != nil {
			b.t.Fatal(err)
		}
	}
	set[key] = value
	raw, err := json.Marshal(set)
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// TestResume: a turn that kill -9 interrupts goes on by itself when the daemon is back, and
// its answer is there for whoever comes.
func TestResume(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	b.run("", "start").want(t, 0)
	g, words := newGate(t)
	p := b.begin(b.cmd("-p", words+" mark-resume first", "--session", "r"))
	<-g.reached
	if err := syscall.Kill(pid(t, b.home), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.wait().want(t, 3)
	before := len(requestsWith("mark-resume first"))
	b.run("", "start").want(t, 0)
	eventually(t, "the model to be asked again", func() bool { return len(requestsWith("mark-resume first")) > before })
	g.let()
	b.run("", "-p", "mark-resume second", "--session", "r").want(t, 0, fakeopenai.Echo("mark-resume second"))
	reqs := requestsWith("mark-resume second")
	var said []string
	for _, m := range reqs[len(reqs)-1].Body.Messages {
		if m.Role != "system" {
			said = append(said, m.Role+":"+m.Text())
		}
	}
	want := "user:" + words + " mark-resume first|assistant:" + fakeopenai.Echo(words+" mark-resume first") + "|user:mark-resume second"
	if got := strings.Join(said, "|"); got != want {
		t.Errorf("the conversation is\n%s\nwant\n%s", got, want)
	}
}

// TestSteer: what is said while a turn runs is in its next request, and there is one answer.
func TestSteer(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	b.run("", "start").want(t, 0)
	conn := b.connect(abi.TopicTurnSteered, abi.TopicAgentResponse)
	ctx := context.Background()
	g, words := newGate(t)
	say := func(in abi.UserInput) {
		t.Helper()
		in.SessionID = "steered"
		if err := conn.Publish(ctx, abi.TopicUserPrompt, in.SessionID, b.ws, in); err != nil {
			t.Fatal(err)
		}
	}
	say(abi.UserInput{Text: words, Context: json.RawMessage(`{"turn_id":"t1"}`)})
	<-g.reached
	say(abi.UserInput{Text: "mark-steer also this", Context: json.RawMessage(`{"turn_id":"t2","steer":true}`)})
	var topics []string
	for m := range conn.Messages() {
		topics = append(topics, m.Topic)
		if m.Topic == abi.TopicTurnSteered {
			g.let()
			continue
		}
		if !strings.Contains(string(m.Payload), fakeopenai.Echo("mark-steer also this")) || !strings.Contains(string(m.Payload), `"t1"`) {
			t.Errorf("the answer is %s", m.Payload)
		}
		break
	}
	if strings.Join(topics, " ") != abi.TopicTurnSteered+" "+abi.TopicAgentResponse {
		t.Errorf("seen %v", topics)
	}
}

// TestLongSession: a session that is many times as long as the model's window stays
// answerable. No request is longer than the window, none separates calls from results, and
// what it costs to shorten it is bounded.
func TestLongSession(t *testing.T) {
	t.Parallel()
	const window, turns = 24_000, 30
	b := newBox(t, withFake)
	b.set("astrid-capsule-openai-compat", "context_window", fmt.Sprint(window))
	b.run("", "start").want(t, 0)
	b.write("a.txt", "I am a\n")
	filler := strings.Repeat("lorem ipsum dolor ", 1800) // 32 KB
	for i := range turns {
		b.run("", "--session", "long", "-p", fmt.Sprintf("scenario:brief mark-long %d %s", i, filler)).want(t, 0, "a brief answer")
	}
	b.run("", "--session", "long", "-p", "scenario:tools mark-long tools\ncall read_file {\"file_path\": \"a.txt\"}\ncall list_directory {\"dir_path\": \".\"}").want(t, 0, "I am a")
	said := turns * len(filler) / 4
	if said < 9*window {
		t.Fatalf("only %d tokens were said", said)
	}
	asked, summaries := 0, 0
	for _, r := range requestsWith("mark-long") {
		asked++
		if n := len(r.Raw) / 4; n > window {
			t.Errorf("a request has about %d tokens", n)
		}
		if strings.Contains(string(r.Raw), "You shorten conversations") {
			summaries++
		}
		open := 0
		for _, m := range r.Body.Messages {
			if m.Role == "tool" {
				if open--; open < 0 {
					t.Error("a result has no call before it")
				}
				continue
			}
			if open > 0 {
				t.Error("a call has no result")
			}
			open = len(m.ToolCalls)
		}
	}
	if summaries == 0 || summaries > turns {
		t.Errorf("%d summaries for %d requests", summaries, asked-summaries)
	}
	// A model whose window is smaller than is known says so, and is asked once more with less.
	b.run("", "--session", "narrow", "-p", "scenario:brief mark-wide "+filler).want(t, 0)
	limit := len(requestsWith("mark-wide")[0].Raw)
	b.run("", "--session", "narrow", "-p", fmt.Sprintf("scenario:narrow:%d mark-narrow", limit)).want(t, 0, "mark-narrow")
	var sizes []int
	for _, r := range requestsWith("mark-narrow") {
		sizes = append(sizes, len(r.Raw))
	}
	if len(sizes) < 2 || sizes[0] <= limit || sizes[len(sizes)-1] > limit {
		t.Errorf("requests of %d bytes to a model that takes %d", sizes, limit)
	}
	// Nothing is lost for people.
	b.run("", "session", "export", "long").want(t, 0, "mark-long 0 lorem", fmt.Sprintf("mark-long %d lorem", turns-1))
}

// TestTelegram: a person talks to the agent on Telegram; nobody else does.
func TestTelegram(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	tg := faketelegram.New("123:abc")
	srv := httptest.NewServer(tg)
	defer srv.Close()
	archive, err := filepath.Abs(filepath.Join(repo, "distros/astralis/dist/astrid-capsule-telegram.capsule"))
	if err != nil {
		t.Fatal(err)
	}
	b.run("", "capsule", "install", "--yes", archive,
		"--set", "bot_token=123:abc", "--set", "allowed_user_ids=7", "--set", "api_base="+srv.URL).want(t, 0)
	b.run("", "start").want(t, 0)
	tg.Say(9, 90, "let me in")
	tg.Say(7, 70, "mark-telegram hello")
	answered := func(chat int64, text string) func() bool {
		return func() bool {
			for _, m := range tg.Sent(chat) {
				if strings.Contains(m.Text, text) {
					return true
				}
			}
			return false
		}
	}
	eventually(t, "an answer", answered(70, fakeopenai.Echo("mark-telegram hello")))
	eventually(t, "the refusal", answered(90, "Not authorized"))
	if len(requestsWith("let me in")) != 0 {
		t.Error("a stranger's words reached the model")
	}
}
