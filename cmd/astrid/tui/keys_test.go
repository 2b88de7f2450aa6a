package tui

import (
	"errors"
	"fmt"
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
		{[]string{"one two", "ctrl+w", "ctrl+_"}, "one two|"},
		{[]string{"one two", "ctrl+w", "ctrl+y", "ctrl+y"}, "one twotwo|"},
		{[]string{"abc", "ctrl+_", "ctrl+_"}, "|"},
		{[]string{"see @ma", "tab"}, "see @cmd/main.go |"},
		{[]string{"see @ma", "down", "enter", "x"}, "see @docs/manual.md x|"},
		{[]string{"@", "esc", "x"}, "@x|"},
		{[]string{"a@ma", "tab"}, "a@ma|"}, // an address is no mention
		{[]string{"ctrl+r", "deploy", "enter"}, "deploy to staging|"},
		{[]string{"ctrl+r", "de", "up", "enter"}, "describe it|"},
		{[]string{"draft", "ctrl+r", "esc"}, "draft|"},
		{[]string{"ctrl+r", "nothing like it", "enter"}, "nothing like it|"},
		{[]string{"/ploy", "tab"}, "/deploy |"}, // also from the middle
		{[]string{"ab", "left", "ctrl+d"}, "a|"},
	} {
		b := newOnline(t, 80, 24)
		b.put(historyMsg{entries: []string{"describe it", "deploy to staging"}})
		b.ListFiles = func() fileList { return fileList{"cmd/", "cmd/main.go", "docs/manual.md", "README.md"} }
		b.keys(c.keys...)
		got := b.input.text[:b.input.cursor] + "|" + b.input.text[b.input.cursor:]
		if got != c.want {
			t.Errorf("%q gives %q, not %q", c.keys, got, c.want)
		}
	}
}

