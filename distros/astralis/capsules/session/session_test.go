package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func says(texts ...string) []abi.ChatMessage {
	var out []abi.ChatMessage
	for _, s := range texts {
		out = append(out, abi.TextMessage(abi.RoleUser, s))
	}
	return out
}

// get asks for a session's messages, after appending some, and returns the answer.
func get(t *testing.T, h *sdktest.Host, id string, extra any) abi.SessionMessages {
	t.Helper()
	h.Forget()
	h.Call("handle_get_messages", map[string]any{"session_id": id, "correlation_id": "c1", "append_before_read": extra})
	all := h.Published("session.v1.response.get_messages.c1")
	if len(all) == 0 {
		t.Fatalf("no answer; log: %v", h.Logs())
	}
	var r abi.SessionMessages
	if err := json.Unmarshal(all[len(all)-1], &r); err != nil {
		t.Fatal(err)
	}
	if r.CorrelationID != "c1" || r.Messages == nil {
		t.Errorf("%s", all[0])
	}
	return r
}

func texts(r abi.SessionMessages) string {
	var out []string
	for _, m := range r.Messages {
		out = append(out, m.Content.Text)
	}
	return strings.Join(out, " ")
}

func TestOrder(t *testing.T) {
	h := sdktest.New(t)
	if r := get(t, h, "s", nil); len(r.Messages) != 0 || r.Error != "" {
		t.Errorf("an unknown session: %+v", r)
	}
	var want []string
	for i := range 25 { // beyond one digit: keys must sort as numbers
		text := fmt.Sprintf("m%d", i)
		want = append(want, text)
		if i%2 == 0 {
			h.Call("handle_append", appendRequest{SessionID: "s", Messages: says(text)})
		} else if r := get(t, h, "s", says(text)); texts(r) != strings.Join(want, " ") {
			t.Fatalf("after %d appends: %s", i+1, texts(r))
		}
	}
	get(t, h, "s", []abi.ChatMessage{})
	if r := get(t, h, "s", says("a", "b")); texts(r) != strings.Join(want, " ")+" a b" {
		t.Errorf("%s", texts(r))
	}
}

// Nothing is changed on its way through the store.
func TestMessagesStayAsTheyAre(t *testing.T) {
	h := sdktest.New(t)
	const messages = `[{"role":"system","content":"ä\n\"x\""},{"role":"user","content":[{"type":"text","text":"what"},{"type":"image","data":"aGk=","media_type":"image/png"}]},` +
		`{"role":"assistant","content":[{"id":"1","name":"f","arguments":{"b":1,"a":[2.50,null]}}]},{"role":"tool","content":{"call_id":"1","content":"","is_error":true}}]`
	r := get(t, h, "s", json.RawMessage(messages))
	got, err := json.Marshal(r.Messages)
	if err != nil || string(got) != messages {
		t.Errorf("got  %s\nwant %s\n%v", got, messages, err)
	}
}

// Sessions whose ids begin alike, or hold what the keys are made of, are apart.
func TestSessionsAreApart(t *testing.T) {
	h := sdktest.New(t)
	ids := []string{"a", "ab", "a/", `a"`, `a"/0000000000`, "a\x00b", "ä", "session.log.", " ", "A", "default"}
	for _, id := range ids {
		get(t, h, id, says("of "+id))
	}
	for _, id := range ids {
		if r := get(t, h, id, nil); texts(r) != "of "+id {
			t.Errorf("%q holds %q %s", id, texts(r), r.Error)
		}
	}
	if r := get(t, h, "", nil); texts(r) != "of default" {
		t.Errorf("no id: %q", texts(r))
	}
	h.Caller.Principal = "eve"
	if r := get(t, h, "a", nil); texts(r) != "" {
		t.Errorf("another principal sees %q", texts(r))
	}
}

func TestDamage(t *testing.T) {
	for name, spoil := range map[string]func(h *sdktest.Host){
		"record": func(h *sdktest.Host) { h.SetKey(metaKey("s"), "[{") },
		"value":  func(h *sdktest.Host) { h.SetKey(entryKey("s", 0), "[{") },
	} {
		t.Run(name, func(t *testing.T) {
			h := sdktest.New(t)
			get(t, h, "s", says("one"))
			spoil(h)
			if r := get(t, h, "s", says("two")); !strings.Contains(r.Error, "damaged") {
				t.Errorf("%+v", r)
			}
			if r := get(t, h, "other", says("x")); r.Error != "" || texts(r) != "x" {
				t.Errorf("another session: %+v", r)
			}
		})
	}
}

