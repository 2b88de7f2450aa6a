package ipc

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

type exampleRecord struct {
	Text string            `json:"text"`
	N    uint64            `json:"n,omitempty"`
	List []string          `json:"list,omitempty"`
	Map  map[string]string `json:"map,omitempty"`
	Ptr  *string           `json:"ptr,omitempty"`
	Any  json.RawMessage   `json:"any,omitempty"`
	Cost float64           `json:"cost,omitempty"`
	Yes  bool              `json:"yes,omitempty"`
	skip string
	No   string
}

func TestDecodeRecord(t *testing.T) {
	var r exampleRecord
	if err := DecodeRecord([]byte(" {\"text\":\"a\\u00e9\\ud83d\\ude00\",\"n\":7,\"list\":[\"x\"],\"map\":{\"Text\":\"y\"},\"ptr\":null,\"any\":null,\"cost\":1e2,\"yes\":true,\"later\":{\"a\":[1]},\"Text\":7}\n"), &r); err != nil {
		t.Fatal(err)
	}
	if r.Text != "aé😀" || r.N != 7 || len(r.List) != 1 || r.Map["Text"] != "y" || r.Ptr != nil || string(r.Any) != "null" || r.Cost != 100 || !r.Yes || r.No != "" || r.skip != "" {
		t.Errorf("%+v", r)
	}
	for in, want := range map[string]string{
		``: "no value", `null`: "want an object", `[]`: "want an object", `"x"`: "want an object", `{}`: "text is missing", `{"Text":"a"}`: "text is missing",
		`{"text":"a"}{}`: "text after", "\ufeff{\"text\":\"a\"}": "no value", `{"text":"a",}`: "no name",
		`{"text":"a","text":"a"}`: "twice", `{"text":"a","x":{"y":1,"y":2}}`: "twice", `{"text":"a","te\u0078t":"b"}`: "twice",
		`{"text":null}`: "must not be null", `{"text":"a","list":null}`: "list must not be null", `{"text":7}`: "text must be a string",
		`{"text":"a","n":7.0}`: "n must be an integer", `{"text":"a","n":7e0}`: "n must be an integer", `{"text":"a","n":"7"}`: "n must be an integer",
		`{"text":"a","n":-1}`: "n must be an integer", `{"text":"a","n":18446744073709551616}`: "n must be an integer", `{"text":"a","cost":1e999}`: "out of range",
		`{"text":"a","list":["x",1]}`: "a list, each element a string", `{"text":"a","map":{"x":1}}`: "an object, each value a string", `{"text":"a","yes":1}`: "true or false",
		"{\"text\":\"\xff\"}": "not UTF-8", `{"text":"\ud800"}`: "surrogate", "{\"text\":\"a\nb\"}": "control character",
		`{"text":"a","any":` + strings.Repeat("[", 127) + strings.Repeat("]", 127) + `}`: "more than 127 levels",
	} {
		var r exampleRecord
		err := DecodeRecord([]byte(in), &r)
		if err == nil {
			t.Errorf("%.60q was read: %+v", in, r)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want …%s…", in, err, want)
		}
	}
	if err := DecodeRecord([]byte(`{"text":"a","any":`+strings.Repeat("[", 126)+strings.Repeat("]", 126)+`}`), &r); err != nil {
		t.Errorf("127 levels: %v", err)
	}
	// What is kept does not change with the guest's memory.
	raw := []byte(`{"text":"a","any":[1]}`)
	if err := DecodeRecord(raw, &r); err != nil {
		t.Fatal(err)
	}
	clear(raw)
	if string(r.Any) != "[1]" || r.Text != "a" {
		t.Errorf("%+v", r)
	}
}

// FuzzDecodeRecord: whatever is read is strict JSON, means the same to encoding/json, and errors show no value.
func FuzzDecodeRecord(f *testing.F) {
	for _, s := range []string{`{"text":"a"}`, `{"text":"a","n":7,"list":["x"],"map":{"a":"b"},"ptr":"p","any":{"x":[1,null]},"cost":0.5,"yes":true}`, `{"text":"a","text":"b"}`, `{"TEXT":"a","text":"b"}`, "\ufeff{}", `{"text":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r exampleRecord
		if err := DecodeRecord(raw, &r); err != nil {
			return
		}
		if !json.Valid(raw) || !utf8.Valid(raw) {
			t.Fatalf("%q was read", raw)
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		var text string
		if err := json.Unmarshal(m["text"], &text); err != nil || text != r.Text {
			t.Errorf("%q: text is %q, encoding/json has %q (%v)", raw, r.Text, text, err)
		}
	})
}
