package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

type getRequest struct {
	SessionID string            `json:"session_id"`
	Append    []abi.ChatMessage `json:"append_before_read"`
}

// A whole turn with one round of two tools, message by message.
func TestTurn(t *testing.T) {
	d := drive(t)
	d.prompt("t1", "hi")
	if r := last[getRequest](d, abi.TopicSessionGet); r.SessionID != "session" || len(r.Append) != 1 || r.Append[0].Content.Text != "hi" {
		t.Errorf("stored %+v", r)
	}
	d.stored(d.turn().awaits)
	if s := last[abi.TurnStarted](d, abi.TopicTurnStarted); s != (abi.TurnStarted{SessionID: "session", TurnID: "t1"}) {
		t.Errorf("%+v", s)
	}
	a := last[map[string]any](d, abi.TopicAssemble)
	if a["system_prompt"] != defaultPrompt || a["session_id"] != "session" || a["provider"] != "m" || a["request_id"] != d.turn().awaits {
		t.Errorf("assemble %v", a)
	}
	d.assembled(d.turn().awaits)
	if r := last[abi.LlmRequest](d, "llm.v1.request.generate.m"); r.System != "system" || len(r.Tools) != 1 || len(r.Messages) != 1 || r.RequestID != d.turn().awaits {
		t.Errorf("request %+v", r)
	}
	d.says("let me see", `c1=look({"at":"a"})`, "c2=look")
	var asked []abi.ToolExecuteRequest
	for _, raw := range d.Published(abi.TopicToolRequest) {
		var r abi.ToolExecuteRequest
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, r)
	}
	if len(asked) != 2 || asked[0].CallID != "c1" || string(asked[0].Arguments) != `{"at":"a"}` || asked[1].CallID != "c2" || string(asked[1].Arguments) != "{}" {
		t.Fatalf("tools asked: %+v", asked)
	}
	d.Now = d.Now.Add(2 * time.Second)
	d.result("c2", "two")
	if c := last[abi.ToolCompleted](d, abi.TopicToolCompleted); c.CallID != "c2" || c.Name != "look" || c.Content != "two" || c.DurationMs != 2000 {
		t.Errorf("%+v", c)
	}
	d.Forget()
	d.result("c2", "two again")
	if d.topics() != "" {
		t.Errorf("a second result of one call: %s", d.topics())
	}
	d.result("c1", "one")
	got, err := json.Marshal(last[getRequest](d, abi.TopicSessionGet).Append)
	if err != nil {
		t.Fatal(err)
	}
	// The calls in the order in which the model asked, results after them.
	want := `[{"role":"assistant","content":"let me see"},` +
		`{"role":"assistant","content":[{"id":"c1","name":"look","arguments":{"at":"a"}},{"id":"c2","name":"look","arguments":{}}]},` +
		`{"role":"tool","content":{"call_id":"c1","content":"one","is_error":false}},{"role":"tool","content":{"call_id":"c2","content":"two","is_error":false}}]`
	if string(got) != want {
		t.Errorf("stored\n%s\nwant\n%s", got, want)
	}
	d.stored(d.turn().awaits)
	d.says("it is fine")
	if r := last[getRequest](d, abi.TopicSessionGet); len(r.Append) != 1 || r.Append[0].Role != abi.RoleAssistant || r.Append[0].Content.Text != "it is fine" {
		t.Errorf("stored %+v", r)
	}
	if strings.Contains(d.topics(), "response") {
		t.Error("the answer was given before it was stored")
	}
	d.Forget()
	d.stored(d.turn().awaits)
	if d.topics() != "turn.completed response" || d.answer() != "it is fine" {
		t.Errorf("%s %q", d.topics(), d.answer())
	}
	c := d.completed()
	if c.StopReason != abi.StopEndTurn || c.Error != nil || c.Iterations != 1 || c.ToolCalls != 2 || c.Model != "m" || c.DurationMs != 2000 {
		t.Errorf("%+v", c)
	}
}

