package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

// system makes a world whose streams are in memory; terminal says whether all of them
// count as one.
func system(stdin string, terminal bool) (System, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	return System{
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		Getenv:     func(string) (string, bool) { return "", false },
		IsTerminal: func(any) bool { return terminal },
	}, &out, &errs
}

// play sends a turn with one tool round through an output.
func play(t *testing.T, o output, completed *abi.TurnCompleted, final string) {
	t.Helper()
	tr := &turn{session: "s"}
	o.begin(tr.session)
	for _, err := range []error{
		o.delta(abi.TextDelta{Text: "let me look"}),
		o.toolStart(abi.ToolStarted{ToolCall: abi.ToolCall{ID: "c1", Name: "read_file", Arguments: json.RawMessage(`{}`)}}),
		o.toolEnd(abi.ToolCompleted{Name: "read_file", ToolCallResult: abi.ToolCallResult{CallID: "c1", Content: "x"}}),
		o.delta(abi.TextDelta{Text: "the "}),
		o.delta(abi.TextDelta{Text: "answer"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tr.completed, tr.final = completed, final
	tr.calls = []*toolCall{{ID: "c1", Name: "read_file", Arguments: json.RawMessage(`{}`), Content: "x"}}
	if err := o.end(tr); err != nil {
		t.Fatal(err)
	}
}

func TestTextOutput(t *testing.T) {
	failed := &abi.TurnCompleted{StopReason: abi.StopError, Error: &abi.TurnError{Kind: "provider", Message: "boom"}}
	for _, c := range []struct {
		name     string
		terminal bool
		end      *abi.TurnCompleted
		final    string
		want     string
	}{
		{"a pipe gets the answer alone", false, nil, "the answer", "the answer\n"},
		{"a pipe gets no half answer", false, failed, "LLM error: boom", ""},
		{"an answer that ends its line", false, nil, "the answer\n", "the answer\n"},
		{"a terminal sees all of it", true, nil, "the answer", "let me look\n\nthe answer\n"},
		{"a terminal keeps what came before the failure", true, failed, "LLM error: boom", "let me look\n\nthe answer\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sys, out, _ := system("", c.terminal)
			play(t, newOutput("text", sys), c.end, c.final)
			if out.String() != c.want {
				t.Errorf("got %q, want %q", out, c.want)
			}
		})
	}
}

func TestJSONOutput(t *testing.T) {
	sys, out, _ := system("", false)
	play(t, newOutput("json", sys), &abi.TurnCompleted{StopReason: abi.StopEndTurn, Model: "m", Usage: abi.Usage{InputTokens: 3}}, "the <answer>")
	var got jsonResult
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if got.Response != "the <answer>" || got.SessionID != "s" || got.Model != "m" || got.Usage.InputTokens != 3 || got.StopReason != abi.StopEndTurn || got.Error != nil {
		t.Errorf("got %+v", got)
	}
	if len(got.ToolCalls) != 1 || got.ToolCalls[0].Content != "x" {
		t.Errorf("tool calls are %+v", got.ToolCalls)
	}
	if strings.Contains(out.String(), `\u003c`) {
		t.Error("the answer is escaped for HTML")
	}
}

func TestStreamOutput(t *testing.T) {
	sys, out, _ := system("", false)
	play(t, newOutput("stream-json", sys), nil, "the answer")
	var types []string
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var e struct{ Type string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in line %q", err, line)
		}
		types = append(types, e.Type)
	}
	if got := strings.Join(types, " "); got != "session text tool_call tool_result text text result" {
		t.Errorf("events are %s", got)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\n":           "plain\ttext\n",
		"\x1b[2Jcleared":          `\u001b[2Jcleared`,
		"a\rb":                    `a\u000db`,
		"evil\u202egnp.exe":       `evil\u202egnp.exe`,
		"\u009b31mC1":             `\u009b31mC1`,
		"日本語 and 🎉 stay":          "日本語 and 🎉 stay",
		"\x1b]52;c;c2VjcmV0\x07x": `\u001b]52;c;c2VjcmV0\u0007x`,
	} {
		if got := printable(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
