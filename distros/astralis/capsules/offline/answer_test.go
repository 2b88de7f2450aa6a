package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

// talk is a conversation with the provider; files are what its tools act on.
type talk struct {
	h        *sdktest.Host
	t        *testing.T
	tools    []string
	files    map[string]string
	messages []abi.ChatMessage
	rounds   int
	log      []string // calls, name and arguments
}

func newTalk(t *testing.T) *talk {
	return &talk{h: sdktest.New(t), t: t, tools: []string{"list_directory", "read_file", "write_file", "grep_search"}, files: map[string]string{}}
}

// ask sends one request and returns the text and calls of its answer.
func (k *talk) ask() (text string, calls []abi.ToolCall) {
	k.t.Helper()
	r := abi.LlmRequest{RequestID: fmt.Sprint("r", k.rounds), Messages: k.messages, System: "be kind"}
	k.rounds++
	for _, n := range k.tools {
		r.Tools = append(r.Tools, abi.LlmToolDefinition{Name: n, InputSchema: json.RawMessage(`{}`)})
	}
	k.h.Forget()
	k.h.Call("handle_llm_request", r)
	terminal, usage := 0, 0
	for _, raw := range k.h.Published("llm.v1.stream.offline") {
		var m abi.LlmStreamEvent
		if err := json.Unmarshal(raw, &m); err != nil || m.RequestID != r.RequestID || terminal > 0 {
			k.t.Fatalf("%s after %d terminal events: %v", raw, terminal, err)
		}
		switch e := m.Event; {
		case e.TextDelta != nil:
			text += *e.TextDelta
		case e.ToolCallStart != nil:
			calls = append(calls, abi.ToolCall{ID: e.ToolCallStart.ID, Name: e.ToolCallStart.Name})
		case e.ToolCallDelta != nil:
			calls[len(calls)-1].Arguments = append(calls[len(calls)-1].Arguments, e.ToolCallDelta.ArgsDelta...)
		case e.Usage != nil:
			usage++
		case e.Done, e.Error != nil:
			terminal++
		}
	}
	if terminal != 1 || usage != 1 {
		k.t.Errorf("%d terminal events, %d usages", terminal, usage)
	}
	return text, calls
}

// say plays a turn to its end, running the tools, and returns the answer.
func (k *talk) say(prompt string) string {
	k.t.Helper()
	k.messages = append(k.messages, abi.TextMessage(abi.RoleUser, prompt))
	ids := map[string]bool{}
	for range 20 {
		text, calls := k.ask()
		if len(calls) == 0 {
			k.messages = append(k.messages, abi.TextMessage(abi.RoleAssistant, text))
			return text
		}
		k.messages = append(k.messages, abi.ChatMessage{Role: abi.RoleAssistant, Content: abi.Content{Calls: calls}})
		for _, c := range calls {
			if ids[c.ID] {
				k.t.Errorf("call id %q twice", c.ID)
			}
			ids[c.ID] = true
			k.log = append(k.log, c.Name+string(c.Arguments))
			result := k.run(c)
			result.CallID = c.ID
			k.messages = append(k.messages, abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{Result: &result}})
		}
	}
	k.t.Fatal("no end")
	return ""
}

var errNoFile = errors.New("no such file or directory")

func (k *talk) run(c abi.ToolCall) abi.ToolCallResult {
	var a struct {
		FilePath string `json:"file_path"`
		Content  string `json:"content"`
	}
	if err := json.Unmarshal(c.Arguments, &a); err != nil {
		k.t.Fatalf("arguments of %s: %v", c.Name, err)
	}
	var v any
	switch c.Name {
	case "list_directory":
		v = []string{"a.txt", "docs/"}
	case "read_file":
		text, ok := k.files[a.FilePath]
		if !ok {
			return abi.ToolCallResult{Content: errNoFile.Error(), IsError: true}
		}
		v = strings.TrimSuffix(text, "\n")
	case "write_file":
		k.files[a.FilePath] = a.Content
		v = "Successfully wrote to " + a.FilePath
	default:
		v = "ran " + c.Name
	}
	b, err := json.Marshal(v)
	if err != nil {
		k.t.Fatal(err)
	}
	return abi.ToolCallResult{Content: string(b)}
}

func TestSteps(t *testing.T) {
	k := newTalk(t)
	k.files["a.txt"] = "first\nsecond\n"
	got := k.say("list the files, then read a.txt, then read none.txt, then write x to b.txt")
	want := "Files in .:\n  a.txt\n  docs/\n\na.txt:\n  first\n  second\n\nread none.txt failed: no such file or directory\n\nSuccessfully wrote to b.txt"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if k.rounds != 5 || len(k.log) != 4 || k.files["b.txt"] != "x\n" {
		t.Errorf("%d rounds, calls %v", k.rounds, k.log)
	}
}