// Providers repeat the usage of a round: the last figure of each round counts.
func TestUsageIsThatOfAllRounds(t *testing.T) {
	d := drive(t)
	d.reach(streaming)
	use := func(in, out uint64) {
		d.event(d.turn().awaits, abi.StreamEvent{Usage: &abi.Usage{InputTokens: in, OutputTokens: out}})
	}
	use(10, 1)
	use(10, 5)
	use(8, 5)
	d.says("", "c1=look")
	d.result("c1", "x")
	d.stored(d.turn().awaits)
	use(20, 3)
	d.says("done")
	d.stored(d.turn().awaits)
	if u := d.completed().Usage; u != (abi.Usage{InputTokens: 28, OutputTokens: 8}) {
		t.Errorf("%+v", u)
	}
}

func TestCallIDsAreToldApart(t *testing.T) {
	d := drive(t)
	d.reach(streaming)
	d.says("", `c1=look({"n":1})`, `c1=look({"n":2})`, "=look", "=look")
	seen := map[string]bool{}
	args := ""
	for _, raw := range d.Published(abi.TopicToolRequest) {
		var r abi.ToolExecuteRequest
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		if r.CallID == "" || seen[r.CallID] || len(r.CallID) > 40 { // servers refuse longer ones
			t.Errorf("call id %q", r.CallID)
		}
		seen[r.CallID] = true
		args += string(r.Arguments)
	}
	if args != `{"n":1}{"n":2}{}{}` {
		t.Errorf("arguments %s", args)
	}
	for id := range seen {
		d.result(id, "x")
	}
	if p := d.turn().phase; p != saving {
		t.Errorf("phase %s", phaseNames[p])
	}
	d.cancel("")
}

