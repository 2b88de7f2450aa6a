package tui

import (
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
)

func TestDialogDecides(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"1", "enter"}, `answer q ` + testSession + ` approve ""`},
		{[]string{"down", "enter"}, `answer q ` + testSession + ` approve ""`},
		{[]string{"down", "down", "enter"}, `answer q ` + testSession + ` approve_session ""`},
		{[]string{"up", "enter", "enter"}, `answer q ` + testSession + ` deny ""`},
		{[]string{"4", "1", "enter"}, `answer q ` + testSession + ` approve ""`},
		{[]string{"4", "enter"}, `answer q ` + testSession + ` approve_always ""`},
		{[]string{"0", "enter", "no way", "enter"}, `answer q ` + testSession + ` deny "no way"`},
		{[]string{"esc", "enter", "enter"}, `answer q ` + testSession + ` deny ""`},
		{[]string{"0", "enter", "x", "esc", "1", "enter"}, `answer q ` + testSession + ` approve ""`},
		{[]string{"enter"}, ""},
		{[]string{"1"}, ""},
		{[]string{"esc"}, ""},
		{[]string{"5", "enter"}, ""},
		{[]string{"3", "enter"}, ""}, // not offered: nothing takes its place
		{[]string{"y", "a", "enter"}, ""},
		{[]string{"1", "x", "enter"}, ""}, // typing takes the choice back
		{[]string{"x", "1", "enter"}, ""}, // and is waited out
	} {
		b := newOnline(t, 80, 24)
		b.put(question(b, "q"))
		b.wait(quiet)
		b.keys(c.keys...)
		var want []string
		if c.want != "" {
			want = []string{c.want}
		}
		if !slices.Equal(*b.calls, want) {
			t.Errorf("%q asks for %q, not %q", c.keys, *b.calls, want)
		}
		if b.dialog.open() == (c.want != "") {
			t.Errorf("%q: the dialog is open: %v", c.keys, b.dialog.open())
		}
	}
}

// What is typed when a dialog pops up grants nothing, however long the typing goes on.
func TestDialogIgnoresKeysTypedAhead(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.keys("fix 1")
	b.put(question(b, "q"))
	for range 20 {
		b.keys("1", "enter")
		b.wait(quiet - time.Millisecond)
	}
	b.put(tea.PasteMsg{Content: "1\n"})
	if len(*b.calls) > 0 || b.dialog.chosen != "" {
		t.Fatalf("asks for %q, chose %q", *b.calls, b.dialog.chosen)
	}
	if b.input.text != "fix 1" {
		t.Errorf("the prompt became %q", b.input.text)
	}
	b.wait(quiet)
	b.keys("1", "enter")
	if len(*b.calls) != 1 {
		t.Errorf("asks for %q", *b.calls)
	}
}

// The second question of the queue is as new to the person as the first.
func TestDialogQueue(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.put(question(b, "q1"), question(b, "q2"), question(b, "q1"))
	if len(b.dialog.queue) != 2 {
		t.Fatalf("%d questions", len(b.dialog.queue))
	}
	b.wait(quiet)
	b.keys("1", "enter", "1", "enter")
	if len(*b.calls) != 1 || !b.dialog.open() {
		t.Fatalf("asks for %q", *b.calls)
	}
	b.wait(quiet)
	b.keys("1", "enter")
	if len(*b.calls) != 2 || b.dialog.open() {
		t.Errorf("asks for %q", *b.calls)
	}
}

func TestDialogExpires(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.put(question(b, "q1"))
	b.wait(30 * time.Second)
	b.put(question(b, "q2"))
	if !strings.Contains(b.frame(), "30s left") {
		t.Errorf("no countdown:\n%s", b.frame())
	}
	b.wait(30 * time.Second)
	if len(b.dialog.queue) != 1 || b.dialog.queue[0].RequestID != "q2" {
		t.Fatalf("queue %v", b.dialog.queue)
	}
	if b.keys("1", "enter"); len(*b.calls) > 0 {
		t.Error("the next question took a key at once")
	}
	b.wait(30 * time.Second)
	if b.dialog.open() || !strings.Contains(strings.Join(strings.Fields(b.frame()), " "), "/approvals lists it") {
		t.Errorf("an expired question:\n%s", b.frame())
	}
}

