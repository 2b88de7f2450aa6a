package ipc

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestDecodeText: in pieces of any size a string is what it is as a whole.
func TestDecodeText(t *testing.T) {
	units := []string{"a", "é", "\U0001f600", `\n`, `\\`, `\"`, `\u0041`, `\ud83d`, `\ude00`, `\ud83d\ude00`, `\u00e9`, "u0041", "\xff"}
	rapid.Check(t, func(t *rapid.T) {
		raw := []byte(`"` + strings.Join(rapid.SliceOf(rapid.SampledFrom(units)).Draw(t, "units"), "") + `"`)
		var want string
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		got, err := decodeText(raw, rapid.IntRange(1, 20).Draw(t, "size"))
		if err != nil || got != want {
			t.Fatalf("%q %v, want %q", got, err, want)
		}
	})
}

// TestLongText: a long field is decoded, also where a pointer to it is wanted.
func TestLongText(t *testing.T) {
	long := strings.Repeat("\U0001f600\n", textPiece/4)
	quoted, err := json.Marshal(long)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		A string  `json:"a"`
		B *string `json:"b,omitempty"`
		C []byte  `json:"c,omitempty"`
	}
	if err := DecodeRecord([]byte(`{"a":`+string(quoted)+`,"b":`+string(quoted)+`}`), &r); err != nil || r.A != long || r.B == nil || *r.B != long {
		t.Error("it is decoded otherwise", err)
	}
	if err := DecodeRecord([]byte(`{"a":"","c":`+string(quoted)+`}`), &r); err == nil {
		t.Error("a long string that is no list is taken")
	}
}
