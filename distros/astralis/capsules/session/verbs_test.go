package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

// ask sends a verb and decodes its answer.
func ask[A any](t *testing.T, h *sdktest.Host, verb string, request map[string]any) A {
	t.Helper()
	if request == nil {
		request = map[string]any{}
	}
	request["correlation_id"] = "c"
	h.Forget()
	h.Call("handle_"+verb, request)
	all := h.Published(abi.TopicSessionResponsePrefix + verb + ".c")
	var a A
	if len(all) != 1 {
		t.Fatalf("%s: %d answers; log: %v", verb, len(all), h.Logs())
	}
	if err := json.Unmarshal(all[0], &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// turn is a prompt with two parallel calls and an answer.
func turn(prompt string) []abi.ChatMessage {
	call := func(id string) abi.ToolCall {
		return abi.ToolCall{ID: id, Name: "look", Arguments: json.RawMessage(`{"at":"` + id + `"}`)}
	}
	result := func(id string) abi.ChatMessage {
		return abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{Result: &abi.ToolCallResult{CallID: id, Content: "seen " + id}}}
	}
	return []abi.ChatMessage{
		abi.TextMessage(abi.RoleUser, prompt),
		{Role: abi.RoleAssistant, Content: abi.Content{Calls: []abi.ToolCall{call("1"), call("2")}}},
		result("1"), result("2"),
		abi.TextMessage(abi.RoleAssistant, "answer to "+prompt),
	}
}

func world(t *testing.T) *sdktest.Host {
	h := sdktest.New(t)
	h.Caller.Workspace = "/ws"
	for _, id := range []string{"old", "mid", "new"} {
		h.Now = h.Now.Add(time.Minute)
		h.Call("handle_append", appendRequest{SessionID: id, Messages: turn("\n  Prompt   of " + id + "\nmore")})
	}
	return h
}

func ids(l abi.SessionList) string {
	var out []string
	for _, s := range l.Sessions {
		out = append(out, s.SessionID)
	}
	return strings.Join(out, " ") + l.Error
}

func TestList(t *testing.T) {
	h := world(t)
	l := ask[abi.SessionList](t, h, "list", nil)
	if ids(l) != "new mid old" || l.Next != "" {
		t.Fatalf("%+v", l)
	}
	s := l.Sessions[0]
	if s.Title != "Prompt of new" || s.Named || s.Messages != 5 || s.Prompts != 1 || s.Workspace != "/ws" || !s.UpdatedAt.Equal(h.Now) {
		t.Errorf("%+v", s)
	}
	h.Now = h.Now.Add(time.Minute)
	get(t, h, "old", says("again"))
	if l := ask[abi.SessionList](t, h, "list", map[string]any{"limit": 2}); ids(l) != "old new" || l.Next == "" {
		t.Errorf("%+v", l)
	} else if l = ask[abi.SessionList](t, h, "list", map[string]any{"limit": 2, "cursor": l.Next}); ids(l) != "mid" || l.Next != "" {
		t.Errorf("second page: %+v", l)
	}
	if l := ask[abi.SessionList](t, h, "list", map[string]any{"workspace": "/elsewhere"}); ids(l) != "" {
		t.Errorf("%+v", l)
	}
	if l := ask[abi.SessionList](t, h, "list", map[string]any{"cursor": "x"}); !strings.Contains(l.Error, "cursor") {
		t.Errorf("%+v", l)
	}
	h.Call("handle_clear", abi.SessionRequest{SessionID: "old", CorrelationID: "c"})
	if l := ask[abi.SessionList](t, h, "list", nil); len(l.Sessions) != 3 {
		t.Errorf("an empty session is listed: %+v", l)
	}
	if l := ask[abi.SessionList](t, h, "list", map[string]any{"empty": true}); len(l.Sessions) != 4 || l.Sessions[0].ParentSessionID != "old" {
		t.Errorf("%+v", l)
	}
}

func TestRename(t *testing.T) {
	h := world(t)
	if a := ask[abi.SessionAnswer](t, h, "update", map[string]any{"session_id": "mid", "title": " Mine "}); a.Session == nil || a.Session.Title != "Mine" {
		t.Fatalf("%+v", a)
	}
	get(t, h, "mid", says("more"))
	if a := ask[abi.SessionAnswer](t, h, "get_meta", map[string]any{"session_id": "mid"}); a.Session.Title != "Mine" || !a.Session.Named || a.Session.Messages != 6 {
		t.Errorf("%+v", a.Session)
	}
	if a := ask[abi.SessionAnswer](t, h, "update", map[string]any{"session_id": "mid", "title": ""}); a.Session.Title != "Prompt of mid" {
		t.Errorf("%+v", a.Session)
	}
	for _, title := range []string{"a\nb", strings.Repeat("x", 201)} {
		if a := ask[abi.SessionAnswer](t, h, "update", map[string]any{"session_id": "mid", "title": title}); a.Error == "" {
			t.Errorf("%q was taken", title)
		}
	}
	for _, verb := range []string{"get_meta", "update", "delete", "export", "fork", "set_context"} {
		if a := ask[abi.SessionAnswer](t, h, verb, map[string]any{"session_id": "nobody"}); !strings.Contains(a.Error, `no session "nobody"`) {
			t.Errorf("%s: %+v", verb, a)
		}
	}
}

func TestDelete(t *testing.T) {
	h := world(t)
	ask[abi.SessionAnswer](t, h, "set_context", map[string]any{"session_id": "mid", "from": 1})
	if a := ask[abi.SessionAnswer](t, h, "delete", map[string]any{"session_id": "mid"}); a.Session == nil || a.Session.Messages != 5 {
		t.Fatalf("%+v", a)
	}
	if l := ask[abi.SessionList](t, h, "list", nil); ids(l) != "new old" {
		t.Errorf("%+v", l)
	}
	for _, key := range []string{entryKey("mid", 0), metaKey("mid"), contextKey("mid")} {
		if h.Key(key) != "" {
			t.Errorf("%s is left", key)
		}
	}
}

func TestSearch(t *testing.T) {
	h := world(t)
	a := ask[abi.SessionSearch](t, h, "search", map[string]any{"query": "OF mid"})
	if len(a.Hits) != 3 || a.Hits[0].Index != -1 || a.Hits[1].Index != 0 || a.Hits[1].Session.SessionID != "mid" { // title, prompt and answer
		t.Fatalf("%+v", a)
	}
	if a := ask[abi.SessionSearch](t, h, "search", map[string]any{"query": "seen", "limit": 3}); len(a.Hits) != 3 || !a.Truncated || a.Hits[0].Role != abi.RoleTool {
		t.Errorf("%+v", a)
	}
	if a := ask[abi.SessionSearch](t, h, "search", map[string]any{"query": "seen", "session_id": "old"}); len(a.Hits) != 2 || a.Truncated {
		t.Errorf("%+v", a)
	}
	if a := ask[abi.SessionSearch](t, h, "search", map[string]any{"query": " "}); a.Error == "" {
		t.Errorf("%+v", a)
	}
	// Lower case of some letters has another length.
	h.Call("handle_append", appendRequest{SessionID: "x", Messages: says(strings.Repeat("İ", 100) + "needle")})
	if a := ask[abi.SessionSearch](t, h, "search", map[string]any{"query": "needle"}); len(a.Hits) == 0 || a.Error != "" {
		t.Errorf("%+v", a)
	}
}

func TestExport(t *testing.T) {
	h := world(t)
	a := ask[abi.SessionExport](t, h, "export", map[string]any{"session_id": "old"})
	for _, want := range []string{"# Prompt of old\n", "## You\n", "Calls `look`:\n\n```\n{\"at\":\"1\"}\n```\n", "seen 2", "## Agent\n\nanswer to"} {
		if !strings.Contains(a.Content, want) {
			t.Errorf("lacks %q:\n%s", want, a.Content)
		}
	}
	a = ask[abi.SessionExport](t, h, "export", map[string]any{"session_id": "old", "format": "jsonl"})
	if lines := strings.Split(strings.TrimSpace(a.Content), "\n"); len(lines) != 5 || !json.Valid([]byte(lines[1])) {
		t.Errorf("%s", a.Content)
	}
	if a := ask[abi.SessionExport](t, h, "export", map[string]any{"session_id": "old", "format": "pdf"}); a.Error == "" {
		t.Errorf("%+v", a)
	}
	for range 3 {
		h.Call("handle_append", appendRequest{SessionID: "long", Messages: says(strings.Repeat("y", 700<<10), "end```")})
	}
	var whole string
	pages := 0
	for from := 0; pages == 0 || from > 0; pages++ {
		a := ask[abi.SessionExport](t, h, "export", map[string]any{"session_id": "long", "from": from})
		whole += a.Content
		from = a.Next
	}
	if pages != 2 || strings.Count(whole, "## You") != 6 {
		t.Errorf("%d pages, %d messages", pages, strings.Count(whole, "## You"))
	}
}

func TestFork(t *testing.T) {
	h := world(t)
	a := ask[abi.SessionAnswer](t, h, "fork", map[string]any{"session_id": "old", "new_session_id": "copy"})
	if a.Session == nil || a.Session.ParentSessionID != "old" || a.Session.Messages != 5 || a.Session.Workspace != "/ws" {
		t.Fatalf("%+v", a)
	}
	get(t, h, "copy", says("only here"))
	if n, m := len(get(t, h, "old", nil).Messages), len(get(t, h, "copy", nil).Messages); n != 5 || m != 6 {
		t.Errorf("%d %d", n, m)
	}
	if a := ask[abi.SessionAnswer](t, h, "fork", map[string]any{"session_id": "old", "new_session_id": "mid"}); a.Error == "" {
		t.Error("an existing session was replaced")
	}
	for at, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 4, 5: 5} { // results stay with their calls
		id := fmt.Sprint("at", at)
		a := ask[abi.SessionAnswer](t, h, "fork", map[string]any{"session_id": "old", "new_session_id": id, "at": at, "title": "T"})
		if got := len(get(t, h, id, nil).Messages); got != want || a.Session.Messages != want || a.Session.Title != "T" {
			t.Errorf("at %d: %d messages, %+v", at, got, a.Session)
		}
	}
	if a := ask[abi.SessionAnswer](t, h, "fork", map[string]any{"session_id": "old", "at": 6}); a.Error == "" {
		t.Error("forked beyond the end")
	}
}

