package ipc

import (
	"fmt"
	"strings"
	"testing"
)

func TestRepeatedNames(t *testing.T) {
	// More members than are compared one by one, the repeated one at different distances.
	for n := range 40 {
		for at := range n {
			var b strings.Builder
			b.WriteByte('{')
			for i := range n {
				fmt.Fprintf(&b, `"k%d":0,`, i)
			}
			distinct := b.String()[:b.Len()-1] + "}"
			if s, err := scan([]byte(distinct)); err != nil || s.repeated || len(s.members) != n {
				t.Fatalf("%s: %v", distinct, err)
			}
			repeated := fmt.Sprintf(`%s"\u006b%d":1}`, b.String(), at)
			p, err := ClassifyPayload([]byte(repeated))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(p.Guest()); strings.Count(got, fmt.Sprintf(`"k%d":`, at)) != 1 || !strings.Contains(got, fmt.Sprintf(`"k%d":1`, at)) {
				t.Fatalf("%s became %s", repeated, got)
			}
		}
	}
	for in, want := range map[string]bool{
		`{"a":{"b":1},"b":{"b":1}}`:    false, // different objects
		`{"a":[{"b":1,"c":2,"b":3}]}`:  true,
		`{"":1,"":2}`:                  true,
		`{"\ud83d\ude00":1,"😀":2}`:     true,
		`{"a\tb":1,"a\u0009b":2}`:      true,
		`{"a":1,"A":2}`:                false,
		`{"\"\\\/\b\f\n\r\t":1,"a":1}`: false,
	} {
		if s, err := scan([]byte(in)); err != nil || s.repeated != want {
			t.Errorf("%s: repeated %v, %v", in, s.repeated, err)
		}
	}
}

// A hostile object must not cost more than its size.
func TestManyMembers(t *testing.T) {
	var b strings.Builder
	b.WriteByte('{')
	for i := range 200_000 {
		fmt.Fprintf(&b, `"key%d":%d,`, i, i)
	}
	b.WriteString(`"type":"raw_json"}`)
	p, err := ClassifyPayload([]byte(b.String()))
	if err != nil || p.Tag() != "raw_json" {
		t.Fatal(p.Tag(), err)
	}
}

func TestQueueFullErrorText(t *testing.T) {
	err := &QueueFullError{Topic: "a.b", Owners: []string{"one", "two"}}
	if got := err.Error(); !strings.HasPrefix(got, "a.b: queue of one, two is full") {
		t.Error(got)
	}
}
