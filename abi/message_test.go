package abi

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"
)

func TestHookInput(t *testing.T) {
	b := EncodeHookInput("do", []byte(`{"a":1}`))
	if want := "\x02\x00\x00\x00do{\"a\":1}"; string(b) != want {
		t.Errorf("%q, want %q", b, want)
	}
	action, payload, err := DecodeHookInput(b)
	if action != "do" || string(payload) != `{"a":1}` || err != nil {
		t.Errorf("%q %q %v", action, payload, err)
	}
	for _, bad := range []string{"", "\x00\x00\x00", "\x01\x00\x00\x00", "\xff\xff\xff\xffabc"} {
		if _, _, err := DecodeHookInput([]byte(bad)); !errors.Is(err, ErrHookInput) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzDecodeHookInput(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00do{}"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		action, payload, err := DecodeHookInput(b)
		if err == nil && !bytes.Equal(EncodeHookInput(action, payload), b) {
			t.Fatalf("%q became %q, %q", b, action, payload)
		}
	})
}

// The example of the contract: exactly these fields, absent ones left out.
func TestMessageForm(t *testing.T) {
	at := time.Date(2026, 3, 24, 10, 0, 0, 123456789, time.UTC)
	m := Message{
		Topic: "user.v1.prompt", Payload: json.RawMessage(`{"type":"connect"}`), SourceID: "00000000-0000-0000-0000-000000000000",
		Timestamp: at, Seq: 42, Principal: "default",
	}
	const want = `{"topic":"user.v1.prompt","payload":{"type":"connect"},"signature":null,"source_id":"00000000-0000-0000-0000-000000000000",` +
		`"timestamp":"2026-03-24T10:00:00.123456789Z","seq":42,"principal":"default"}`
	b, err := json.Marshal(m)
	if err != nil || string(b) != want {
		t.Errorf("%s %v", b, err)
	}
	b, err = json.Marshal(PollEnvelope{Messages: []Message{}})
	if err != nil || string(b) != `{"messages":[],"dropped":0,"lagged":0}` {
		t.Errorf("%s %v", b, err)
	}
}

func TestEncodeExtismHookInput(t *testing.T) {
	for _, c := range []struct{ action, payload, want string }{
		{"on_x", `{"a":1}`, `{"arguments":[123,34,97,34,58,49,125],"name":"on_x"}`},
		{"", "", `{"arguments":[],"name":""}`},
		{"a\"b", "\x00\xff", `{"arguments":[0,255],"name":"a\"b"}`},
	} {
		if got := string(EncodeExtismHookInput(c.action, []byte(c.payload))); got != c.want {
			t.Errorf("%s", got)
		}
	}
}
