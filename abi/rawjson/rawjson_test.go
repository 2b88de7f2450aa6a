package rawjson

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// taken takes a value apart to the last piece, as encoding/json decodes it.
func taken(b []byte) (any, error) {
	b = []byte(strings.TrimSpace(string(b)))
	if len(b) == 0 {
		return nil, errEnd
	}
	switch b[0] {
	case '{':
		m := map[string]any{}
		err := Object(b, func(name string, value json.RawMessage) error {
			v, err := taken(value)
			m[name] = v
			return err
		})
		return m, err
	case '[':
		a := []any{}
		err := Array(b, func(value json.RawMessage) error {
			v, err := taken(value)
			a = append(a, v)
			return err
		})
		return a, err
	case '"':
		return Text(b)
	}
	var v any
	err := json.Unmarshal(b, &v)
	return v, err
}

// FuzzTaken: what is well-formed is taken apart as encoding/json decodes it, and nothing makes it panic.
func FuzzTaken(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `null`, ` { "a" : [ 1 , "b\\\"c" , { } , [ ] , null ] , "d\u00e9" : -1.5e3 } `, `"\ud83d\ude00 \ud83d x \ude00 \u0000"`, "\"\xff\"",
		`{"a":"]}","b":"\\","c":{"d":"{["}}`, `[[[[]]]]`, `{"a"`, `{"a":}`, `[1,]`, `[,1]`, `"abc`, `"\`, `"\u12`, `{"a":1}x`, `[1 2]`, `}`, ``, `{1:2}`, `"\ud83d\u0041"`, `"\ud83d\ud83d\ude00"`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := taken([]byte(s))
		var want any
		if json.Unmarshal([]byte(s), &want) != nil {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %#v, want %#v", s, got, want)
		}
	})
}

// FuzzText: what is written is read the same, by others too.
func FuzzText(f *testing.F) {
	f.Add("plain ü 🚀 \" \\ / \b\f\n\r\t\x00\x1f\x7f\u2028 <&> \xff\xc3")
	f.Fuzz(func(t *testing.T, s string) {
		b := AppendText(nil, s)
		var theirs string
		if err := json.Unmarshal(b, &theirs); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		ours, err := Text(b)
		if want := string([]rune(s)); err != nil || ours != want || theirs != want {
			t.Fatalf("%q: %q and %q (%v)", s, ours, theirs, err)
		}
	})
}

// Broken JSON is an error where it is noticed, and nothing is made up.
func TestBroken(t *testing.T) {
	none := func(string, json.RawMessage) error { return nil }
	for _, s := range []string{``, `{`, `[]`, `{"a"}`, `{"a":}`, `{"a":1`, `{"a":1,}`, `{"a":1}}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":"b}`, `{"a":[}`} {
		if err := Object([]byte(s), none); err == nil {
			t.Errorf("%q is an object", s)
		}
	}
	for _, s := range []string{``, `[`, `{}`, `[1`, `[,]`, `[1,]`, `[1]]`, `["a]`, `[:]`} {
		if err := Array([]byte(s), func(json.RawMessage) error { return nil }); err == nil {
			t.Errorf("%q is an array", s)
		}
	}
	for _, s := range []string{``, `a`, `"`, `"\"`, `"\q"`, `"\u12"`, `"\uxyzw"`, `"a"b`, `null`} {
		if _, err := Text([]byte(s)); err == nil {
			t.Errorf("%q is a string", s)
		}
	}
}

func TestWith(t *testing.T) {
	for object, want := range map[string]string{`{}`: `{"n":[1]}`, `{ }`: `{ "n":[1]}`, `{"a":{}}`: `{"a":{},"n":[1]}`, "{\"a\":1 }\n": `{"a":1 ,"n":[1]}`} {
		if got := string(With([]byte(object), "n", []byte(`[1]`))); got != want || !json.Valid([]byte(got)) {
			t.Errorf("%q: %s", object, got)
		}
	}
}
