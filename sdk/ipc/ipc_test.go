package ipc_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func TestPublish(t *testing.T) {
	h := sdktest.New(t)
	for _, tt := range []struct {
		payload any
		full    string
	}{
		{map[string]int{"a": 1}, `{"data":{"a":1},"type":"custom"}`},
		{[]byte(`{"type":"connect"}`), `{"type":"connect"}`},
		{json.RawMessage(`[1]`), `{"data":[1],"type":"custom"}`},
		{abi.Connect{}, `{"type":"connect"}`},
		{nil, `{"data":null,"type":"custom"}`},
		{`a<b`, `{"data":"a\u003cb","type":"custom"}`},
	} {
		h.Forget()
		if err := ipc.Publish("a.b", tt.payload); err != nil {
			t.Errorf("%v: %v", tt.payload, err)
			continue
		}
		if got := string(h.Messages()[0].Payload); got != tt.full {
			t.Errorf("%v: %s", tt.payload, got)
		}
	}
	if err := ipc.Publish("a..b", 1); !errors.Is(err, abi.ErrInvalid) {
		t.Error(err)
	}
	if err := ipc.Publish("a.b", func() {}); err == nil {
		t.Error("a func was published")
	}
}

func TestRequest(t *testing.T) {
	h := sdktest.New(t)
	h.OnPublish("q.v1.ask", func(m abi.Message) { h.Deliver("q.v1.answer.1", map[string]string{"text": "yes"}) })
	m, err := ipc.Request("q.v1.ask", map[string]int{"n": 1}, "q.v1.answer.1", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ipc.Decode[struct{ Text string }](m)
	if err != nil || got.Text != "yes" {
		t.Errorf("%+v %v", got, err)
	}

	before := h.Now
	_, err = ipc.Request("q.v1.other", nil, "q.v1.answer.2", 150*time.Second)
	if !errors.Is(err, abi.ErrTimeout) {
		t.Errorf("got %v", err)
	}
	if waited := h.Now.Sub(before); waited != 150*time.Second {
		t.Errorf("waited %s", waited)
	}
	// Neither request has left its subscription behind.
	for range abi.MaxSubscriptions {
		if _, err := ipc.Subscribe("x.*"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnwrap(t *testing.T) {
	for _, tt := range [][2]string{
		{`{"type":"custom","data":{"a":1}}`, `{"a":1}`},
		{`{"type":"custom"}`, `null`},
		{`{"type":"raw_json","b":2,"a":1}`, `{"b":2,"a":1}`},
		{`{"type":"raw_json"}`, `{}`},
		{`{"a":1,"type":"raw_json"}`, `{"a":1}`},
		{`{"type":"user_input","text":"x"}`, `{"type":"user_input","text":"x"}`},
	} {
		got, err := ipc.Unwrap(json.RawMessage(tt[0]))
		if err != nil || string(got) != tt[1] {
			t.Errorf("%s: %s %v", tt[0], got, err)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	f.Add(`{"type":"raw_json","b":2}`)
	f.Add(`{"type":"raw_json"x}`)
	f.Add(`{"type":"custom","data":[]}`)
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := ipc.Unwrap(json.RawMessage(raw))
		if err == nil && !json.Valid(got) {
			t.Fatalf("%q became %q", raw, got)
		}
	})
}