func TestContext(t *testing.T) {
	h := world(t)
	seen := func(id string) abi.SessionMessages {
		return ask[abi.SessionMessages](t, h, "get_messages", map[string]any{"session_id": id, "context": true})
	}
	if r := seen("old"); len(r.Messages) != 5 || r.Head != 0 || r.Total != 5 {
		t.Errorf("%+v", r)
	}
	if a := ask[abi.SessionAnswer](t, h, "set_context", map[string]any{"session_id": "old", "from": 3, "head": says("summary")}); !strings.Contains(a.Error, "cannot be separated") {
		t.Errorf("%+v", a)
	}
	if a := ask[abi.SessionAnswer](t, h, "set_context", map[string]any{"session_id": "old", "from": 9}); a.Error == "" {
		t.Errorf("%+v", a)
	}
	ask[abi.SessionAnswer](t, h, "set_context", map[string]any{"session_id": "old", "from": 4, "head": says("summary")})
	get(t, h, "old", says("next"))
	if r := seen("old"); texts(r) != "summary answer to \n  Prompt   of old\nmore next" || r.Head != 1 || r.Start != 4 || r.Total != 6 {
		t.Errorf("%+v", r)
	}
	if r := get(t, h, "old", nil); len(r.Messages) != 6 {
		t.Errorf("the history was changed: %+v", r)
	}
	if r := ask[abi.SessionMessages](t, h, "get_messages", map[string]any{"session_id": "old", "from": 1, "limit": 2}); len(r.Messages) != 2 || r.Start != 1 || r.Messages[0].Content.Calls == nil {
		t.Errorf("%+v", r)
	}
}