func TestStorageFails(t *testing.T) {
	for _, f := range []abi.Function{abi.KvGet, abi.KvSet} {
		h := sdktest.New(t)
		get(t, h, "s", says("one"))
		h.Fail(f, abi.CodeIO, "disk full")
		if r := get(t, h, "s", says("two")); !strings.Contains(r.Error, "disk full") {
			t.Errorf("%s: %+v", f, r)
		}
	}
}

func TestUnreadableAppend(t *testing.T) {
	h := sdktest.New(t)
	for _, bad := range []string{`7`, `[{"role":"user","content":7}]`, `[{"role":"user","content":null}]`} {
		if r := get(t, h, "s", json.RawMessage(bad)); !strings.Contains(r.Error, "failed to parse messages") {
			t.Errorf("%s: %+v", bad, r)
		}
	}
	if r := get(t, h, "s", nil); len(r.Messages) != 0 {
		t.Errorf("stored %+v", r.Messages)
	}
}

// Ids that would not be one segment of a topic have no answer, and nothing is stored.
func TestCorrelationIDs(t *testing.T) {
	h := sdktest.New(t)
	for _, id := range []string{"", "a.b", "."} {
		h.Call("handle_get_messages", map[string]any{"session_id": "s", "correlation_id": id, "append_before_read": says("x")})
		h.Call("handle_clear", map[string]any{"session_id": "s", "correlation_id": id})
	}
	if m := h.Messages(); len(m) != 0 {
		t.Errorf("published %v", m)
	}
	if r := get(t, h, "s", nil); len(r.Messages) != 0 {
		t.Errorf("stored %+v", r.Messages)
	}
}

func TestClear(t *testing.T) {
	h := sdktest.New(t)
	get(t, h, "old", says("kept"))
	h.Call("handle_clear", abi.SessionRequest{SessionID: "old", CorrelationID: "c2"})
	var r clearResponse
	if all := h.Published("session.v1.response.clear.c2"); len(all) != 1 || json.Unmarshal(all[0], &r) != nil {
		t.Fatalf("%s", all)
	}
	if r.OldSessionID != "old" || r.CorrelationID != "c2" || len(r.NewSessionID) != 36 || r.NewSessionID[14] != '4' {
		t.Errorf("%+v", r)
	}
	if texts(get(t, h, r.NewSessionID, nil)) != "" || texts(get(t, h, "old", nil)) != "kept" {
		t.Error("the new session is not empty, or the old one is")
	}
	var m meta
	if err := json.Unmarshal([]byte(h.Key(metaKey(r.NewSessionID))), &m); err != nil || m.ParentSessionID != "old" {
		t.Errorf("%+v %v", m, err)
	}
}

// The end of a session comes first, and what is before it piece by piece; however long it is, only
// what is asked for is read.
func TestTail(t *testing.T) {
	h := sdktest.New(t)
	page := func(id string, last, before int) abi.SessionMessages {
		t.Helper()
		h.Forget()
		h.Call("handle_get_messages", abi.SessionMessagesRequest{SessionID: id, CorrelationID: "c1", Last: last, Before: before})
		var r abi.SessionMessages
		if all := h.Published("session.v1.response.get_messages.c1"); len(all) != 1 || json.Unmarshal(all[0], &r) != nil {
			t.Fatalf("%s", all)
		}
		return r
	}
	if r := page("s", 3, 0); len(r.Messages) != 0 || r.Earlier != 0 || r.Error != "" {
		t.Errorf("an unknown session: %+v", r)
	}
	for i := range 7 {
		h.Call("handle_append", appendRequest{SessionID: "s", Messages: says(fmt.Sprintf("m%da", i), fmt.Sprintf("m%db", i))})
	}
	r := page("s", 3, 0)
	if texts(r) != "m5a m5b m6a m6b" || r.Earlier != 5 {
		t.Errorf("%s, then %d", texts(r), r.Earlier)
	}
	var rest []string
	for r.Earlier > 0 {
		r = page("s", 4, r.Earlier)
		rest = append(rest, texts(r))
	}
	if strings.Join(rest, " | ") != "m3a m3b m4a m4b | m1a m1b m2a m2b | m0a m0b" {
		t.Errorf("%q", rest)
	}
	// An append that the record has not counted, as after a crash.
	h.SetKey(entryKey("s", 7), `{"at":1,"messages":[{"role":"user","content":"late"}]}`)
	if r := page("s", 1, 0); texts(r) != "late" || r.Earlier != 7 {
		t.Errorf("%s, then %d", texts(r), r.Earlier)
	}
	if r := page("s", 1, 100); len(r.Messages) != 0 || r.Earlier != 0 || r.Error != "" {
		t.Errorf("a place that there is not: %+v", r)
	}
	for range 6 { // more than a message can carry, in pieces
		h.Call("handle_append", appendRequest{SessionID: "big", Messages: says(strings.Repeat("x", 1<<20))})
	}
	n := 0
	for r := page("big", 1000, 0); ; r = page("big", 1000, r.Earlier) {
		if n += len(r.Messages); r.Earlier == 0 || r.Error != "" {
			break
		}
	}
	if n != 6 {
		t.Errorf("%d of 6 large messages", n)
	}
}

