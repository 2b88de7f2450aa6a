package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/unicity-astrid/astrid-go/abi"
)

// said is the conversation as kinds and texts.
func (b *bench) said() string {
	var out []string
	for _, it := range b.items {
		text := strings.TrimSpace(it.text.String())
		if it.kind == kindTool {
			text = fmt.Sprintf("%s(%s)=%s", it.tool.name, it.tool.args, it.tool.content)
			if it.tool.cut {
				text += " cut"
			}
		}
		out = append(out, [...]string{"user", "queued", "text", "thought", "tool", "notice", "error"}[it.kind]+":"+text)
	}
	return strings.Join(out, " / ")
}

func TestConversation(t *testing.T) {
	for _, c := range []struct {
		name string
		msgs []tea.Msg
		want string
	}{
		{"blocks", []tea.Msg{started("x"), delta("x", "a\n"), delta("x", "\nb"), completed("x", "end_turn"), final("x", "a\n\nb")},
			"text:a / text:b"},
		{"another answer than streamed", []tea.Msg{started("x"), delta("x", "half"), completed("x", "end_turn"), final("x", "whole")},
			"text:whole"},
		{"only the last round is replaced", []tea.Msg{started("x"), delta("x", "let me look"), toolStart("x", "c", "ls", "{}"), toolEnd("x", "c", "ok", false),
			completed("x", "end_turn"), final("x", "answer")},
			"text:let me look / tool:ls()=ok / text:answer"},
		{"nothing streamed, no turn ids", []tea.Msg{final("", "answer")}, "text:answer"},
		{"no turn.completed", []tea.Msg{started("x"), toolStart("x", "c", "ls", "{}"), final("x", "answer")}, "tool:ls()= cut / text:answer"},
		{"late text of an ended turn", []tea.Msg{started("x"), completed("x", "cancelled"), final("x", ""), delta("x", "late")}, "notice:cancelled"},
		{"another session", []tea.Msg{abi.TextDelta{SessionID: "other", TurnID: "x", Text: "secret"}, abi.AgentResponse{SessionID: "other", IsFinal: true, Text: "secret"}}, ""},
		{"joined in the middle", []tea.Msg{delta("x", "rest of it"), completed("x", "end_turn"), final("x", "all of it, rest of it")}, "text:all of it, rest of it"},
		{"tool twice", []tea.Msg{started("x"), toolStart("x", "c", "ls", "{}"), toolStart("x", "c", "ls", "{}"), toolEnd("x", "c", "1", false), toolEnd("x", "c", "2", false)}, "tool:ls()=1"},
		{"unknown tool result", []tea.Msg{started("x"), toolEnd("x", "zz", "1", false)}, ""},
	} {
		b := newOnline(t, 80, 24)
		b.put(c.msgs...)
		got := strings.TrimPrefix(strings.TrimPrefix(b.said(), "notice:a prompt from somewhere else"), " / ")
		if got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}

func TestQueueKeepsOrder(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.keys("one", "enter")
	b.put(started("t1"), delta("t1", "first"))
	b.keys("two", "enter")
	b.put(delta("t1", " answer"), completed("t1", "end_turn"), final("t1", "first answer"), started("t2"), delta("t2", "second"))
	if got, want := b.said(), "user:one / text:first answer / user:two / text:second"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

func TestEscCancelsWhatRuns(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.keys("one", "enter", "two", "enter")
	b.put(started("t1"))
	b.keys("esc")
	b.put(completed("t1", "cancelled"), final("t1", ""), started("t2"))
	b.keys("esc")
	b.put(completed("t2", "cancelled"), final("t2", ""))
	if got := strings.Join(*b.calls, " "); !strings.HasSuffix(got, "cancel t1 cancel t2") || b.busy() {
		t.Errorf("%q, busy %v", got, b.busy())
	}
}

func TestReconnectToTheSameDaemonGoesOn(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.keys("one", "enter")
	b.put(sentMsg{"t1"}, started("t1"), delta("t1", "a"), lostMsg{errOffline}, connectedMsg{session: testSession, pid: 1})
	b.put(completed("t1", "end_turn"), final("t1", "ab"))
	if b.busy() || !strings.HasSuffix(b.said(), "text:ab") {
		t.Errorf("%q, busy %v", b.said(), b.busy())
	}
}

// However text arrives, it is cut into the same blocks as the whole.
func TestStreamedBlocksAreThoseOfTheWhole(t *testing.T) {
	for _, size := range []int{1, 2, 3, 7, 1000} {
		b := newOnline(t, 80, 24)
		b.put(started("x"))
		for s := sampleAnswer; s != ""; {
			n := min(size, len(s))
			b.put(delta("x", s[:n]))
			s = s[n:]
		}
		b.put(completed("x", "end_turn"), final("x", sampleAnswer))
		whole := newOnline(t, 80, 24, abi.TextMessage(abi.RoleAssistant, sampleAnswer))
		want, got := whole.said(), strings.TrimPrefix(b.said(), "notice:a prompt from somewhere else / ")
		if got != want {
			t.Errorf("pieces of %d: %q, not %q", size, got, want)
		}
	}
}

func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"a", []string{"a"}},
		{"a\n\nb", []string{"a\n\n", "b"}},
		{"- a\n\n  more of a\n\n- b", []string{"- a\n\n  more of a\n\n", "- b"}},
		{"```\na\n\nb\n```\n\nc", []string{"```\na\n\nb\n```\n\n", "c"}},
		{"````\n```\n\nx\n````\n\ny", []string{"````\n```\n\nx\n````\n\n", "y"}},
		{"~~~\n\n```\n\n~~~\n\nz", []string{"~~~\n\n```\n\n~~~\n\n", "z"}},
		{"\n\na\n\n", []string{"\n\na\n\n"}},
		{"```\nnever closed\n\nx", []string{"```\nnever closed\n\nx"}},
		{"", nil},
	} {
		if got := splitBlocks(c.in); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
			t.Errorf("%q: %q, not %q", c.in, got, c.want)
		}
	}
}