func TestRemember(t *testing.T) {
	k := newTalk(t)
	k.say("remember that I like tea")
	k.say("remember the ü, then remember milk")
	if got := k.files[memoryFile]; got != "- I like tea\n- the ü\n- milk\n" {
		t.Errorf("memory %q", got)
	}
	if got := k.say("read " + memoryFile); !strings.Contains(got, "- I like tea") {
		t.Errorf("%s", got)
	}
	k = newTalk(t)
	k.tools = append(k.tools, "remember")
	if got := k.say("remember tea"); len(k.log) != 1 || k.log[0] != `remember{"content":"tea"}` || got != "ran remember" {
		t.Errorf("with a tool for it: %v %q", k.log, got)
	}
}

// A memory that cannot be read is not written over.
func TestMemoryThatCannotBeRead(t *testing.T) {
	denied := abi.ToolCallResult{CallID: "1", Content: "denied by policy", IsError: true}
	r := abi.LlmRequest{Tools: []abi.LlmToolDefinition{{Name: "read_file"}, {Name: "write_file"}}, Messages: []abi.ChatMessage{
		abi.TextMessage(abi.RoleUser, "remember tea"),
		{Role: abi.RoleAssistant, Content: abi.Content{Calls: []abi.ToolCall{{ID: "1", Name: "read_file", Arguments: json.RawMessage(`{}`)}}}},
		{Role: abi.RoleTool, Content: abi.Content{Result: &denied}},
	}}
	if text, calls := answer(&r); len(calls) != 0 || !strings.Contains(text, "denied by policy") {
		t.Errorf("%q %v", text, calls)
	}
}

// Arguments that a person gives are passed on, whatever they are called.
func TestUseOfATool(t *testing.T) {
	k := newTalk(t)
	k.say(`use write_file with {"file_path": "a", "content": "x", "append": "y"}`)
	if k.files["a"] != "x" || len(k.log) != 1 {
		t.Errorf("%v %v", k.files, k.log)
	}
}

func TestWithoutTheTool(t *testing.T) {
	k := newTalk(t)
	got := k.say("list, then run make")
	if !strings.Contains(got, "Files in .") || !strings.Contains(got, `I cannot do "run make": there is no tool run_shell_command`) {
		t.Errorf("%s", got)
	}
}

func TestNotUnderstood(t *testing.T) {
	k := newTalk(t)
	if got := k.say("how are you?"); got != usage {
		t.Errorf("%s", got)
	}
	if got := k.say("and now?"); !strings.Contains(got, "1 earlier prompt(s); the last one was: \"how are you?\"") || !strings.HasSuffix(got, usage) {
		t.Errorf("%s", got)
	}
	k.say(strings.Repeat("ü", 300))
	if got := k.say("hm"); !strings.Contains(got, "3 earlier") || strings.Count(got, "ü") > 200+strings.Count(usage, "ü") {
		t.Errorf("%s", got)
	}
}

// The same conversation gives the same events, also from another instance.
func TestDeterminism(t *testing.T) {
	var first []string
	for i := range 3 {
		k := newTalk(t)
		k.files["a.txt"] = "x"
		k.say("list, then read a.txt")
		k.say("search for x")
		b, err := json.Marshal(k.messages)
		if err != nil {
			t.Fatal(err)
		}
		if first = append(first, string(b)); first[i] != first[0] {
			t.Errorf("run %d differs:\n%s\n%s", i, first[i], first[0])
		}
	}
}

func TestPartsOfAPrompt(t *testing.T) {
	r := abi.LlmRequest{Tools: []abi.LlmToolDefinition{{Name: "read_file"}}, Messages: []abi.ChatMessage{{Role: abi.RoleUser, Content: abi.Content{
		Parts: []abi.ContentPart{{Type: "text", Text: "read "}, {Type: "image", Data: "aGk=", MediaType: "image/png"}, {Type: "text", Text: "a"}}}}}}
	if _, calls := answer(&r); len(calls) != 1 || string(calls[0].Arguments) != `{"file_path":"a"}` {
		t.Errorf("%v", calls)
	}
}

// Pieces are whole characters, and lose nothing.
func TestPieces(t *testing.T) {
	for _, text := range []string{"", "a", usage, strings.Repeat("ü", 500), strings.Repeat("你好 ", 100), "x" + strings.Repeat("🚀", 99)} {
		ps := pieces(text)
		for _, p := range ps {
			if p == "" || strings.ToValidUTF8(p, "?") != p || len(p) > 100 {
				t.Errorf("piece %q", p)
			}
		}
		if strings.Join(ps, "") != text {
			t.Errorf("%q became %q", text, ps)
		}
	}
}

func TestDescribe(t *testing.T) {
	var d struct{ Providers []abi.ProviderDescription }
	if err := sdktest.New(t).Call("llm_describe", nil).JSON(&d); err != nil || len(d.Providers) != 1 ||
		d.Providers[0].RequestTopic != "llm.v1.request.generate.offline" || d.Providers[0].StreamTopic != "llm.v1.stream.offline" {
		t.Errorf("%+v %v", d, err)
	}
}
