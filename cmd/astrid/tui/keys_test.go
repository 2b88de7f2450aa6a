package tui

import (
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
)

func TestInputKeys(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want string // the text, with | for the cursor
	}{
		{[]string{"hello"}, "hello|"},
		{[]string{"ab", "left", "X"}, "aX|b"},
		{[]string{"ab", "left", "left", "left", "right", "delete"}, "a|"},
		{[]string{"ab", "backspace", "backspace", "backspace"}, "|"},
		{[]string{"a", "ctrl+j", "b"}, "a\nb|"},
		{[]string{"a", "shift+enter", "b", "alt+enter"}, "a\nb\n|"},
		{[]string{"a\\", "enter", "b"}, "a\nb|"},
		{[]string{"one two three", "ctrl+w"}, "one two |"},
		{[]string{"one two", "alt+b", "ctrl+k"}, "one |"},
		{[]string{"one two", "home", "alt+d"}, "| two"},
		{[]string{"one two", "ctrl+a", "alt+f", "ctrl+u"}, "| two"},
		{[]string{"one", "ctrl+j", "two", "home", "X", "end", "Y"}, "one\nXtwoY|"},
		{[]string{"one", "ctrl+j", "two", "up", "X"}, "oneX|\ntwo"},
		{[]string{"long line", "ctrl+j", "x", "up", "down", "Y"}, "long line\nxY|"},
		{[]string{"👩‍👩‍👧a", "left", "backspace"}, "|a"},
		{[]string{"a", "ctrl+j", "b", "left", "left", "delete"}, "a|b"},
		{[]string{"/mo", "tab"}, "/model |"},
		{[]string{"/mode", "tab"}, "/mode |"},
		{[]string{"/", "down", "down", "tab"}, "/approvals |"},
		{[]string{"/", "up", "tab"}, "/deploy |"},
		{[]string{"abc", "ctrl+c"}, "|"},
		{[]string{"ab", "left", "ctrl+d"}, "a|"},
	} {
		b := newOnline(t, 80, 24)
		b.keys(c.keys...)
		got := b.input.text[:b.input.cursor] + "|" + b.input.text[b.input.cursor:]
		if got != c.want {
			t.Errorf("%q gives %q, not %q", c.keys, got, c.want)
		}
	}
}

func TestSubmit(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want []string
	}{
		{[]string{"hi", "enter"}, []string{`prompt t1 "hi"`}},
		{[]string{"  ", "enter"}, nil},
		{[]string{"one", "enter", "two", "enter"}, []string{`prompt t1 "one"`, `prompt t2 "two"`}},
		{[]string{"hi", "enter", "esc"}, []string{`prompt t1 "hi"`, "cancel t1"}},
		{[]string{"esc"}, nil},
		{[]string{"/model", "enter"}, []string{"fetch model "}},
		{[]string{"/mode yolo", "enter"}, []string{"act mode set yolo"}},
		{[]string{"/mode nonsense", "enter"}, nil},
		{[]string{"/model gpt", "enter"}, []string{"set model gpt"}},
		{[]string{"/deploy", "enter"}, []string{`command "/deploy"`}},
		{[]string{"/deploy now", "enter"}, []string{`command "/deploy now"`}},
		{[]string{"/nonsense", "enter"}, nil},
		{[]string{"/new", "enter"}, []string{"switch t1"}},
		{[]string{"/etc", "ctrl+j", "is a directory", "enter"}, []string{`prompt t1 "/etc\nis a directory"`}},
	} {
		b := newOnline(t, 80, 24)
		b.keys(c.keys...)
		if !slices.Equal(*b.calls, c.want) {
			t.Errorf("%q asks for %q, not %q", c.keys, *b.calls, c.want)
		}
		if strings.TrimSpace(b.input.text) != "" {
			t.Errorf("%q leaves %q", c.keys, b.input.text)
		}
	}
}

func TestQuit(t *testing.T) {
	for _, c := range []struct {
		keys []string
		wait time.Duration // before the last one
		want bool
	}{
		{[]string{"ctrl+d"}, 0, true},
		{[]string{"x", "ctrl+d"}, 0, false},
		{[]string{"ctrl+c"}, 0, false},
		{[]string{"ctrl+c", "ctrl+c"}, time.Second, true},
		{[]string{"ctrl+c", "ctrl+c"}, 3 * time.Second, false},
		{[]string{"ctrl+c", "x", "ctrl+c"}, 0, false},
		{[]string{"/quit", "enter"}, 0, true},
		{[]string{"/q", "enter"}, 0, true},
	} {
		b := newOnline(t, 80, 24)
		last := len(c.keys) - 1
		b.keys(c.keys[:last]...)
		b.wait(c.wait)
		b.keys(c.keys[last])
		if b.quit != c.want {
			t.Errorf("%q quits: %v", c.keys, b.quit)
		}
	}
	b := newOnline(t, 80, 24)
	b.put(question(b, "q"))
	b.keys("ctrl+c", "ctrl+c")
	if !b.quit || len(*b.calls) > 0 {
		t.Errorf("ctrl+c twice in a dialog: quits %v, asks for %q", b.quit, *b.calls)
	}
}

