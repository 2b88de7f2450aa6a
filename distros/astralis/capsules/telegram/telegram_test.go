package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
	"github.com/unicity-astrid/astrid-go/testdata/faketelegram"
)

// world is a bot with a fake Telegram, and an agent that answers each prompt as script says.
func world(t *testing.T, script func(h *sdktest.Host, in abi.UserInput)) (*sdktest.Host, *faketelegram.Server) {
	h := sdktest.New(t)
	tg := faketelegram.New("123:abc")
	// Nothing comes while the test stands still, so there is no use in waiting.
	h.HTTP = patient{tg}
	h.Config["bot_token"], h.Config["allowed_user_ids"], h.Config["api_base"] = "123:abc", "7, 8", "https://tg.example/"
	h.OnPublish(abi.TopicUserPrompt, func(m abi.Message) {
		var in abi.UserInput
		if err := json.Unmarshal(m.Payload, &in); err != nil {
			t.Error(err)
		}
		if script != nil {
			script(h, in)
		}
	})
	return h, tg
}

func answer(h *sdktest.Host, in abi.UserInput, deltas ...string) {
	for _, d := range deltas {
		h.Deliver(abi.TopicAgentDelta, abi.TextDelta{SessionID: in.SessionID, TurnID: "t", Text: d})
	}
	h.Deliver(abi.TopicAgentResponse, tagged(abi.AgentResponse{Text: strings.Join(deltas, ""), IsFinal: true, SessionID: in.SessionID}))
}

func tagged(p abi.TaggedPayload) json.RawMessage {
	b, err := abi.MarshalPayload(p)
	if err != nil {
		panic(err)
	}
	return b
}

func texts(ms []faketelegram.Message) string {
	var out []string
	for _, m := range ms {
		out = append(out, m.Text)
	}
	return strings.Join(out, " | ")
}

func run1(t *testing.T, h *sdktest.Host) {
	t.Helper()
	h.Caller.SessionID = ""
	if err := h.RunLoop(); err != nil {
		t.Fatal(err)
	}
}

func TestConversation(t *testing.T) {
	var seen []abi.UserInput
	h, tg := world(t, func(h *sdktest.Host, in abi.UserInput) {
		seen = append(seen, in)
		answer(h, in, "You said ", in.Text)
	})
	tg.Say(7, 70, "hello")
	run1(t, h)
	tg.Say(7, 70, "again")
	tg.Say(8, 80, "other chat")
	run1(t, h)
	if got := texts(tg.Sent(70)); got != "You said hello | You said again" {
		t.Errorf("%q", got)
	}
	if got := texts(tg.Sent(80)); got != "You said other chat" {
		t.Errorf("%q", got)
	}
	if len(seen) != 3 || seen[0].SessionID != seen[1].SessionID || seen[0].SessionID == seen[2].SessionID || !strings.HasPrefix(seen[0].SessionID, "tg-70-") {
		t.Errorf("%+v", seen)
	}
	if !h.Ready() || len(h.Uplinks()) == 0 {
		t.Error("it did not say that it is there")
	}
}

func TestStrangers(t *testing.T) {
	h, tg := world(t, func(*sdktest.Host, abi.UserInput) { t.Error("a stranger's message was handed in") })
	tg.Say(9, 90, "hello")
	tg.Say(9, 90, "/new")
	run1(t, h)
	if got := texts(tg.Sent(90)); strings.Count(got, "Not authorized") != 2 || !strings.Contains(got, "9.") {
		t.Errorf("%q", got)
	}
}

func TestCommands(t *testing.T) {
	var seen []abi.UserInput
	h, tg := world(t, func(h *sdktest.Host, in abi.UserInput) {
		if seen = append(seen, in); strings.Contains(string(in.Context), abi.ActionCancelTurn) {
			h.Deliver(abi.TopicAgentResponse, tagged(abi.AgentResponse{IsFinal: true, SessionID: in.SessionID}))
		}
	})
	for _, text := range []string{"/start", "/cancel", "/odd", "work", "/new", "and this too", "/cancel"} {
		tg.Say(7, 70, text)
	}
	run1(t, h)
	want := "Write what you want. /cancel ends what is running, /new begins another session. | Nothing is running. | There is no command /odd: /help lists them. | " +
		"A turn is running: /cancel it first. | (cancelled)"
	if got := texts(tg.Sent(70)); got != want {
		t.Errorf("%q", got)
	}
	if len(seen) != 3 || seen[1].Text != "and this too" || len(seen[1].Context) != 0 { // taken into the turn
		t.Errorf("%+v", seen)
	}
	tg.Say(7, 70, "/new@bot")
	tg.Say(7, 70, "work")
	h.Now = h.Now.Add(1e9)
	run1(t, h)
	if seen[3].SessionID == seen[0].SessionID {
		t.Error("it is the same session")
	}
}

func TestLongAnswer(t *testing.T) {
	var long []string
	for i := range 900 {
		long = append(long, fmt.Sprintf("line %d äöü\n", i))
	}
	h, tg := world(t, func(h *sdktest.Host, in abi.UserInput) { answer(h, in, long...) })
	tg.Say(7, 70, "much")
	run1(t, h)
	sent := tg.Sent(70)
	if len(sent) < 3 || strings.Join(strings.Split(strings.ReplaceAll(texts(sent), " | ", "\n"), "\n"), "\n")+"\n" != strings.Join(long, "") {
		t.Errorf("%d messages, %d bytes", len(sent), len(texts(sent)))
	}
}

// Telegram wants to be left alone for a while: nothing is lost.
func TestBusy(t *testing.T) {
	h, tg := world(t, func(h *sdktest.Host, in abi.UserInput) { answer(h, in, "the answer") })
	tg.Say(7, 70, "hi")
	tg.Busy(3)
	run1(t, h)
	if got := texts(tg.Sent(70)); got != "the answer" {
		t.Errorf("%q", got)
	}
}

// What is said in other sessions stays there.
func TestOtherSessions(t *testing.T) {
	h, tg := world(t, func(h *sdktest.Host, in abi.UserInput) {
		answer(h, abi.UserInput{SessionID: "elsewhere"}, "a secret")
		answer(h, in, "done")
	})
	tg.Say(7, 70, "push")
	run1(t, h)
	if got := texts(tg.Sent(70)); got != "done" {
		t.Errorf("%q", got)
	}
}

// A wrong token is told without showing it, and tried again.
func TestFailures(t *testing.T) {
	h, _ := world(t, nil)
	h.Config["bot_token"] = "456:secret"
	run1(t, h)
	if log := fmt.Sprint(h.Logs()); !strings.Contains(log, "Unauthorized") || strings.Contains(log, "secret") {
		t.Error(log)
	}
	h.Config["bot_token"] = ""
	if err := h.RunLoop(); err == nil || !strings.Contains(err.Error(), "bot_token") {
		t.Error(err)
	}
}
