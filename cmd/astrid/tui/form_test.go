package tui

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
)

func asks(id, kind, def string, enum ...string) elicitMsg {
	return elicitMsg{RequestID: id, CapsuleID: "weather", Field: abi.OnboardingField{Key: "k", Prompt: "Which \x1b[2J station?", Description: "It is where the data come from.",
		FieldType: abi.FieldType{Name: kind, Enum: enum}, Default: def}}
}

func TestForm(t *testing.T) {
	for _, c := range []struct {
		q    elicitMsg
		keys []string
		want string
	}{
		{asks("q", "Text", ""), []string{"north", "enter"}, `elicit q "north"`},
		{asks("q", "Text", "south"), []string{"enter"}, `elicit q "south"`},
		{asks("q", "Text", ""), []string{"enter"}, ""},
		{asks("q", "Text", ""), []string{"x", "esc"}, `elicit q []`},
		{asks("q", "Secret", ""), []string{"hunter2", "enter"}, `elicit q "hunter2"`},
		{asks("q", "Enum", "b", "a", "b", "c"), []string{"down", "enter"}, `elicit q "c"`},
		{asks("q", "Enum", "", "a", "b"), []string{"up", "up", "enter"}, `elicit q "a"`},
		{asks("q", "Enum", ""), []string{"enter"}, ""},
		{asks("q", "Array", ""), []string{"one", "enter", "two", "enter", "three", "enter", "backspace", "enter"}, `elicit q ["one" "two"]`},
		{asks("q", "Array", ""), []string{"enter"}, `elicit q []`},
	} {
		b := newOnline(t, 80, 24)
		b.put(c.q)
		b.keys("typed ahead", "enter")
		if len(*b.calls) > 0 {
			t.Fatalf("typed ahead: %q", *b.calls)
		}
		b.wait(quiet)
		b.keys(c.keys...)
		var want []string
		if c.want != "" {
			want = []string{c.want}
		}
		if !slices.Equal(*b.calls, want) {
			t.Errorf("%s %q sends %q, not %q", c.q.Field.FieldType.Name, c.keys, *b.calls, want)
		}
		if strings.Contains(b.frame(), "hunter2") {
			t.Errorf("a secret is shown:\n%s", b.frame())
		}
	}
}

// An answer that was not taken leaves the question open, one that was closes it.
func TestFormIsAnswered(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.put(asks("q1", "Secret", ""), asks("q2", "Text", ""), asks("q1", "Secret", ""))
	b.wait(quiet)
	b.keys("a", "enter", "b", "enter") // while it is being sent nothing else is taken
	b.put(elicitedMsg{id: "q1", err: errors.New("that is no key")})
	if f := b.frame(); !strings.Contains(f, "that is no key") || len(*b.calls) != 1 {
		t.Fatalf("asks for %q:\n%s", *b.calls, f)
	}
	b.wait(quiet)
	b.keys("c", "enter")
	b.put(elicitedMsg{id: "q1"})
	if len(b.form.queue) != 1 || b.form.queue[0].RequestID != "q2" || b.form.input.text != "" {
		t.Fatalf("%+v", b.form)
	}
	b.put(elicitGoneMsg{RequestID: "q2"})
	if b.form.open() {
		t.Error("a question that needs no answer stays")
	}
}

func init() {
	states["asked-secret"] = func(b *bench) {
		b.connect()
		b.put(asks("q", "Secret", ""), asks("r", "Text", ""))
		b.wait(time.Second)
		b.keys("hunter2", "left")
	}
	states["asked-choice"] = func(b *bench) {
		b.connect()
		b.put(asks("q", "Enum", "b", "a", "b", "c", "d", "e", "f", "g", "h"))
		b.wait(time.Second)
		b.keys("down", "down")
	}
	states["asked-list"] = func(b *bench) {
		b.connect()
		b.put(asks("q", "Array", ""))
		b.wait(time.Second)
		b.keys("one", "enter", "two", "enter", "thr")
	}
}
