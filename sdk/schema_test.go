package sdk

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

type inner struct {
	A string `json:"a"`
	B uint16 `json:"b,omitempty"`
}

type embedded struct {
	inner
	C []inner `json:"c" desc:"several \"things\""`
}

type tree struct {
	Children []tree `json:"children"`
}

func documentOf[A any](t *testing.T) string {
	t.Helper()
	s, err := schemaOf[A]()
	if err != nil {
		t.Fatal(err)
	}
	doc := s.document(false)
	if !json.Valid(doc) {
		t.Fatalf("not JSON: %s", doc)
	}
	body := strings.TrimPrefix(string(doc), `{"$schema":"http://json-schema.org/draft-07/schema#",`)
	return strings.TrimSuffix(body, `,"mutable":false}`)
}

func TestSchema(t *testing.T) {
	for _, tt := range []struct{ name, got, want string }{
		{"none", documentOf[struct{}](t), `"type":"object","properties":{}`},
		{"title", documentOf[inner](t), `"title":"inner","type":"object","required":["a"],"properties":{"a":{"type":"string"},` +
			`"b":{"type":["integer","null"],"format":"uint16","minimum":0}}`},
		{"embedded", documentOf[embedded](t), `"title":"embedded","type":"object","required":["a","c"],"properties":{"a":{"type":"string"},` +
			`"b":{"type":["integer","null"],"format":"uint16","minimum":0},"c":{"type":"array","items":{"type":"object","required":["a"],` +
			`"properties":{"a":{"type":"string"},"b":{"type":["integer","null"],"format":"uint16","minimum":0}}},"description":"several \"things\""}}`},
		{"recursive", documentOf[tree](t), `"title":"tree","type":"object","required":["children"],"properties":{"children":{"type":"array","items":{}}}`},
		{"plain types", documentOf[struct {
			A bool
			B float64
			C int64
			D map[string]string `json:",omitempty"`
			E json.RawMessage
			F time.Time
			G []byte
			H any
			i int
			J string `json:"-"`
		}](t), `"type":"object","required":["A","B","C","E","F","G","H"],"properties":{"A":{"type":"boolean"},"B":{"type":"number","format":"double"},` +
			`"C":{"type":"integer","format":"int64"},"D":{"type":["object","null"],"additionalProperties":{"type":"string"}},"E":{},` +
			`"F":{"type":"string","format":"date-time"},"G":{"type":"string","format":"byte"},"H":{}}`},
		{"enums", documentOf[struct {
			A string   `json:"a" enum:"x,y"`
			B *string  `json:"b" enum:"z"`
			C []string `json:"c" enum:"x"`
		}](t), `"type":"object","required":["a","c"],"properties":{"a":{"type":"string","enum":["x","y"]},` +
			`"b":{"type":["string","null"],"enum":["z",null]},"c":{"type":"array","items":{"type":"string","enum":["x"]}}}`},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, tt.got, tt.want)
		}
	}
}

func TestSchemaRefusals(t *testing.T) {
	for _, tt := range []struct {
		fn   func() (*schema, error)
		want string
	}{
		{schemaOf[string], "arguments must be a struct, not string"},
		{schemaOf[struct{ C chan int }], "field C: chan int cannot be an argument"},
		{schemaOf[struct{ M map[int]string }], "field M: map[int]string: keys of a map must be text"},
		{schemaOf[struct {
			N int `enum:"1,2"`
		}], "field N: enum is for text, not for int"},
	} {
		if _, err := tt.fn(); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

type searchArgs struct {
	Path  string            `json:"path"`
	Line  *int              `json:"line,omitempty"`
	Mode  string            `json:"mode,omitempty" enum:"fast,slow"`
	Edits []inner           `json:"edits,omitempty"`
	Env   map[string]string `json:"env,omitempty"`
	Any   json.RawMessage   `json:"any,omitempty"`
}

func searchTool() *tool { return &tool{name: "search", shape: schemaOf[searchArgs]} }

func TestDecode(t *testing.T) {
	tool := searchTool()
	for _, tt := range []struct{ args, err string }{
		{`{"path":"a"}`, ""},
		{`{"path":"a","unknown":1}`, ""},
		{`{"path":"a","line":null,"mode":null,"edits":null,"env":null,"any":null}`, ""},
		{`{"path":"a","line":3,"mode":"fast","edits":[{"a":"x","b":2}],"env":{"K":"v"},"any":[1]}`, ""},
		{``, `argument "path" is missing`},
		{`null`, `argument "path" is missing`},
		{`{"Path":"a"}`, `argument "Path" must be spelled "path"`},
		{`{"path":"a","MODE":"medium"}`, `argument "MODE" must be spelled "mode"`},
		{`{"path":"a","edits":[{"a":"x","B":1}]}`, `argument "edits[0].B" must be spelled "b"`},
		{`{"path":null}`, `argument "path" must be a string, not null`},
		{`{"path":5}`, `argument "path" must be a string, not number`},
		{`[]`, `arguments must be an object, not array`},
		{`{"path":"a","line":"3"}`, `argument "line" must be an integer, not string`},
		{`{"path":"a","line":3.5}`, `argument "line": number 3.5 does not fit int`},
		{`{"path":"a","mode":"medium"}`, `argument "mode" must be one of fast, slow, not "medium"`},
		{`{"path":"a","edits":[{"a":"x"},{}]}`, `argument "edits[1].a" is missing`},
		{`{"path":"a","edits":[{"a":"x","b":70000}]}`, `argument "edits.b": number 70000 does not fit uint16`},
		{`{"path":"a","edits":{}}`, `argument "edits" must be an array, not object`},
		{`{"path":"a","env":{"K":1}}`, `argument "env.K" must be a string, not number`},
	} {
		var args searchArgs
		err := tool.decode(json.RawMessage(tt.args), &args)
		if got := text(err); got != tt.err {
			t.Errorf("%s: got %s, want %s", tt.args, got, tt.err)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Whatever a model sends, decoding ends with arguments that fit or an error, and what
// json.Unmarshal refuses is never taken.
func FuzzDecode(f *testing.F) {
	f.Add(`{"path":"a","edits":[{"a":"x"}],"env":{"a":"b"}}`)
	f.Add(`{"path":null,"line":1e400}`)
	f.Add(`{"path"`)
	f.Add(`{"path":"a","Mode":"medium"}`)
	tool := searchTool()
	f.Fuzz(func(t *testing.T, raw string) {
		var a, b searchArgs
		err := tool.decode(json.RawMessage(raw), &a)
		plain := json.Unmarshal([]byte(raw), &b)
		if err == nil && plain != nil && strings.TrimSpace(raw) != "" {
			t.Fatalf("taken: %q, although %v", raw, plain)
		}
		if err == nil && a.Mode != "" && a.Mode != "fast" && a.Mode != "slow" {
			// A repeated key is decoded to its last value by both passes, so the enum holds.
			t.Fatalf("mode %q was taken from %q", a.Mode, raw)
		}
	})
}
