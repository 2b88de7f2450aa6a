package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/unicity-astrid/astrid-go/abi"
)

// output writes a turn in one of the formats of --output-format.
type output interface {
	begin(session string)
	delta(d abi.TextDelta) error
	reasoning(d abi.TextDelta) error
	toolStart(s abi.ToolStarted) error
	toolEnd(c abi.ToolCompleted) error
	approval(a abi.ApprovalRequired) error // a question that the reader of the output is to answer
	end(t *turn) error
}

func newOutput(format string, sys System) output {
	switch format {
	case "json":
		return &jsonOutput{w: sys.Stdout}
	case "stream-json":
		return &streamOutput{w: sys.Stdout}
	}
	return &textOutput{w: sys.Stdout, terminal: sys.IsTerminal(sys.Stdout)}
}

// textOutput prints the answer. On a terminal it prints the text as it comes, with what the
// agent says between tool calls; into a pipe or file goes the answer alone, and only when
// it is complete, so that half an answer is never taken for a whole one.
type textOutput struct {
	w        io.Writer
	terminal bool
	last     byte // last byte written
}

func (o *textOutput) begin(string)                        {}
func (o *textOutput) reasoning(abi.TextDelta) error       { return nil }
func (o *textOutput) toolEnd(abi.ToolCompleted) error     { return nil }
func (o *textOutput) approval(abi.ApprovalRequired) error { return nil }

func (o *textOutput) delta(d abi.TextDelta) error {
	if !o.terminal {
		return nil
	}
	return o.write(printable(d.Text))
}

func (o *textOutput) toolStart(abi.ToolStarted) error {
	if o.last == 0 || o.last == '\n' {
		return nil
	}
	return o.write("\n\n")
}

func (o *textOutput) end(t *turn) error {
	c := t.completed
	failed := c != nil && (c.Error != nil || c.StopReason == abi.StopCancelled) // there is no answer
	if !o.terminal && !failed {
		if err := o.write(t.final); err != nil {
			return err
		}
	} else if o.last == 0 && !failed { // an agent loop that streams nothing
		if err := o.write(printable(t.final)); err != nil {
			return err
		}
	}
	if o.last == '\n' || o.last == 0 && failed {
		return nil
	}
	return o.write("\n")
}

func (o *textOutput) write(s string) error {
	if s == "" {
		return nil
	}
	o.last = s[len(s)-1]
	if _, err := io.WriteString(o.w, s); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// printable keeps text from steering the terminal: control characters other than line
// feed and tab, and the invisible ones that reorder text, are shown as escapes.
func printable(s string) string {
	bad := func(r rune) bool {
		return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
	}
	if !strings.ContainsFunc(s, bad) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if bad(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// jsonResult is the object of --output-format json, and the last event of stream-json.
type jsonResult struct {
	Type       string      `json:"type"` // "result"
	Response   string      `json:"response"`
	SessionID  string      `json:"session_id"`
	Model      string      `json:"model"`
	Usage      abi.Usage   `json:"usage"`
	ToolCalls  []*toolCall `json:"tool_calls"`
	DurationMs int64       `json:"duration_ms"`
	StopReason string      `json:"stop_reason"`
	// ChangedFiles is how many files differ between the session's copy and the workspace.
	ChangedFiles *int           `json:"changed_files,omitempty"`
	Error        *abi.TurnError `json:"error,omitempty"`
}

func resultOf(t *turn) jsonResult {
	r := jsonResult{
		Type: "result", Response: t.final, SessionID: t.session, ToolCalls: t.calls,
		DurationMs: time.Since(t.started).Milliseconds(), StopReason: abi.StopEndTurn,
	}
	if r.ToolCalls == nil {
		r.ToolCalls = []*toolCall{}
	}
	if t.changed != nil {
		r.ChangedFiles = &t.changed.Changes
	}
	if c := t.completed; c != nil {
		r.Model, r.Usage, r.StopReason, r.Error = c.Model, c.Usage, c.StopReason, c.Error
		if c.Error != nil {
			r.Response = ""
		}
	}
	return r
}

// jsonOutput prints one object at the end.
type jsonOutput struct{ w io.Writer }

func (o *jsonOutput) begin(string)                        {}
func (o *jsonOutput) approval(abi.ApprovalRequired) error { return nil }
func (o *jsonOutput) delta(abi.TextDelta) error           { return nil }
func (o *jsonOutput) reasoning(abi.TextDelta) error       { return nil }
func (o *jsonOutput) toolStart(abi.ToolStarted) error     { return nil }
func (o *jsonOutput) toolEnd(abi.ToolCompleted) error     { return nil }

func (o *jsonOutput) end(t *turn) error {
	enc := json.NewEncoder(o.w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(resultOf(t))
}

// streamOutput prints one event per line as it comes.
type streamOutput struct{ w io.Writer }

func (o *streamOutput) emit(v any) error {
	enc := json.NewEncoder(o.w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

type streamEvent struct {
	Type       string          `json:"type"` // session, text, reasoning, tool_call, tool_result
	SessionID  string          `json:"session_id,omitempty"`
	Text       string          `json:"text,omitempty"`
	ID         string          `json:"id,omitempty"`
	Name       string          `json:"name,omitempty"`
	Arguments  json.RawMessage `json:"arguments,omitempty"`
	Content    *string         `json:"content,omitempty"`
	IsError    *bool           `json:"is_error,omitempty"`
	Code       string          `json:"code,omitempty"`
	DurationMs *int64          `json:"duration_ms,omitempty"`
}

func (o *streamOutput) begin(session string) {
	// A closed pipe is met again, and reported, at the next event.
	_ = o.emit(streamEvent{Type: "session", SessionID: session})
}

func (o *streamOutput) approval(a abi.ApprovalRequired) error {
	return o.emit(struct {
		Type string `json:"type"`
		abi.ApprovalRequired
	}{"approval", a})
}

func (o *streamOutput) delta(d abi.TextDelta) error {
	return o.emit(streamEvent{Type: "text", Text: d.Text})
}

func (o *streamOutput) reasoning(d abi.TextDelta) error {
	return o.emit(streamEvent{Type: "reasoning", Text: d.Text})
}

func (o *streamOutput) toolStart(s abi.ToolStarted) error {
	return o.emit(streamEvent{Type: "tool_call", ID: s.ID, Name: s.Name, Arguments: s.Arguments})
}

func (o *streamOutput) toolEnd(c abi.ToolCompleted) error {
	return o.emit(streamEvent{Type: "tool_result", ID: c.CallID, Name: c.Name, Content: &c.Content, IsError: &c.IsError, Code: c.Code, DurationMs: &c.DurationMs})
}

func (o *streamOutput) end(t *turn) error { return o.emit(resultOf(t)) }