func TestBigHistory(t *testing.T) {
	h := sdktest.New(t)
	piece := strings.Repeat("x", 1<<20)
	for range 3 {
		h.Call("handle_append", appendRequest{SessionID: "s", Messages: says(piece)})
	}
	if r := get(t, h, "s", says(piece)); len(r.Messages) != 4 || r.Error != "" {
		t.Fatalf("4 MiB: %d messages, %s", len(r.Messages), r.Error)
	}
	// More than a message can carry: whoever waits is told so, and what to do.
	if r := get(t, h, "s", says(piece)); len(r.Messages) != 0 || !strings.Contains(r.Error, "ask for a part of it") {
		t.Errorf("%d messages, %q", len(r.Messages), r.Error)
	}
	// Nor does a part that is too large end the capsule, and what a model sees is as much of the end as it can be sent.
	for range 20 {
		h.Call("handle_append", appendRequest{SessionID: "s", Messages: says(piece)})
	}
	var read int
	stored := h.Keys(logPrefix("s"))
	h.Handle(abi.KvGet, func(p []string) ([]byte, error) { read += len(h.Key(p[0])); return []byte(h.Key(p[0])), nil })
	if r := get(t, h, "s", nil); !strings.Contains(r.Error, "ask for a part of it") || read > 4*abi.MaxPublish {
		t.Errorf("%q after %d bytes of %d appends", r.Error, read, len(stored))
	}
	read = 0
	r := ask[abi.SessionMessages](t, h, "get_messages", map[string]any{"session_id": "s", "context": true, "append_before_read": says("now")})
	if len(r.Messages) != 5 || r.Head != 1 || r.Total != 26 || r.Start != 22 || r.Messages[4].Content.Text != "now" ||
		!strings.Contains(r.Messages[0].Content.Text, "22 earlier messages") || read > 2*abi.MaxPublish {
		t.Errorf("%d messages, head %d, start %d of %d, %.80q, %d bytes read", len(r.Messages), r.Head, r.Start, r.Total, r.Messages[0].Content.Text, read)
	}
	// What was stored is not read again.
	read = 0
	ask[abi.SessionMessages](t, h, "get_messages", map[string]any{"session_id": "s", "context": true, "from": 46 - 20, "append_before_read": says(piece)})
	if read > 10_000 || newest.raw != nil {
		t.Errorf("%d bytes were read after an append, %d are kept", read, len(newest.raw))
	}
	// An append costs the same however long the session is.
	var written int
	h.Handle(abi.KvSet, func(p []string) ([]byte, error) { written += len(p[1]); return nil, nil })
	h.Call("handle_append", appendRequest{SessionID: "s", Messages: says("small")})
	if written == 0 || written > 1000 {
		t.Errorf("%d bytes were written for a small append", written)
	}
}

// The answer comes after the append is stored.
func TestStoredBeforeAnswered(t *testing.T) {
	h := sdktest.New(t)
	h.OnPublish("session.v1.response.get_messages.*", func(abi.Message) {
		if h.Key(logPrefix("s")+"0000000000") == "" {
			t.Error("answered before it was stored")
		}
	})
	get(t, h, "s", says("x"))
}