func FuzzBlocks(f *testing.F) {
	f.Add(sampleAnswer)
	f.Add("```\n\n\n~~~")
	f.Fuzz(func(t *testing.T, s string) {
		if got := strings.Join(splitBlocks(s), ""); strings.TrimSpace(got) != strings.TrimSpace(s) {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

// Nothing that a model says reaches the terminal as a control sequence.
func FuzzHostileText(f *testing.F) {
	for _, s := range []string{"\x1b[2J", "&#27;[2J", "&#x1b;]8;;x", "[a](http://x\x07y)", "`&#27;`", "\u009b2J", "![x](\x1b)", "<a href='&#27;'>", "| a |\n|-|\n| &#27; |", sampleAnswer, "&#155;31m", "[\x1b[31m](x)"} {
		f.Add(s)
	}
	th := newTheme(false, "dark")
	f.Fuzz(func(t *testing.T, s string) {
		lines, ok := th.markdown(printable(s), 60)
		if !ok {
			lines = wrap(printable(s), 60)
		}
		for _, l := range lines {
			plain := ansi.Strip(l)
			if i := strings.IndexFunc(plain, steers); i >= 0 {
				t.Fatalf("%q gives %q", s, l)
			}
			if onlyStyles(l) != l {
				t.Fatalf("%q gives the sequence %q", s, l)
			}
		}
	})
}

// A long session comes from its end: what is older is put before it, without moving what is being read.
func TestOlderHistory(t *testing.T) {
	list := many(60)
	call := abi.ChatMessage{Role: abi.RoleAssistant, Content: abi.Content{Calls: []abi.ToolCall{{ID: "c", Name: "look", Arguments: []byte(`{}`)}}}}
	result := abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{Result: &abi.ToolCallResult{CallID: "c", Content: "seen"}}}
	whole := append(append(list[:40:40], call, result), list[40:]...)
	at := 41 // between the call and its result
	b := newOnline(t, 80, 24)
	b.put(connectedMsg{session: testSession, pid: 1, resumed: true, history: whole[at:], load: "one"})
	for _, where := range []string{"end", "middle", "top"} {
		switch where {
		case "middle":
			b.keys("pgup")
		case "top":
			b.keys("ctrl+home")
		}
		before := b.frame()
		b.put(olderMsg{"another", list})
		if got := b.frame(); got != before {
			t.Errorf("%s: what another reading found is shown:\n%s", where, got)
		}
		if where != "top" {
			continue
		}
		b.put(olderMsg{"one", whole[20:at]})
		if got := b.frame(); got != before {
			t.Errorf("the window moves:\n%s\nwas\n%s", got, before)
		}
		b.put(olderMsg{"one", whole[:20]})
		if got := b.frame(); got != before {
			t.Errorf("the window moves:\n%s\nwas\n%s", got, before)
		}
	}
	all := newOnline(t, 80, 24, whole...)
	for _, k := range []string{"ctrl+home", "pgdown", "ctrl+end"} {
		b.keys(k)
		all.keys(k)
		if got, want := b.frame(), all.frame(); got != want {
			t.Errorf("%s:\n%s\nread at once it is\n%s", k, got, want)
		}
	}
	if b.tokens != all.tokens || b.answer != all.answer {
		t.Errorf("%d tokens, answer %q; read at once %d, %q", b.tokens, b.answer, all.tokens, all.answer)
	}
}

func TestHistoryIsOpenedFast(t *testing.T) {
	b := newOnline(t, 120, 40, many(5000)...)
	b.frame()
	rendered := 0
	for _, it := range b.items {
		if it.lines != nil {
			rendered++
		}
	}
	if rendered > 60 {
		t.Errorf("%d of %d items were rendered for one screen", rendered, len(b.items))
	}
	b.keys("home")
	if !strings.Contains(b.frame(), "question 0") {
		t.Error("the beginning is not there")
	}
}

func BenchmarkStreamedToken(b *testing.B) {
	bb := &bench{t: &testing.T{}, calls: &calls{}, clock: time.Unix(0, 0)}
	bb.Model = NewModel(Config{Port: bb.calls, Now: func() time.Time { return bb.clock }, NewID: func() string { return "x" }, Session: testSession})
	bb.update(tea.WindowSizeMsg{Width: 120, Height: 40})
	bb.connect(many(500)...)
	bb.put(started("x"), delta("x", "```\n"+strings.Repeat("some line of code\n", 2000)))
	for b.Loop() {
		bb.update(delta("x", "word "))
		bb.View()
	}
}

func BenchmarkOpen10000(b *testing.B) {
	history := many(5000)
	for b.Loop() {
		m := NewModel(Config{Port: &calls{}, Now: time.Now, Session: testSession})
		m.update(tea.WindowSizeMsg{Width: 120, Height: 40})
		m.update(connectedMsg{session: testSession, history: history})
		m.View()
	}
}