// TestContextGoesOn: whoever knows the beginning is told the rest, or everything when models are to see it otherwise now.
func TestContextGoesOn(t *testing.T) {
	h := world(t)
	from := func(n int) string {
		r := ask[abi.SessionMessages](t, h, "get_messages", map[string]any{"session_id": "old", "context": true, "from": n})
		return fmt.Sprintf("%d messages, head %d, start %d of %d%s", len(r.Messages), r.Head, r.Start, r.Total, r.Error)
	}
	for n, want := range map[int]string{
		0: "5 messages, head 0, start 0 of 5", 3: "2 messages, head 0, start 3 of 5", 5: "0 messages, head 0, start 5 of 5", 9: "5 messages, head 0, start 0 of 5",
	} {
		if got := from(n); got != want {
			t.Errorf("from %d: %s", n, got)
		}
	}
	ask[abi.SessionAnswer](t, h, "set_context", map[string]any{"session_id": "old", "from": 4, "head": says("summary")})
	for n, want := range map[int]string{3: "2 messages, head 1, start 4 of 5", 4: "2 messages, head 1, start 4 of 5", 5: "0 messages, head 0, start 5 of 5"} {
		if got := from(n); got != want {
			t.Errorf("from %d of a shortened one: %s", n, got)
		}
	}
}

