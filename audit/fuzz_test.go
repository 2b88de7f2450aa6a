package audit

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

// FuzzDecodeLine: whatever decodes is one line of JSON and encodes to the same bytes.
func FuzzDecodeLine(f *testing.F) {
	a, b, h := vectors(f)
	for _, l := range [][]byte{a.Line(), b.Line(), h} {
		f.Add(l[:len(l)-sigLen], []byte(nil))
		f.Add(l, []byte("}"))
	}
	f.Fuzz(func(t *testing.T, body, tail []byte) {
		// The mutator would hardly ever hit upon the form of a signature.
		line := append(appendSig(bytes.Clone(body), make([]byte, 64)), tail...)
		e, err := DecodeLine(line)
		if err != nil {
			return
		}
		e.line = nil
		if got := e.Line(); !bytes.Equal(got, line) {
			t.Fatalf("decoded\n %q\nencodes to\n %q", line, got)
		}
		if !json.Valid(line) || bytes.ContainsAny(line, "\n\x00") {
			t.Fatalf("not one line of JSON: %q", line)
		}
	})
}

// FuzzEncode: each draft that is accepted reads back as it was.
func FuzzEncode(f *testing.F) {
	f.Add("s", "fs:read:///a", "why", []byte(`{"a":[1,"}"]}`), 0.5)
	f.Add("\xff\x00", "\u2028\"\\", "\n", []byte(`{"\u0000":{}}`), 1e300)
	f.Fuzz(func(t *testing.T, session, resource, reason string, data []byte, cost float64) {
		d, err := Draft{Session: session, Resource: resource, Reason: reason, Data: data, CostUSD: &cost,
			Verdict: Deny, Layer: "policy", Action: "fs_read"}.normalize()
		if err != nil {
			return
		}
		e := Entry{Draft: d, ID: mintID(time.Unix(1, 5), ID{}), Seq: 7, Time: time.Unix(1, 5).UTC(), Principal: "p"}
		got, err := DecodeLine(e.Line())
		if err != nil {
			t.Fatalf("%v: %s", err, e.Line())
		}
		if got.Session != d.Session || got.Resource != d.Resource || got.Reason != d.Reason || !bytes.Equal(got.Data, d.Data) || !got.Time.Equal(e.Time) || *got.CostUSD != cost && cost != 0 {
			t.Fatalf("%+v read back as %+v", e, got)
		}
	})
}

// FuzzDecodeHead: whatever decodes encodes to the same bytes, but for the newline.
func FuzzDecodeHead(f *testing.F) {
	_, b, h := vectors(f)
	f.Add(h)
	f.Add(b.Line())
	f.Add([]byte(`{"v":2,"head":`))
	f.Fuzz(func(t *testing.T, line []byte) {
		h, err := DecodeHead(line)
		if err == nil && !bytes.Equal(h.line(), bytes.TrimSuffix(line, []byte("\n"))) {
			t.Fatalf("decoded\n %q\nencodes to\n %q", line, h.line())
		}
		newestSlot(line)
	})
}
