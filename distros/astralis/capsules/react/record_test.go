package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

// A turn goes on after a restart, from wherever it was, without doing again what has an effect.
func TestResume(t *testing.T) {
	for p := storing; p <= saving; p++ {
		t.Run(phaseNames[p], func(t *testing.T) {
			d := drive(t)
			d.reach(p)
			d.restart()
			if len(d.Published(abi.TopicTurnWake)) != 1 {
				t.Fatalf("published %s", d.topics())
			}
			d.wake()
			turn := d.turn()
			r := last[abi.SessionMessagesRequest](d, abi.TopicSessionGet)
			want, id := "user:hi", "t1/1"
			if p >= tools {
				want, id = "assistant:let me see | calls | result:the daemon was restarted while this tool ran: it may or may not have had its effect", "t1/2"
			}
			if got := said(r.AppendBeforeRead); got != want || r.AppendID != id || !r.Repeated {
				t.Fatalf("repeated %q as %q (%v)", got, r.AppendID, r.Repeated)
			}
			d.call("handle_session_messages", abi.SessionMessages{CorrelationID: turn.awaits, Messages: history, LastAppendID: id})
			if e := last[abi.TurnResumed](d, abi.TopicTurnResumed); e.TurnID != "t1" || e.Text != "hi" {
				t.Errorf("%+v", e)
			}
			if len(d.Published(abi.TopicTurnStarted)) != 0 {
				t.Error("it was announced as new")
			}
			d.assembled(turn.awaits)
			if turn.phase == compacting {
				d.compacted(turn.awaits, abi.CompactResponse{})
			}
			d.says("done")
			d.stored(turn.awaits)
			if e := d.completed(); e.TurnID != "t1" || e.StopReason != abi.StopEndTurn || d.answer() != "done" {
				t.Errorf("%+v", e)
			}
			if len(d.Published(abi.TopicToolRequest)) != 0 {
				t.Error("a tool ran again")
			}
		})
	}
}

// The answer was stored and nobody told: it is told, and the model not asked again.
func TestResumeAfterTheAnswer(t *testing.T) {
	d := drive(t)
	d.reach(streaming)
	d.says("the answer")
	d.restart()
	d.wake()
	d.call("handle_session_messages", abi.SessionMessages{CorrelationID: d.turn().awaits, LastAppendID: "t1/2",
		Messages: append(history, abi.TextMessage(abi.RoleAssistant, "the answer"))})
	if d.answer() != "the answer" || len(sessions) != 0 {
		t.Errorf("%q, %d sessions", d.answer(), len(sessions))
	}
}

// Results of tools that took long are kept as they come.
// A person's command runs where the person is.
func TestCommandInSubdirectory(t *testing.T) {
	for _, c := range []struct{ workspace, directory, want string }{
		{"/ws", "/ws", `{"command":"ls"}`},
		{"/ws", "/ws/a b/c", `{"command":"ls","directory":"a b/c"}`},
		{"/ws", "/wsx", `{"command":"ls"}`},
		{"/ws", "", `{"command":"ls"}`},
		{"/", "/a", `{"command":"ls","directory":"a"}`},
	} {
		d := drive(t)
		d.Caller.Workspace = c.workspace
		in, err := json.Marshal(abi.InputContext{TurnID: "t1", Command: "ls", Directory: c.directory})
		if err != nil {
			t.Fatal(err)
		}
		d.call("handle_user_prompt", abi.UserInput{Text: "!ls", SessionID: d.Caller.SessionID, Context: in})
		d.stored(d.turn().awaits)
		r := last[abi.ToolExecuteRequest](d, abi.TopicToolRequest)
		if string(r.Arguments) != c.want {
			t.Errorf("%s in %s: asked for %s, want %s", c.directory, c.workspace, r.Arguments, c.want)
		}
		d.result(r.CallID, "")
		d.stored(d.turn().awaits)
	}
}