// The tool says what it misses, and the model can try again.
func TestArgumentsThatAreNotJSON(t *testing.T) {
	for in, want := range map[string]string{`{"a":`: "{}", "": "{}", "  ": "{}", "nonsense": "{}", " {\"a\":1}\n": `{"a":1}`, `"text"`: `"text"`} {
		c := &call{}
		c.args.WriteString(in)
		if got := string(c.arguments()); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// A result of a cancelled turn is not taken for one of the next, even if the model uses
// the same id again.
func TestLateResult(t *testing.T) {
	d := drive(t)
	d.reach(tools)
	d.cancel("")
	if c := last[abi.ToolCancelRequest](d, abi.TopicToolCancel); len(c.CallIDs) != 1 || c.CallIDs[0] != "c1" {
		t.Errorf("%+v", c)
	}
	turn := d.reach(tools)
	d.result("c1", "of the old turn")
	if turn.phase != tools || d.topics() != "" {
		t.Fatalf("the old result was taken: %s", d.topics())
	}
	fresh := turn.calls[0].ID
	if fresh == "c1" {
		t.Fatal("the id is ambiguous")
	}
	d.result(fresh, "of this turn")
	if turn.phase != saving {
		t.Errorf("phase %s", phaseNames[turn.phase])
	}
	d.cancel("")
	if turn = d.reach(tools); turn.calls[0].ID != "c1" {
		t.Errorf("the id is still avoided after its result came: %s", turn.calls[0].ID)
	}
	d.cancel("")
}

func TestQueue(t *testing.T) {
	d := drive(t)
	d.reach(streaming)
	for i := range maxQueued {
		d.prompt(fmt.Sprintf("q%d", i), fmt.Sprintf("prompt %d", i))
	}
	if d.topics() != "" {
		t.Fatalf("published %s", d.topics())
	}
	d.prompt("too many", "x")
	if c := d.completed(); c.TurnID != "too many" || c.Error == nil || c.Error.Kind != "limit" {
		t.Errorf("%+v", c)
	}
	d.Forget()
	d.cancel("q1") // one that waits
	if c := d.completed(); c.TurnID != "q1" || c.StopReason != abi.StopCancelled {
		t.Errorf("%+v", c)
	}
	var order []string
	for len(sessions) > 0 {
		d.Forget()
		d.cancel("")
		order = append(order, d.completed().TurnID)
		if len(sessions) > 0 {
			if r := last[getRequest](d, abi.TopicSessionGet); len(r.Append) != 1 || r.Append[0].Content.Text == "" {
				t.Errorf("the next turn stored %+v", r)
			}
		}
	}
	if got := strings.Join(order, " "); got != "t1 q0 q2 q3 q4 q5 q6 q7 q8 q9 q10 q11 q12 q13 q14 q15" {
		t.Errorf("order %s", got)
	}
}

// The round that reaches the limit has had its effects, so it is stored.
func TestIterationLimit(t *testing.T) {
	d := drive(t)
	d.Config["max_iterations"] = "2"
	d.reach(tools)
	d.result("c1", "x")
	d.stored(d.turn().awaits)
	d.says("again", "c2=look")
	d.Forget()
	d.result("c2", "y")
	const stopped = "Stopped: ReAct loop exceeded maximum of 2 iterations."
	r := last[getRequest](d, abi.TopicSessionGet)
	if n := len(r.Append); n != 4 || r.Append[2].Content.Result == nil || r.Append[3].Content.Text != stopped {
		t.Errorf("stored %+v", r.Append)
	}
	d.stored(d.turn().awaits)
	c := d.completed()
	if d.answer() != stopped || c.StopReason != abi.StopIterations || c.Error == nil || c.Error.Kind != "limit" || c.Iterations != 2 {
		t.Errorf("%+v %q", c, d.answer())
	}
}

// Each phase has its limit; a sign of life starts it again.
func TestTimeouts(t *testing.T) {
	for p, c := range map[phase]struct {
		limit time.Duration
		text  string
		alive func(d *driver)
	}{
		storing:    {30 * time.Second, "Storing phase exceeded 30s", nil},
		assembling: {30 * time.Second, "AwaitingPromptBuild phase exceeded 30s", nil},
		streaming: {7 * time.Second, "Streaming phase exceeded 7s", func(d *driver) {
			d.event(d.turn().awaits, abi.StreamEvent{Usage: &abi.Usage{}})
		}},
		tools:  {9 * time.Second, "AwaitingTools phase exceeded 9s", func(d *driver) { d.result("c0", "x") }},
		saving: {30 * time.Second, "Saving phase exceeded 30s", nil},
	} {
		t.Run(phaseNames[p], func(t *testing.T) {
			d := drive(t)
			d.Config["streaming_timeout_secs"], d.Config["tool_timeout_secs"] = "7", "9"
			d.reach(min(p, streaming))
			if p >= tools {
				d.says("", "c0=look", "c1=look")
			}
			if p == saving {
				d.result("c0", "x")
				d.result("c1", "x")
			}
			d.prompt("behind", "x")
			d.tick(c.limit - time.Millisecond)
			if c.alive != nil {
				c.alive(d)
				d.tick(c.limit - time.Millisecond)
			}
			if len(sessions) != 1 {
				t.Fatal("the turn ended too early")
			}
			d.Forget()
			d.tick(time.Millisecond)
			var ends []abi.TurnCompleted
			for _, raw := range d.Published(abi.TopicTurnCompleted) {
				var e abi.TurnCompleted
				if err := json.Unmarshal(raw, &e); err != nil {
					t.Fatal(err)
				}
				ends = append(ends, e)
			}
			if len(ends) != 1 || ends[0].TurnID != "t1" || ends[0].StopReason != abi.StopTimeout ||
				ends[0].Error.Kind != "timeout" || !strings.Contains(ends[0].Error.Message, c.text) {
				t.Errorf("%+v", ends)
			}
			// What waits behind it begins in its own session.
			if n := len(d.Published(abi.TopicTurnWake)); n != 1 {
				t.Fatalf("%d wake-ups", n)
			}
			d.Forget()
			d.wake()
			if d.turn().id != "behind" || d.topics() != "session.v1.request.get_messages" {
				t.Errorf("turn %s, published %s", d.turn().id, d.topics())
			}
			d.cancel("")
		})
	}
}

// An answer that could not be stored is given all the same, with the error beside it.
func TestAnswerThatCannotBeStored(t *testing.T) {
	for name, fail := range map[string]func(d *driver){
		"refused": func(d *driver) {
			d.call("handle_session_messages", abi.SessionMessages{CorrelationID: d.turn().awaits, Error: "disk full"})
		},
		"never": func(d *driver) { d.tick(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			d := drive(t)
			d.reach(streaming)
			d.says("the answer")
			fail(d)
			if c := d.completed(); d.answer() != "the answer" || c.Error == nil {
				t.Errorf("%q %+v", d.answer(), c)
			}
		})
	}
}
