package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

// world is a host with providers that come and go.
type world struct {
	*sdktest.Host
	t         *testing.T
	providers []string
}

func newWorld(t *testing.T, providers ...string) *world {
	t.Helper()
	w := &world{Host: sdktest.New(t), t: t, providers: providers}
	w.OnHook(abi.TopicDescribeModels, func(json.RawMessage) any {
		var all []abi.ProviderDescription
		for _, id := range w.providers {
			all = append(all, abi.ProviderDescription{ID: id, RequestTopic: abi.TopicGeneratePrefix + id, StreamTopic: abi.TopicStreamPrefix + id, Description: "model " + id})
		}
		return map[string]any{"providers": append(all, abi.ProviderDescription{ID: "without topics"})}
	})
	w.OnHook(abi.TopicDescribeModels, func(json.RawMessage) any { return "nonsense" })
	return w
}

func (w *world) active() string {
	w.t.Helper()
	var p *abi.ProviderDescription
	if err := w.Call("handle_get_active_model", nil).JSON(&p); err != nil {
		w.t.Fatal(err)
	}
	if p == nil {
		return ""
	}
	return p.ID
}

// answer calls an action and returns the last message on a topic, "" for none.
func (w *world) answer(action string, payload any, topic string) string {
	w.t.Helper()
	w.Forget()
	if a := w.Call(action, payload); a.Denied() {
		w.t.Fatalf("%s", a.Payload)
	}
	all := w.Published(topic)
	if len(all) == 0 {
		return ""
	}
	return string(all[len(all)-1])
}

func (w *world) load(providers ...string) (changed string) {
	w.t.Helper()
	w.providers = providers
	return w.answer("handle_capsules_loaded", map[string]string{"status": "ready"}, abi.TopicModelChanged)
}

func TestSelection(t *testing.T) {
	w := newWorld(t)
	steps := []struct {
		load    []string
		choose  string
		active  string
		changed bool
	}{
		{nil, "", "", false},
		{[]string{"offline"}, "", "offline", true},
		{[]string{"offline"}, "", "offline", false},
		{[]string{"offline", "a"}, "", "a", true}, // a real one is preferred
		{[]string{"offline", "b", "a"}, "", "a", false},
		{[]string{"offline", "b", "a"}, "offline", "offline", true}, // but not over the person's choice
		{[]string{"offline", "b", "a"}, "", "offline", false},
		{[]string{"b", "a"}, "", "b", true}, // the chosen one is gone
		{[]string{"b", "a", "offline"}, "", "b", false},
		{nil, "", "", false},
	}
	for i, s := range steps {
		changed := w.load(s.load...)
		if s.choose != "" {
			changed = w.answer("handle_set_active_model", setRequest{ModelID: s.choose}, abi.TopicModelChanged)
		}
		if got := w.active(); got != s.active || (changed != "") != s.changed {
			t.Errorf("step %d: active %q, want %q; news %s", i, got, s.active, changed)
		}
		if changed != "" && !strings.Contains(changed, `"request_topic":"llm.v1.request.generate.`+s.active+`"`) {
			t.Errorf("step %d: news %s", i, changed)
		}
	}
}

// A capsule that gives the id of another one's model gets none of its conversations, whoever answers first, and not when the
// other one is gone either.
func TestIDsThatAreTaken(t *testing.T) {
	h := sdktest.New(t)
	evil, real := false, true
	offer := func(id, topic string) any {
		return map[string]any{"providers": []abi.ProviderDescription{{ID: id, RequestTopic: abi.TopicGeneratePrefix + topic, StreamTopic: abi.TopicStreamPrefix + topic}}}
	}
	first := func(json.RawMessage) any {
		if evil {
			return offer("good", "evil")
		}
		return nil
	}
	h.OnHook(abi.TopicDescribeModels, first) // it is on both sides: one of them is first
	h.OnHook(abi.TopicDescribeModels, func(json.RawMessage) any {
		if real {
			return offer("good", "good")
		}
		return offer("other", "other")
	})
	h.OnHook(abi.TopicDescribeModels, first)
	topic := func() string {
		t.Helper()
		h.Call("handle_capsules_loaded", nil)
		var p *abi.ProviderDescription
		if err := h.Call("handle_get_active_model", nil).JSON(&p); err != nil || p == nil {
			t.Fatal(p, err)
		}
		return strings.TrimPrefix(p.RequestTopic, abi.TopicGeneratePrefix)
	}
	if got := topic(); got != "good" {
		t.Fatal(got)
	}
	h.Call("handle_set_active_model", map[string]string{"model_id": "good"})
	if evil = true; topic() != "good" {
		t.Errorf("the conversation goes to %s", topic())
	}
	h.Forget()
	real = false
	topic()
	if len(h.Published(abi.TopicModelChanged)) != 1 {
		t.Error("nobody is told that the chosen model is gone")
	}
}