// A person's command runs without a model, is stored for it, and is run once whatever happens.
func TestCommandOfThePerson(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		d := drive(t)
		c, err := json.Marshal(abi.InputContext{TurnID: "t1", Command: "ls | wc"})
		if err != nil {
			t.Fatal(err)
		}
		d.call("handle_user_prompt", abi.UserInput{Text: "!ls | wc", SessionID: d.Caller.SessionID, Context: c})
		d.stored(d.turn().awaits)
		r := last[abi.ToolExecuteRequest](d, abi.TopicToolRequest)
		if r.ToolName != shellTool || string(r.Arguments) != `{"command":"ls | wc"}` {
			t.Fatalf("asked for %+v", r)
		}
		if restarted {
			d.restart()
			d.wake()
		} else {
			d.result(r.CallID, "3 files")
		}
		got, err := json.Marshal(last[getRequest](d, abi.TopicSessionGet).Append)
		if err != nil || !strings.Contains(string(got), `"name":"run_shell_command"`) || strings.Contains(string(got), "3 files") == restarted {
			t.Errorf("stored %s, %v", got, err)
		}
		d.Forget()
		d.stored(d.turn().awaits)
		if end := last[abi.TurnCompleted](d, abi.TopicTurnCompleted); end.StopReason != abi.StopEndTurn || end.ToolCalls != 1 {
			t.Errorf("ended %+v", end)
		}
		if topics := d.topics(); strings.Contains(topics, "assemble") || strings.Contains(topics, "llm") || strings.Contains(topics, abi.TopicToolRequest) || len(sessions) != 0 {
			t.Errorf("restarted %v: then %s", restarted, topics)
		}
	}
}

func TestResumeKeepsResults(t *testing.T) {
	d := drive(t)
	d.reach(streaming)
	d.says("", "c1=look", "c2=look", "c3=look")
	d.result("c1", "quick")
	d.Now = d.Now.Add(time.Minute)
	d.result("c2", "slow")
	d.restart()
	d.wake()
	if got := said(last[abi.SessionMessagesRequest](d, abi.TopicSessionGet).AppendBeforeRead); !strings.HasPrefix(got, "calls | result:quick | result:slow | result:the daemon was restarted") {
		t.Error(got)
	}
	d.cancel("")
}

// A prompt that comes before the wake-up waits behind the turn.
func TestPromptBeforeWake(t *testing.T) {
	d := drive(t)
	d.reach(streaming)
	d.restart()
	d.prompt("t2", "next")
	if d.turn().id != "t1" {
		t.Fatalf("turn %s runs", d.turn().id)
	}
	d.Forget()
	d.wake()
	if d.topics() != "" {
		t.Errorf("published %s", d.topics())
	}
	d.cancel("t1")
	if d.turn().id != "t2" {
		t.Errorf("turn %s runs", d.turn().id)
	}
	d.cancel("")
}

func TestResumeIsBounded(t *testing.T) {
	d := drive(t)
	d.reach(streaming)
	for range maxResumes {
		d.restart()
		d.wake()
		if len(sessions) != 1 {
			t.Fatal("it does not go on")
		}
	}
	d.restart()
	d.wake()
	if e := d.completed(); e.Error == nil || len(sessions) != 0 {
		t.Errorf("%+v", e)
	}
	d.reach(streaming)
	d.Now = d.Now.Add(25 * time.Hour)
	d.restart()
	d.wake()
	if e := d.completed(); e.Error == nil || !strings.Contains(e.Error.Message, "too long") || len(sessions) != 0 {
		t.Errorf("%+v", e)
	}
}

func TestDamagedRecord(t *testing.T) {
	d := drive(t)
	d.SetKey(recordPrefix+"x", "{")
	d.SetKey(recordPrefix+"y", `{"schema_version":1}`)
	d.restart()
	if len(d.Published("*.*.*.*")) != 0 || len(d.Keys(recordPrefix)) != 0 {
		t.Errorf("%s, %v", d.topics(), d.Keys(recordPrefix))
	}
}
