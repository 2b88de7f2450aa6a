package main

import (
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func world(t *testing.T) *sdktest.Host {
	h := sdktest.New(t)
	put := func(id, meta string) {
		h.WriteFile(capsules+"/"+id+"/meta.json", meta)
		h.WriteFile(capsules+"/"+id+"/Capsule.toml", "[package]\nname = \""+id+"\"\n")
	}
	put("astrid-capsule-react", `{"version":"0.1.0","imports":{"astrid":{"llm":"^1.0","session":"^1.0","context":"^1.0"}},"optional":{"astrid":["context"]}}`)
	put("astrid-capsule-session", `{"version":"0.2.0","exports":{"astrid":{"session":"1.1.0"}},"wasm_hash":"secretive"}`)
	put("broken", `{`)
	put("broken.bak", `{}`)
	h.WriteFile(wit+"/session.wit", "interface session {}")
	return h
}

func TestTools(t *testing.T) {
	h := world(t)
	for _, c := range []struct {
		tool, name string
		want       []string
		err        bool
	}{
		{"list_capsules", "", []string{`"name":"astrid-capsule-react","version":"0.1.0"`, `"name":"broken","version":"","error":`}, false},
		{"inspect_capsule", "react", []string{`[package]\nname = \"astrid-capsule-react\"`, `"llm":"^1.0"`}, false},
		{"inspect_capsule", "astrid-capsule-session", []string{`"version":"0.2.0"`}, false},
		{"inspect_capsule", "nobody", []string{"list_capsules"}, true},
		{"inspect_capsule", "../../.config", []string{"is not a name"}, true},
		{"inspect_capsule", `a\b`, []string{"is not a name"}, true},
		{"list_interfaces", "", []string{`["session.wit"]`}, false},
		{"read_interface", "session", []string{"interface session {}"}, false},
		{"read_interface", "session.wit", []string{"interface session {}"}, false},
		{"read_interface", "other", []string{"list_interfaces"}, true},
		{"read_interface", "..", []string{"is not a name"}, true},
		{"system_status", "", []string{`"capsule_count":3`, `"imports_satisfied":["astrid-capsule-react wants astrid:session ^1.0"]`,
			`"imports_unsatisfied":["astrid-capsule-react wants astrid:llm ^1.0"]`, `"exports":["astrid:session@1.1.0"]`}, false},
	} {
		r := h.CallTool(c.tool, map[string]string{"name": c.name})
		for _, want := range c.want {
			if r.IsError != c.err || !strings.Contains(r.Content, want) {
				t.Errorf("%s %s: %+v, want %s", c.tool, c.name, r, want)
			}
		}
		if strings.Contains(r.Content, "secretive") || strings.Contains(r.Content, ".bak") {
			t.Errorf("%s %s: %s", c.tool, c.name, r.Content)
		}
	}
	empty := sdktest.New(t)
	if r := empty.CallTool("system_status", nil); r.IsError || !strings.Contains(r.Content, `"capsule_count":0`) {
		t.Errorf("%+v", r)
	}
}