// TestContextKeepsRounds: where a conversation is cut, no result is without its call.
func TestContextKeepsRounds(t *testing.T) {
	h := sdktest.New(t)
	calls := abi.ChatMessage{Role: abi.RoleAssistant}
	var round []abi.ChatMessage
	for i := range 3 {
		id := fmt.Sprint(i)
		calls.Content.Calls = append(calls.Content.Calls, abi.ToolCall{ID: id, Name: "read", Arguments: json.RawMessage(`{}`)})
		round = append(round, abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{Result: &abi.ToolCallResult{CallID: id, Content: strings.Repeat("x", 1<<20)}}})
	}
	for range 2 {
		get(t, h, "s", append([]abi.ChatMessage{calls}, round...))
	}
	r := ask[abi.SessionMessages](t, h, "get_messages", map[string]any{"session_id": "s", "context": true})
	if len(r.Messages) != 5 || r.Head != 1 || r.Start != 4 || r.Messages[1].Content.Calls == nil {
		t.Errorf("%d messages, head %d, start %d %s", len(r.Messages), r.Head, r.Start, r.Error)
	}
}

// TestForkOfALongSession: a copy is made in pieces, each of which can be stored.
func TestForkOfALongSession(t *testing.T) {
	h := sdktest.New(t)
	for range 12 {
		get(t, h, "long", says(strings.Repeat("x", 1<<20), "short"))
	}
	for at, want := range map[int]int{0: 24, 23: 23, 24: 24} {
		id := fmt.Sprint("at", at)
		a := ask[abi.SessionAnswer](t, h, "fork", map[string]any{"session_id": "long", "new_session_id": id, "at": at})
		r := ask[abi.SessionMessages](t, h, "get_messages", map[string]any{"session_id": id, "from": want - 1})
		if a.Error != "" || a.Session.Messages != want || a.Session.Prompts != want || r.Total != want || len(r.Messages) != 1 {
			t.Errorf("at %d: %s %+v, %d of %d", at, a.Error, a.Session, len(r.Messages), r.Total)
		}
	}
}

// An append that is repeated, after a crash say, is stored once.
func TestAppendIsRepeatable(t *testing.T) {
	h := sdktest.New(t)
	add := func(id, text string, repeated bool) abi.SessionMessages {
		return ask[abi.SessionMessages](t, h, "get_messages", map[string]any{"session_id": "s", "append_id": id, "repeated": repeated, "append_before_read": says(text)})
	}
	add("a", "one", true)
	add("b", "two", false)
	r := add("a", "one", true)
	if texts(r) != "one two" || r.LastAppendID != "b" {
		t.Errorf("%+v", r)
	}
	if r := add("a", "three", false); texts(r) != "one two three" { // names need not be unique
		t.Errorf("%s", texts(r))
	}
	if a := ask[abi.SessionAnswer](t, h, "get_meta", map[string]any{"session_id": "s"}); a.Session.Messages != 3 {
		t.Errorf("%+v", a.Session)
	}
}

// A crash between an append and its count is made good by the next append.
func TestCountsAreMadeGood(t *testing.T) {
	h := sdktest.New(t)
	get(t, h, "s", says("one"))
	if err := func() error { _, err := store("s", "", false, says("two", "three")); return err }(); err != nil {
		t.Fatal(err)
	}
	get(t, h, "s", says("four"))
	if a := ask[abi.SessionAnswer](t, h, "get_meta", map[string]any{"session_id": "s"}); a.Session.Messages != 4 || a.Session.Prompts != 4 {
		t.Errorf("%+v", a.Session)
	}
}
