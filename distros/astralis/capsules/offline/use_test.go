package main

import "testing"

func TestUse(t *testing.T) {
	for _, c := range []struct {
		prompt string
		tools  []string // nil: not understood
		args   string   // of the first
	}{
		{"use demo", []string{"demo"}, `{}`},
		{"Please use the demo tool.", []string{"demo"}, `{}`},
		{`use demo with {"name": "Ida"}`, []string{"demo"}, `{"name":"Ida"}`},
		{`use demo with {"a": 12345678901234567890, "b": "one; then two"}`, []string{"demo"}, `{"a":12345678901234567890,"b":"one; then two"}`},
		{"use demo with {\n \"name\": \"Ida\"\n}", []string{"demo"}, `{"name":"Ida"}`},
		{`use demo with {"name": "Ida"} then list .`, []string{"demo", "list_directory"}, `{"name":"Ida"}`},
		{`use demo with {"name": }`, nil, ""},
		{`use demo with [1]`, nil, ""},
		{"use", nil, ""},
	} {
		steps, ok := parse(c.prompt)
		if ok != (c.tools != nil) || len(steps) != len(c.tools) {
			t.Errorf("%q: understood %v as %+v", c.prompt, ok, steps)
			continue
		}
		for i, s := range steps {
			if s.tool != c.tools[i] {
				t.Errorf("%q: step %d uses %s, want %s", c.prompt, i, s.tool, c.tools[i])
			}
		}
		if ok && string(steps[0].arguments()) != c.args {
			t.Errorf("%q: arguments %s, want %s", c.prompt, steps[0].arguments(), c.args)
		}
	}
}
