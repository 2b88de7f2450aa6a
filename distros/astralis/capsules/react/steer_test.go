package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

func said(ms []abi.ChatMessage) string {
	var out []string
	for _, m := range ms {
		switch {
		case m.Content.Calls != nil:
			out = append(out, "calls")
		case m.Content.Result != nil:
			out = append(out, "result:"+m.Content.Result.Content)
		default:
			out = append(out, m.Role+":"+m.Content.Text)
		}
	}
	return strings.Join(out, " | ")
}

// stores is what the turn asked the session to append last.
func (d *driver) stores() string {
	d.t.Helper()
	return said(last[getRequest](d, abi.TopicSessionGet).Append)
}

// A message that is said while a turn runs is in its next request, and never between calls and results.
func TestSteer(t *testing.T) {
	for p, c := range map[phase]struct {
		finish func(d *driver)
		want   string
	}{
		assembling: {func(d *driver) { d.assembled(d.turn().awaits) }, "user:by the way"},
		compacting: {func(d *driver) { d.compacted(d.turn().awaits, abi.CompactResponse{}) }, "user:by the way"},
		streaming:  {func(d *driver) { d.says("half") }, "assistant:half | user:by the way"},
		tools:      {func(d *driver) { d.result("c1", "seen") }, "assistant:let me see | calls | result:seen | user:by the way"},
		saving:     {func(d *driver) { d.stored(d.turn().awaits) }, "user:by the way"},
	} {
		t.Run(phaseNames[p], func(t *testing.T) {
			d := drive(t)
			turn := d.reach(p)
			d.steer("by the way")
			if s := last[abi.TurnSteered](d, abi.TopicTurnSteered); s.TurnID != "t1" || s.Text != "by the way" {
				t.Errorf("%+v", s)
			}
			c.finish(d)
			if turn.phase != saving || d.stores() != c.want {
				t.Fatalf("phase %s, stored %q", phaseNames[turn.phase], d.stores())
			}
			d.stored(turn.awaits)
			if turn.phase != streaming {
				t.Fatalf("phase %s", phaseNames[turn.phase])
			}
			d.says("done")
			d.stored(turn.awaits)
			if e := d.completed(); e.StopReason != abi.StopEndTurn || len(e.Unread) != 0 {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestSteerWithoutWish(t *testing.T) {
	d := drive(t)
	d.reach(streaming)
	d.call("handle_user_prompt", abi.UserInput{Text: "plain", SessionID: "session"}) // no turn of its own
	if len(d.turn().steered) != 1 {
		t.Error("it was not taken in")
	}
	d.cancel("")
	if e := d.completed(); len(e.Unread) != 1 || e.Unread[0] != "plain" {
		t.Errorf("%+v", e)
	}
	d.Forget()
	d.steer("alone")
	if d.stores() != "user:alone" { // no turn runs: it begins one
		t.Error(d.stores())
	}
	d.cancel("")
}

// What comes when the answer is being stored has a turn of its own.
func TestSteerTooLate(t *testing.T) {
	d := drive(t)
	d.reach(streaming)
	d.says("answer")
	d.steer("late")
	d.stored(d.turn().awaits)
	if d.answer() != "answer" || d.turn().text != "late" {
		t.Errorf("%q, then %q", d.answer(), d.turn().text)
	}
	d.cancel("")
}

func TestSteerIsBounded(t *testing.T) {
	d := drive(t)
	d.reach(tools)
	for range maxSteered {
		d.steer("x")
	}
	d.Forget()
	d.steer("one too many")
	if e := d.completed(); e.Error == nil || e.Error.Kind != "limit" {
		t.Errorf("%+v", e)
	}
	d.cancel("t1")
}

func (d *driver) limited(l abi.TurnLimits) *turn {
	d.t.Helper()
	c, err := json.Marshal(abi.InputContext{TurnID: "t1", Limits: &l})
	if err != nil {
		d.t.Fatal(err)
	}
	d.call("handle_user_prompt", abi.UserInput{Text: "hi", SessionID: "session", Context: c})
	t := d.turn()
	d.stored(t.awaits)
	d.assembled(t.awaits)
	return t
}

func (d *driver) costs(usd float64) {
	d.event(d.turn().awaits, abi.StreamEvent{Usage: &abi.Usage{InputTokens: 1, CostUSD: usd}})
}

func TestLimits(t *testing.T) {
	t.Run("turns", func(t *testing.T) {
		d := drive(t)
		turn := d.limited(abi.TurnLimits{MaxTurns: 1})
		d.says("", "c1=look")
		d.result("c1", "x")
		d.stored(turn.awaits)
		if e := d.completed(); e.StopReason != abi.StopIterations || e.Iterations != 1 {
			t.Errorf("%+v", e)
		}
	})
	t.Run("cost, before tools run", func(t *testing.T) {
		d := drive(t)
		turn := d.limited(abi.TurnLimits{MaxCostUSD: 0.5})
		d.costs(0.3)
		d.costs(0.3) // providers repeat it
		d.says("", "c1=look")
		d.result("c1", "x")
		d.stored(turn.awaits)
		d.costs(0.25)
		d.Forget()
		d.says("more", "c2=look")
		if len(d.Published(abi.TopicToolRequest)) != 0 || !strings.HasPrefix(d.stores(), "assistant:more\n\nStopped: the turn has cost $0.5500") {
			t.Errorf("%s: %s", d.topics(), d.stores())
		}
		d.stored(turn.awaits)
		if e := d.completed(); e.StopReason != abi.StopCost || e.Error.Kind != "limit" || e.Usage.CostUSD != 0.55 {
			t.Errorf("%+v", e)
		}
	})
	t.Run("an answer is given whatever it cost", func(t *testing.T) {
		d := drive(t)
		turn := d.limited(abi.TurnLimits{MaxCostUSD: 0.5})
		d.costs(2)
		d.says("answer")
		d.stored(turn.awaits)
		if e := d.completed(); e.StopReason != abi.StopEndTurn || d.answer() != "answer" {
			t.Errorf("%+v", e)
		}
	})
	t.Run("time", func(t *testing.T) {
		d := drive(t)
		d.limited(abi.TurnLimits{TimeoutSecs: 20})
		d.says("", "c1=look")
		d.tick(19 * time.Second)
		if len(sessions) == 0 {
			t.Fatal("too early")
		}
		d.tick(time.Second)
		if e := d.completed(); e.StopReason != abi.StopTime || len(d.Published(abi.TopicToolCancel)) != 1 {
			t.Errorf("%+v", e)
		}
	})
}

// What a turn that is given up has done is kept for the model.
func TestHalfIsKept(t *testing.T) {
	half := func(d *driver) string {
		return said(last[struct{ Messages []abi.ChatMessage }](d, abi.TopicSessionAppend).Messages)
	}
	d := drive(t)
	d.reach(streaming)
	text := "the first half"
	d.event(d.turn().awaits, abi.StreamEvent{TextDelta: &text})
	d.cancel("")
	if got := half(d); got != "assistant:the first half\n[interrupted]" {
		t.Error(got)
	}
	d.reach(streaming)
	d.says("", "c1=look", "c2=look")
	d.result("c2", "seen")
	d.cancel("")
	if got := half(d); got != "calls | result:the turn ended before this tool had answered | result:seen" {
		t.Error(got)
	}
}
