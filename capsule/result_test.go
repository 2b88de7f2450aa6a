package capsule

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecodeResult(t *testing.T) {
	for _, c := range []struct {
		out  string
		want Result
	}{
		{"", Result{}},
		{"\x00", Result{}},
		{"\x00{}", Result{Payload: []byte("{}")}},
		{"\x00null", Result{Payload: []byte("null")}},
		{"\x01", Result{Verdict: Final, Payload: []byte{}}},
		{"\x01[1]", Result{Verdict: Final, Payload: []byte("[1]")}},
		{"\x02", Result{Verdict: Deny, Reason: "no reason given"}},
		{"\x02no", Result{Verdict: Deny, Reason: "no"}},
		{"\x02a\xff\x1b[1mb\n", Result{Verdict: Deny, Reason: "a [1mb"}},
		{`{"a":1}`, Result{Payload: []byte(`{"a":1}`)}},
		{"null", Result{}},
		{"null\n", Result{}},
		{"nullx", Result{Payload: []byte("nullx")}},
		{"\x03x", Result{Payload: []byte("\x03x")}},
	} {
		if got := DecodeResult([]byte(c.out)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, want %+v", c.out, got, c.want)
		}
	}
	if got := Continue.String() + Final.String() + Deny.String() + Verdict(9).String(); got != "continuefinaldenyverdict_9" {
		t.Error(got)
	}
	if r := DecodeResult([]byte("\x02" + strings.Repeat("é", MaxReason))); len(r.Reason) > MaxReason || !utf8.ValidString(r.Reason) {
		t.Errorf("a long reason has %d bytes", len(r.Reason))
	}
}

func FuzzDecodeResult(f *testing.F) {
	for _, s := range []string{"", "\x00", "\x01{}", "\x02no", "null", "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		r := DecodeResult(out)
		switch {
		case r.Verdict > Deny:
			t.Fatalf("%q: %v", out, r.Verdict)
		case r.Verdict == Deny && (r.Reason == "" || len(r.Reason) > MaxReason || !utf8.ValidString(r.Reason) || r.Payload != nil):
			t.Fatalf("%q: %+v", out, r)
		case r.Verdict != Deny && r.Reason != "":
			t.Fatalf("%q: %+v", out, r)
		case len(r.Payload) > len(out):
			t.Fatalf("%q: payload %q", out, r.Payload)
		}
	})
}