// TestFilesAreListedAnew: each @ sees the files of now, and a directory without any is looked at once for it.
func TestFilesAreListedAnew(t *testing.T) {
	b := newOnline(t, 80, 24)
	var files fileList
	asked := 0
	b.ListFiles = func() fileList {
		if asked++; asked > 10 {
			t.Fatal("the files are listed without end")
		}
		return files
	}
	b.keys("see @")
	if asked != 1 {
		t.Errorf("in an empty directory: listed %d times", asked)
	}
	files = fileList{"new.txt"}
	b.keys("ctrl+u", "see @", "n", "e", "tab")
	if got := b.input.text; got != "see @new.txt " || asked > 4 {
		t.Errorf("after a file came: %q, listed %d times", got, asked)
	}
	files = fileList{"new.txt", "newer.txt"}
	b.keys("@", "newe", "tab")
	if got := b.input.text; got != "see @new.txt @newer.txt " {
		t.Errorf("after another came: %q", got)
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
		{[]string{"/mode yolo", "enter"}, []string{"act mode session yolo"}},
		{[]string{"/mode nonsense", "enter"}, nil},
		{[]string{"/model gpt", "enter"}, []string{"fetch model "}},
		{[]string{"/deploy", "enter"}, []string{`command "/deploy"`}},
		{[]string{"/deploy now", "enter"}, []string{`command "/deploy now"`}},
		{[]string{"/nonsense", "enter"}, nil},
		{[]string{"!ls -l", "enter"}, []string{`run t1 "ls -l" as "!ls -l"`}},
		{[]string{"/review cmd/main.go now", "enter"}, []string{`prompt t1 "Review cmd/main.go: cmd/main.go now"`}},
		{[]string{"/plain with care", "enter"}, []string{"prompt t1 \"Do it.\\n\\nwith care\""}},
		{[]string{"/new", "enter"}, []string{"switch t1"}},
		{[]string{"/etc", "ctrl+j", "is a directory", "enter"}, []string{`prompt t1 "/etc\nis a directory"`}},
	} {
		b := newOnline(t, 80, 24)
		b.put(customMsg{commands: []Custom{{Name: "review", Text: "Review $1: $ARGUMENTS"}, {Name: "plain", Text: "Do it.\n"}}})
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
	b.put(tea.PasteMsg{Content: strings.Repeat("x", maxPasted)})
	if b.input.text != before || b.hint == "" {
		t.Error("a paste that is too long is taken, or refused in silence")
	}
}

// A long paste is a word on the screen and all of it in the prompt.
func TestFoldedPaste(t *testing.T) {
	b := newOnline(t, 80, 24)
	long := strings.Repeat("line\n", 10)
	b.keys("see ")
	b.put(tea.PasteMsg{Content: long})
	b.keys(" and ")
	b.put(tea.PasteMsg{Content: strings.Repeat("y", 2000)})
	if want := "see [Pasted text #1, 10 lines] and [Pasted text #2, 1 lines]"; b.input.text != want {
		t.Fatalf("shows %q", b.input.text)
	}
	b.keys("backspace", "enter")
	if want := fmt.Sprintf("prompt t1 %q", strings.TrimSpace("see "+long+" and ")); !slices.Equal(*b.calls, []string{want}) {
		t.Errorf("asks for %q", *b.calls)
	}
	b.keys("[Pasted text #1, 10 lines]", "enter") // of a prompt that is gone: only words
	if want := `prompt t2 "[Pasted text #1, 10 lines]"`; (*b.calls)[1] != want {
		t.Errorf("asks for %q", *b.calls)
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

func TestSteering(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.keys("start", "ctrl+s") // nothing runs: it is a prompt like any other
	b.put(started("t1"))
	b.keys("look at the tests first", "ctrl+s")
	b.keys("later", "enter", "ctrl+s") // the one that waits goes with it after all
	want := []string{`prompt t1 "start"`, `steer t2 "look at the tests first"`, `prompt t3 "later"`}
	if !slices.Equal(*b.calls, want) {
		t.Fatalf("asks for %q", *b.calls)
	}
	b.put(abi.TurnSteered{SessionID: testSession, TurnID: "t1", Text: "look at the tests first"}, delta("t1", "Yes."))
	b.keys("ctrl+s")
	if got := (*b.calls)[3:]; !slices.Equal(got, []string{"cancel t3", `steer t4 "later"`}) {
		t.Fatalf("asks for %q", got)
	}
	b.put(completed("t1", abi.StopEndTurn), final("t1", "Yes."))
	if b.busy() || b.input.text != "later" {
		t.Errorf("what no model has read: busy %v, input %q", b.busy(), b.input.text)
	}
	if f := b.frame(); strings.Index(f, "start") > strings.Index(f, "look at the tests first") || strings.Contains(f, "next step") {
		t.Errorf("the conversation:\n%s", f)
	}
}

// Up takes back what waits, so that it can be changed.
func TestTakingBack(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.keys("one", "enter")
	b.put(started("t1"))
	b.keys("two", "enter", "up")
	if b.input.text != "two" || len(b.prompts) != 0 || (*b.calls)[2] != "cancel t2" {
		t.Errorf("input %q, waiting %v, asks for %q", b.input.text, b.prompts, *b.calls)
	}
}

func TestNotifications(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(b *bench)
		want bool
	}{
		{"a question", func(b *bench) { b.put(question(b, "q")) }, true},
		{"a question to somebody who looks", func(b *bench) { b.put(tea.FocusMsg{}, question(b, "q")) }, false},
		{"a short turn", func(b *bench) { b.put(started("t"), completed("t", "end_turn")) }, false},
		{"a short turn nobody looks at", func(b *bench) { b.put(tea.BlurMsg{}, started("t"), completed("t", "end_turn")) }, true},
		{"a long turn", func(b *bench) { b.put(started("t")); b.wait(time.Minute); b.put(completed("t", "end_turn")) }, true},
		{"quiet", func(b *bench) { b.Quiet = true; b.put(question(b, "q")) }, false},
	} {
		b := newOnline(t, 80, 24)
		b.raw = nil
		c.do(b)
		if got := strings.Contains(strings.Join(b.raw, ""), "\a"); got != c.want {
			t.Errorf("%s: %q", c.name, b.raw)
		}
	}
}

func TestEditor(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.Edit = func(text string) tea.Cmd { return func() tea.Msg { return editedMsg{text: text + "\nmore\n"} } }
	b.keys("first", "ctrl+g")
	if b.input.text != "first\nmore" {
		t.Errorf("after the editor: %q", b.input.text)
	}
	b.put(editedMsg{err: errors.New("exit status 1")})
	if b.input.text != "first\nmore" || !strings.Contains(b.frame(), "exit status 1") {
		t.Error("a failed editor takes the text, or is silent")
	}
}
