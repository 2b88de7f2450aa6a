package tui

import (
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

// What is finished goes to the scrollback once and in order; what still changes is drawn.
func TestInline(t *testing.T) {
	b := newBench(t, 60, 20)
	b.Inline = true
	var printed []string
	print := func() {
		t.Helper()
		cmd := b.flush()
		if cmd == nil {
			return
		}
		if again := b.flush(); again != nil {
			t.Error("two pieces are on their way at once")
		}
		for i, it := range b.items {
			if it.printed {
				printed = append(printed, b.timeline.lines(b.pen(), i)...)
				it.text.Reset() // so that another look shows nothing
				it.lines = []string{}
			}
		}
		b.put(printedMsg{})
	}
	b.connect(many(100)...)
	replayed := 0
	for _, it := range b.items {
		if !it.printed {
			replayed++
		}
	}
	if replayed != maxReplayed {
		t.Errorf("%d items of the history are printed", replayed)
	}
	for _, it := range b.items {
		it.printed = true
	}
	b.keys("go", "enter")
	b.put(started("t1"), delta("t1", "First paragraph.\n\nSecond par"))
	print()
	b.put(toolStart("t1", "a", "slow", `{}`), toolStart("t1", "b", "fast", `{}`), toolEnd("t1", "b", "done", false))
	print()
	if f := b.frame(); !strings.Contains(f, "slow") || !strings.Contains(f, "fast") || strings.Contains(f, "First paragraph") {
		t.Errorf("drawn:\n%s", f)
	}
	b.keys("/budget", "enter")
	b.put(toolEnd("t1", "a", "done", false), completed("t1", abi.StopEndTurn))
	if b.flush() != nil {
		t.Error("something is printed over a page")
	}
	if v := b.View(); !v.AltScreen {
		t.Error("a page is drawn into the scrollback")
	}
	b.keys("esc")
	if v := b.View(); v.AltScreen {
		t.Error("the whole screen stays taken")
	}
	if b.flush() == nil || !b.printing { // waits for the terminal
		t.Error("printed before the scrollback is back")
	}
	b.put(printedMsg{})
	print()
	all := dense(strings.Join(printed, " "))
	at := -1
	for _, want := range []string{"go", "Firstparagraph", "Secondpar", "slow", "fast"} {
		i := strings.Index(all, want)
		if i < at || strings.Count(all, want) != 1 {
			t.Errorf("%q is at %d after %d of %q", want, i, at, all)
		}
		at = i
	}
}

func dense(s string) string { return strings.Join(strings.Fields(s), "") }
