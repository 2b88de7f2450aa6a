package distro

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

func mini(t *testing.T) *Manifest {
	t.Helper()
	m, err := Load("testdata/mini.toml")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParse(t *testing.T) {
	m := mini(t)
	if m.Info.Title() != "Mini" || m.Info.Version.String() != "0.1.0" || len(m.Capsules) != 4 {
		t.Errorf("%+v", m)
	}
	if len(m.Requires) != 1 || m.Requires[0].Interface.String() != "astrid/llm" || m.Requires[0].Requirement.String() != "^1.0" {
		t.Errorf("requires %+v", m.Requires)
	}
	if !m.Variables["key"].Secret || m.Variables["url"].Default != "https://example.invalid" {
		t.Errorf("variables %+v", m.Variables)
	}
	if _, err := LoadFS(os.DirFS("testdata"), "mini.toml"); err != nil {
		t.Error(err)
	}
}

func TestParseRefuses(t *testing.T) {
	data, err := os.ReadFile("testdata/mini.toml")
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	tests := []struct{ name, old, new, want string }{
		{"syntax", "[distro]", "[distro", "mini.toml:4"},
		{"misspelt key", `name = "Mini"`, `nmae = "Mini"`, `did you mean "name"?`},
		{"schema", "schema-version = 1", "schema-version = 2", "mini.toml:1: schema-version: version 2"},
		{"no schema", "schema-version = 1", "", `missing required key "schema-version"`},
		{"id", `id = "mini"`, `id = "Mini"`, "mini.toml:4: distro.id"},
		{"id with path", `id = "mini"`, `id = "../x"`, "distro.id"},
		{"version", `version = "0.1.0"` + "\nrelease", `version = "1"` + "\nrelease", "distro.version"},
		{"runtime syntax", ">=0.5.0", ">=", "distro.astrid-version"},
		{"runtime", ">=0.5.0", ">=9", "needs Astrid >=9"},
		{"requires", `llm = "^1.0"`, `llm = "one"`, "distro.requires.astrid.llm"},
		{"name", `name = "user"`, `name = "../user"`, "capsule[3].name"},
		{"twice", `name = "user"`, `name = "cli"`, "listed twice"},
		{"no uplink", `role = "uplink"`, "", "no client could connect"},
		{"unknown role", `role = "uplink"`, `role = "upstream"`, "capsule[0].role"},
		{"entry version", `source = "./user"` + "\n" + `version = "0.1.0"`, `source = "./user"` + "\n" + `version = "latest"`, "capsule[3].version"},
		{"undefined variable", "{{url}}", "{{ul}}", `did you mean "url"?`},
		{"unclosed template", "{{url}}", "{{url", "a template is written"},
		{"empty template", "{{url}}", "{{ }}", "a template is written"},
		{"number in env", `mode = "fast"`, `mode = 1`, "want a string"},
		{"variable name", "temperature = { d", `"a b" = { d`, "variable name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(good, tt.old, tt.new, 1)
			if text == good {
				t.Fatal("nothing was replaced")
			}
			_, err := Parse("mini.toml", []byte(text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to mention %q", err, tt.want)
			}
		})
	}
	if _, err := Parse("x", []byte("schema-version = 1\n[distro]\nid = \"a\"\nname = \"A\"\nversion = \"1.0.0\"\n")); err == nil || !strings.Contains(err.Error(), "no [[capsule]]") {
		t.Error(err)
	}
}

func TestSelect(t *testing.T) {
	m := mini(t)
	tests := []struct {
		name   string
		groups map[string][]string
		want   []string
		err    string
	}{
		{"first by default", nil, []string{"cli", "my-llm", "user"}, ""},
		{"other", map[string][]string{"llm": {"other-llm"}}, []string{"cli", "other-llm", "user"}, ""},
		{"both, repeated, in file order", map[string][]string{"llm": {"other-llm", "my-llm", "other-llm"}}, []string{"cli", "my-llm", "other-llm", "user"}, ""},
		{"none", map[string][]string{"llm": {}}, nil, "at least one"},
		{"not a member", map[string][]string{"llm": {"cli"}}, nil, `"cli" is not one of`},
		{"no such group", map[string][]string{"tools": {"x"}}, nil, "no group"},
	}
	for _, tt := range tests {
		entries, err := m.Select(Answers{Groups: tt.groups})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name)
		}
		if err != nil || !slices.Equal(names, tt.want) {
			t.Errorf("%s: %v %v", tt.name, names, err)
		}
	}
	if g := m.Groups(); len(g) != 1 || !slices.Equal(g[0].Members, []string{"my-llm", "other-llm"}) {
		t.Errorf("groups %+v", g)
	}
}

func TestVariables(t *testing.T) {
	m := mini(t)
	entries, _ := m.Select(Answers{})
	if got := m.VariablesOf(entries); !slices.Equal(got, []string{"key", "temperature", "url"}) {
		t.Errorf("asks for %v", got)
	}
	entries, _ = m.Select(Answers{Groups: map[string][]string{"llm": {"other-llm"}}})
	if got := m.VariablesOf(entries); !slices.Equal(got, []string{"url"}) {
		t.Errorf("asks for %v of capsules that are not selected", got)
	}
	if err := m.CheckAnswers(Answers{Variables: map[string]string{"kye": "x"}}); err == nil || !strings.Contains(err.Error(), `"key"`) {
		t.Error(err)
	}
}

func TestEnv(t *testing.T) {
	m := mini(t)
	entry := func(env map[string]string) Entry { return Entry{Name: "x", Env: env} }
	tests := []struct {
		name    string
		env     map[string]string
		answers map[string]string
		want    map[string]string
		err     string
	}{
		{"literal", map[string]string{"a": "fast"}, nil, map[string]string{"a": "fast"}, ""},
		{"answer", map[string]string{"a": "{{ url }}"}, map[string]string{"url": " https://x "}, map[string]string{"a": "https://x"}, ""},
		{"default", map[string]string{"a": "{{url}}"}, map[string]string{"url": "  "}, map[string]string{"a": "https://example.invalid"}, ""},
		{"any spacing", map[string]string{"a": "{{   url}}"}, map[string]string{"url": "u"}, map[string]string{"a": "u"}, ""},
		{"two in one text", map[string]string{"a": "{{key}}@{{url}}"}, map[string]string{"key": "k", "url": "u"}, map[string]string{"a": "k@u"}, ""},
		{"values are not templates", map[string]string{"a": "{{key}}"}, map[string]string{"key": "{{url}}"}, map[string]string{"a": "{{url}}"}, ""},
		{"unanswered alone", map[string]string{"a": "{{ temperature }}", "b": "1"}, nil, map[string]string{"b": "1"}, ""},
		{"unanswered within text", map[string]string{"a": "t={{ temperature }}"}, nil, nil, "temperature has no value"},
	}
	for _, tt := range tests {
		got, err := m.Env(entry(tt.env), Answers{Variables: tt.answers})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err != nil || !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v %v", tt.name, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/mini.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse("x", data)
		if err != nil {
			return
		}
		entries, err := m.Select(Answers{})
		if err != nil {
			t.Fatalf("a valid distro has no default selection: %v", err)
		}
		m.VariablesOf(entries)
	})
}