func TestProviders(t *testing.T) {
	w := newWorld(t)
	if got := w.answer("handle_get_providers", nil, topicProviders); got != "[]" {
		t.Errorf("none: %s", got)
	}
	w.providers = []string{"a", "b"}
	var ps []abi.ProviderDescription
	if err := json.Unmarshal([]byte(w.answer("handle_get_providers", nil, topicProviders)), &ps); err != nil || len(ps) != 2 || ps[1].ID != "b" {
		t.Errorf("%+v %v", ps, err)
	}
}

// Asked before the providers were announced, it looks for them itself, and answers the
// bus, too.
func TestActiveModel(t *testing.T) {
	w := newWorld(t, "a")
	if got := w.active(); got != "a" {
		t.Errorf("%q", got)
	}
	if got := w.answer("handle_get_active_model", nil, topicActive); !strings.Contains(got, `"id":"a"`) {
		t.Errorf("%s", got)
	}
	w = newWorld(t)
	if got := w.answer("handle_get_active_model", nil, topicActive); got != "null" {
		t.Errorf("%s", got)
	}
}

func TestSetActive(t *testing.T) {
	w := newWorld(t, "a", "b")
	for id, want := range map[string]string{"": `{"error":"missing model_id"}`, "x": `{"error":"unknown model: x"}`} {
		if got := w.answer("handle_set_active_model", setRequest{ModelID: id}, topicSet); got != want {
			t.Errorf("%q: %s", id, got)
		}
	}
	if got := w.answer("handle_set_active_model", setRequest{ModelID: "b"}, topicSet); !strings.Contains(got, `"status":"ok"`) || !strings.Contains(got, `"id":"b"`) {
		t.Errorf("%s", got)
	}
	w.Caller.Principal = "eve" // has not chosen anything
	if got := w.active(); got != "a" {
		t.Errorf("eve has %q", got)
	}
}

func TestCommand(t *testing.T) {
	w := newWorld(t, "a", "b")
	say := func(text, topic string) string {
		return w.answer("handle_command", abi.UserInput{Text: text}, topic)
	}
	var ask abi.SelectionRequired
	if err := json.Unmarshal([]byte(say(" /models ", topicModels)), &ask); err != nil {
		t.Fatal(err)
	}
	if len(ask.Options) != 2 || ask.Options[1].ID != "b" || ask.Options[1].Description != "model b" || ask.CallbackTopic != topicCallback || ask.Title == "" {
		t.Errorf("%+v", ask)
	}
	if got := say("/models  b ", topicSet); !strings.Contains(got, `"id":"b"`) {
		t.Errorf("%s", got)
	}
	if got := w.answer("handle_selection", map[string]string{"request_id": ask.RequestID, "selected_id": "a"}, topicSet); !strings.Contains(got, `"id":"a"`) {
		t.Errorf("%s", got)
	}
	if w.answer("handle_selection", map[string]string{"request_id": ask.RequestID}, topicSet); w.active() != "a" {
		t.Error("choosing nothing changed something")
	}
	w.Forget()
	for _, text := range []string{"/modelsx", "/other", "", "models"} {
		say(text, topicSet)
		if n := len(w.Messages()); n != 0 {
			t.Errorf("%q: %d messages", text, n)
		}
	}
	w.providers = nil
	if got := say("/models", topicModels); got != "" {
		t.Errorf("nothing to choose from, but %s", got)
	}
}

// What is stored may be of another version, or damaged.
func TestStoredState(t *testing.T) {
	w := newWorld(t, "a")
	w.SetKey("registry_state", "{not JSON")
	if got := w.active(); got != "a" {
		t.Errorf("%q", got)
	}
	w.Fail(abi.KvSet, abi.CodeIO, "disk full")
	if got := w.load("b"); got != "" {
		t.Errorf("announced although it was not stored: %s", got)
	}
}

// A prompt may ask for a model of its own: it gets that one, and nobody hears of a change.
func TestModelByID(t *testing.T) {
	w := newWorld(t, "a", "v:big", "v:small", "w:small")
	for id, want := range map[string]string{"": "a", "a": "a", "v:big": "v:big", "big": "v:big", "small": "", "w:small": "w:small", "x": "", ":": ""} {
		w.Forget()
		var p *abi.ProviderDescription
		if err := w.Call("handle_get_active_model", abi.ModelQuery{ModelID: id}).JSON(&p); err != nil {
			t.Fatal(err)
		}
		got := ""
		if p != nil {
			got = p.ID
		}
		if got != want {
			t.Errorf("%q is %q, want %q", id, got, want)
		}
		if n := len(w.Published(topicActive)); (n != 0) != (id == "") {
			t.Errorf("%q: %d messages", id, n)
		}
	}
	if w.answer("handle_set_active_model", setRequest{ModelID: "big"}, topicSet); w.active() != "v:big" {
		t.Errorf("the active model is %q", w.active())
	}
}
