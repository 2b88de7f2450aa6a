package tui

import (
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Everything in the conversation can be chosen and goes to the clipboard as it is.
func TestCopyList(t *testing.T) {
	const answer = "See:\n\n```go\nfunc a() {}\n```\n\nand\n\n```\nplain\n```\n\n- one\n- two"
	history := []abi.ChatMessage{
		abi.TextMessage(abi.RoleUser, "show\nme"),
		{Role: abi.RoleAssistant, Content: abi.Content{Calls: []abi.ToolCall{{ID: "c", Name: "read_file", Arguments: []byte(`{"file_path":"a"}`)}}}},
		{Role: abi.RoleTool, Content: abi.Content{Result: &abi.ToolCallResult{CallID: "c", Content: "out\nput"}}},
		abi.TextMessage(abi.RoleAssistant, answer),
	}
	for i, want := range []string{"plain", "func a() {}", answer, "out\nput", "show\nme"} {
		b := newOnline(t, 80, 24, history...)
		b.keys("/copy list", "enter")
		for range i {
			b.keys("down")
		}
		b.keys("enter")
		if strings.TrimSpace(b.copied) != want {
			t.Errorf("row %d copies %q, not %q:\n%s", i, b.copied, want, b.frame())
		}
		if b.page != nil {
			t.Error("the list stays")
		}
	}
	b := newOnline(t, 80, 24)
	b.keys("/copy list", "enter")
	if !strings.Contains(b.frame(), "Nothing was said yet.") {
		t.Errorf("an empty conversation:\n%s", b.frame())
	}
}