func TestHistoryKeys(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.put(historyMsg{entries: []string{"old"}})
	b.keys("one", "enter", "two", "enter", "two", "enter", "draft")
	for _, c := range []struct{ key, want string }{
		{"up", "two"}, {"up", "one"}, {"up", "old"}, {"up", "old"}, {"down", "one"}, {"down", "two"}, {"down", "draft"}, {"down", "draft"},
	} {
		b.keys(c.key)
		if b.input.text != c.want {
			t.Fatalf("%s shows %q, not %q", c.key, b.input.text, c.want)
		}
	}
	if !slices.Equal(b.saved, []string{"one", "two"}) {
		t.Errorf("saved %q", b.saved)
	}
}

func TestScrolling(t *testing.T) {
	top := func(b *bench) string { return strings.Split(b.frame(), "\n")[0] }
	b := newOnline(t, 80, 24, many(100)...)
	bottom := top(b)
	for _, back := range []string{"end", "ctrl+end"} {
		b.keys("pgup")
		if top(b) == bottom || b.follow {
			t.Fatal("PgUp does not move")
		}
		b.keys(back)
		if top(b) != bottom || !b.follow {
			t.Fatalf("%s does not return", back)
		}
	}
	b.keys("pgup", "pgup", "pgdown", "pgdown")
	if !b.follow || top(b) != bottom {
		t.Error("PgDn does not undo PgUp")
	}
	b.keys("home")
	if !strings.Contains(top(b), "question 0") {
		t.Errorf("Home shows %q", top(b))
	}
	b.keys("ctrl+end", "text", "home")
	if !b.follow || b.input.cursor != 0 {
		t.Error("Home does not belong to the text that is typed")
	}
	b.put(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
	if b.follow {
		t.Error("the wheel does not scroll")
	}
	before := top(b)
	b.put(started("x"), delta("x", strings.Repeat("more\n", 50)))
	if top(b) != before || !b.unseen {
		t.Error("new output moves what is being read, or is not announced")
	}
	b.put(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	b.keys("ctrl+end")
	if b.unseen || !strings.Contains(b.frame(), "more") {
		t.Error("the end does not show the new output")
	}
}

func TestPaste(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.put(tea.PasteMsg{Content: "one\r\ntwo\x1b[31m\tx\r"})
	if b.input.text != "one\ntwo[31m    x\n" {
		t.Errorf("pasted %q", b.input.text)
	}
	if len(*b.calls) > 0 {
		t.Errorf("a paste asks for %q", *b.calls)
	}
	before := b.input.text
	b.put(tea.PasteMsg{Content: strings.Repeat("x", maxInput)})
	if b.input.text != before || b.hint == "" {
		t.Error("a paste that is too long is taken, or refused in silence")
	}
}

func TestPromptThatFailsComesBack(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.keys("hi", "enter")
	b.put(failedMsg{what: "the prompt was not sent", turn: "t1", err: errOffline})
	if b.input.text != "hi" || b.busy() || !strings.Contains(b.frame(), "the prompt was not sent") {
		t.Errorf("after a failure: %s", b.frame())
	}
}

func TestNewSessionIgnoresTheOld(t *testing.T) {
	b := newOnline(t, 80, 24, abi.TextMessage(abi.RoleUser, "secret question"))
	b.keys("/new", "enter")
	b.put(started("late"), delta("late", "late text"), final("late", "late text"))
	if f := b.frame(); strings.Contains(f, "secret") || strings.Contains(f, "late") {
		t.Errorf("the new session shows the old one:\n%s", f)
	}
	if b.Session != "t1" {
		t.Errorf("session %q", b.Session)
	}
}

func TestIdleScreenSleeps(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.ticking = false
	if b.tick() != nil {
		t.Error("an idle screen wakes up")
	}
	b.keys("hi", "enter")
	if b.tick() == nil {
		t.Error("a busy screen does not move")
	}
}
