package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

// turn is what has happened since the person last spoke.
type turn struct {
	prompt  string
	earlier []string // what the person said before
	results []abi.ToolCallResult
	calls   map[string]abi.ToolCall
}

func lastTurn(messages []abi.ChatMessage) turn {
	t := turn{calls: make(map[string]abi.ToolCall)}
	for _, m := range messages {
		c := m.Content
		switch {
		case m.Role == abi.RoleUser && c.Calls == nil && c.Result == nil:
			if t.prompt != "" {
				t.earlier = append(t.earlier, t.prompt)
			}
			t = turn{prompt: text(c), earlier: t.earlier, calls: make(map[string]abi.ToolCall)}
		case c.Result != nil:
			t.results = append(t.results, *c.Result)
		}
		for _, call := range c.Calls {
			t.calls[call.ID] = call
		}
	}
	return t
}

func text(c abi.Content) string {
	if c.Parts == nil {
		return c.Text
	}
	var b strings.Builder
	for _, p := range c.Parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// answer is the next thing to say: either tool calls, one round for each step, or a text.
func answer(r *abi.LlmRequest) (string, []abi.ToolCall) {
	t := lastTurn(r.Messages)
	steps, ok := parse(t.prompt)
	if !ok {
		return chat(t), nil
	}
	steps = expand(steps, r.Tools)
	if n := len(t.results); n < len(steps) {
		s := steps[n]
		if !has(r.Tools, s.tool) {
			return report(t, steps) + fmt.Sprintf("I cannot do %q: there is no tool %s in this distribution.", s.said, s.tool), nil
		}
		args := s.arguments()
		if s.appends {
			if last := t.results[n-1]; last.IsError && !missing(last) {
				return report(t, steps) + fmt.Sprintf("%s failed: %s", s.said, content(last)), nil
			}
			args = appendMemory(t, s)
		}
		return "", []abi.ToolCall{{ID: fmt.Sprintf("offline_%d_%d", len(r.Messages), n), Name: s.tool, Arguments: args}}
	}
	return strings.TrimRight(report(t, steps), "\n"), nil
}

// expand writes "remember" as reading and writing the memory file, unless there is a tool
// for it.
func expand(steps []step, tools []abi.LlmToolDefinition) []step {
	var out []step
	for _, s := range steps {
		if s.tool != "remember" || has(tools, "remember") {
			out = append(out, s)
			continue
		}
		out = append(out,
			step{tool: "read_file", args: map[string]any{"file_path": memoryFile}, said: "look at what I remember"},
			step{tool: "write_file", args: map[string]any{"file_path": memoryFile, "content": s.args["content"]}, said: s.said, appends: true})
	}
	return out
}

// appendMemory adds a line to what the step before has read; a file that is not there yet
// is an empty one.
func appendMemory(t turn, s step) json.RawMessage {
	var old string
	if n := len(t.results); n > 0 && !t.results[n-1].IsError {
		old = content(t.results[n-1])
	}
	if old != "" {
		old = line(old)
	}
	added, _ := s.args["content"].(string)
	return step{args: map[string]any{"file_path": memoryFile, "content": old + "- " + line(added)}}.arguments()
}

// missing tells a file that is not there yet from one that cannot be read, which must not
// be written over.
func missing(r abi.ToolCallResult) bool {
	text := content(r)
	return strings.Contains(text, "no such file") || strings.Contains(text, "not exist") || strings.Contains(text, "not found")
}

func has(tools []abi.LlmToolDefinition, name string) bool {
	for _, t := range tools {
		if t.Name == name {
			return true
		}
	}
	return false
}

// report quotes the results so far, each under the request it answers.
func report(t turn, steps []step) string {
	var b strings.Builder
	for i, r := range t.results {
		if i >= len(steps) {
			break
		}
		s := steps[i]
		if r.IsError {
			if s.said == "look at what I remember" {
				continue // nothing yet
			}
			fmt.Fprintf(&b, "%s failed: %s\n\n", s.said, content(r))
			continue
		}
		switch s.tool {
		case "list_directory":
			fmt.Fprintf(&b, "Files in %s:\n%s\n\n", s.args["dir_path"], bullets(r))
		case "read_file":
			if s.args["file_path"] == memoryFile && s.said == "look at what I remember" {
				continue
			}
			fmt.Fprintf(&b, "%s:\n%s\n\n", s.args["file_path"], indent(content(r)))
		case "grep_search":
			fmt.Fprintf(&b, "Matches of %q:\n%s\n\n", s.args["pattern"], indent(content(r)))
		case "run_shell_command":
			text := content(r)
			if strings.TrimSpace(text) == "" {
				text = "(no output)"
			}
			fmt.Fprintf(&b, "%s\n\n", text)
		default:
			fmt.Fprintf(&b, "%s\n\n", content(r))
		}
	}
	return b.String()
}

// content is a result as text: results are JSON, most of them a JSON string.
func content(r abi.ToolCallResult) string {
	var s string
	if json.Unmarshal([]byte(r.Content), &s) == nil {
		return s
	}
	return r.Content
}

func bullets(r abi.ToolCallResult) string {
	var names []string
	if json.Unmarshal([]byte(content(r)), &names) != nil {
		return indent(content(r))
	}
	if len(names) == 0 {
		return "  (nothing)"
	}
	return "  " + strings.Join(names, "\n  ")
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ")
}

// chat answers what was not understood. It shows that the history is there.
func chat(t turn) string {
	if len(t.earlier) == 0 {
		return usage
	}
	return fmt.Sprintf("This session has %d earlier prompt(s); the last one was: %s\n\n%s", len(t.earlier), quote(t.earlier[len(t.earlier)-1]), usage)
}

func quote(s string) string {
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
