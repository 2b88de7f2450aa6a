package capsule

import (
	"strings"
	"testing"
)

// TestProgramsFromASetting: what may run is what the person wrote into it, line by line.
func TestProgramsFromASetting(t *testing.T) {
	c := Capabilities{HostProcess: []string{"git status", "{{ servers }}"}}
	for value, want := range map[string]string{
		"": "git status",
		"# none\n\n a: ./srv  --x  y:z \r\nb:/usr/bin/db": "git status|./srv --x y:z|/usr/bin/db",
	} {
		got, err := c.ResolveProcess(map[string]string{"servers": value})
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%q: %q %v", value, got, err)
		}
	}
	for _, bad := range []string{"srv", "a b: srv", "a:", "ok: srv\nbad"} {
		if got, err := c.ResolveProcess(map[string]string{"servers": bad}); err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%q: %q %v", bad, got, err)
		}
	}
	for value, want := range map[string]string{"a: ./srv x\nb: db": "./srv x and db by the setting servers", "": "{{ servers }}, which is not set", "bad": "{{ servers }}, which is not set"} {
		if got := ProcessText("{{ servers }}", map[string]string{"servers": value}); got != want {
			t.Errorf("%q", got)
		}
	}
	for entry, says := range map[string]string{"{{ nothing }}": "no [env.nothing]", "x {{ servers }}": "whole entry", "{{ key }}": "must be shown"} {
		_, err := ParseManifest("Capsule.toml", []byte("[package]\nname = \"x\"\nversion = \"1.0.0\"\n[capabilities]\nhost_process = [\""+entry+"\"]\n"+
			"[env]\nservers = { type = \"string\" }\nkey = { type = \"secret\" }\n"))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", entry, err)
		}
	}
}