func TestDialogShowsWhatItGrants(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {80, 24}} {
		b := newOnline(t, size[0], size[1])
		b.put(question(b, "q"))
		b.wait(quiet)
		flat := func() string { return strings.Join(strings.Fields(b.frame()), "") }
		if !strings.Contains(flat(), "api.example.com") || !strings.Contains(flat(), "shipper") {
			t.Errorf("%v: the question is not seen first:\n%s", size, b.frame())
		}
		b.keys("4")
		if !strings.Contains(flat(), "▸4Alwaysallownet:https://api.example.com:443/**") {
			t.Errorf("%v: what is granted is not seen:\n%s", size, b.frame())
		}
	}
}

func TestDialogLeavesOutWhatItDoesNotKnow(t *testing.T) {
	b := newOnline(t, 80, 24)
	q := question(b, "q")
	q.Choices = []offer{{"approve_everything", "**"}}
	q.Detail = "resource   fs:read:///harmless\nresource harmless"
	b.put(q)
	b.wait(quiet)
	if f := b.frame(); strings.Contains(f, "approve_everything") || !strings.Contains(f, "0 Deny") {
		t.Errorf("unknown choice:\n%s", f)
	}
	for _, l := range strings.Split(b.frame(), "\n") {
		if strings.HasPrefix(l, "resource") && strings.Contains(l, "harmless") {
			t.Errorf("the capsule's words pass for ours: %q", l)
		}
	}
}

func TestQueuedApprovalOpensNoDialog(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.put(ask{ApprovalRequired: abi.ApprovalRequired{RequestID: "q"}, Queued: true})
	if b.dialog.open() || !strings.Contains(strings.Join(strings.Fields(b.frame()), " "), "actions wait for a decision: /approvals") {
		t.Errorf("a queued question:\n%q", b.frame())
	}
}

func TestLostConnectionClosesDialog(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.put(question(b, "q"), lostMsg{errOffline})
	if b.dialog.open() {
		t.Error("a question that cannot be answered stays")
	}
}

// What waits can be answered together, but only what is shown, and nothing critical is allowed.
func TestDialogBatch(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want []string
		left []string
	}{
		{[]string{"1", "enter"}, []string{`answer q1 ` + testSession + ` approve ""`, `answer q2 ` + testSession + ` approve ""`}, []string{"q3", "q4"}},
		{[]string{"0", "enter", "not now", "enter"}, []string{`answer q1 ` + testSession + ` deny "not now"`, `answer q2 ` + testSession + ` deny "not now"`, `answer q3 ` + testSession + ` deny "not now"`}, []string{"q4"}},
		{[]string{"4", "enter"}, nil, []string{"q1", "q2", "q3", "q4"}},
		{[]string{"esc", "1", "enter"}, nil, []string{"q1", "q2", "q3", "q4"}}, // a new dialog waits again
	} {
		b := newOnline(t, 80, 24)
		q3 := question(b, "q3")
		q3.RiskLevel = "critical"
		b.put(question(b, "q1"), question(b, "q2"), q3)
		b.wait(quiet)
		b.keys("b")
		if b.keys("1", "enter"); len(*b.calls) > 0 {
			t.Fatalf("a key typed ahead asks for %q", *b.calls)
		}
		b.put(question(b, "q4")) // comes too late to be meant
		b.wait(quiet)
		b.keys(c.keys...)
		var left []string
		for _, a := range b.dialog.queue {
			left = append(left, a.RequestID)
		}
		if !slices.Equal(*b.calls, c.want) || !slices.Equal(left, c.left) {
			t.Errorf("%q asks for %q and leaves %q", c.keys, *b.calls, left)
		}
	}
}

func TestDialogWithdrawn(t *testing.T) {
	b := newOnline(t, 80, 24)
	b.put(question(b, "q1"), question(b, "q2"))
	b.wait(quiet)
	b.keys("4")
	b.put(withdrawnMsg{RequestID: "q1"})
	if b.keys("enter"); len(*b.calls) > 0 || len(b.dialog.queue) != 1 || b.dialog.queue[0].RequestID != "q2" {
		t.Errorf("the choice went to another question: %q", *b.calls)
	}
	b.put(withdrawnMsg{RequestID: "q2"}, withdrawnMsg{RequestID: "unknown"})
	if b.dialog.open() {
		t.Error("a question that nobody asks any more stays")
	}
}
