package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

// asks sends a prompt that names its model, and goes on until the model is known.
func (d *driver) asks(model string) {
	d.t.Helper()
	c, err := json.Marshal(abi.InputContext{TurnID: "t1", Model: model})
	if err != nil {
		d.t.Fatal(err)
	}
	d.call("handle_user_prompt", abi.UserInput{Text: "hi", SessionID: d.Caller.SessionID, Context: c})
	d.stored(d.turn().awaits)
}

func TestModelOfAPrompt(t *testing.T) {
	d := drive(t)
	d.others = map[string]*abi.ProviderDescription{
		"big": {ID: "v:big", Model: "big", RequestTopic: "llm.v1.request.generate.v", StreamTopic: "llm.v1.stream.v"},
	}
	d.asks("big")
	d.restart() // the record knows it too
	d.wake()
	d.call("handle_session_messages", abi.SessionMessages{CorrelationID: d.turn().awaits, Messages: history, LastAppendID: "t1/1"})
	d.assembled(d.turn().awaits)
	if r := last[abi.LlmRequest](d, "llm.v1.request.generate.v"); r.Model != "big" {
		t.Errorf("the provider is asked for %q", r.Model)
	}
	d.says("done")
	d.stored(d.turn().awaits)
	if e := d.completed(); e.Model != "v:big" || e.StopReason != abi.StopEndTurn {
		t.Errorf("%+v", e)
	}

	// The next prompt has the active one again.
	d.prompt("t2", "hi")
	d.stored(d.turn().awaits)
	if got := d.turn().model.ID; got != "m" {
		t.Errorf("the next prompt uses %q", got)
	}
	d.cancel("t2")
}

func TestModelOfAPromptThatDoesNotExist(t *testing.T) {
	d := drive(t)
	d.asks("nobody\x1b[31m")
	e := d.completed()
	if e.Error == nil || e.Error.Kind != "provider" || !strings.Contains(e.Error.Message, `no model is called "nobody\x1b[31m"`) {
		t.Errorf("%+v", e.Error)
	}
}
