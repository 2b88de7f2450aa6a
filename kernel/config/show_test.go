package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const everything = `storage = "mem:"
[workspace]
mode = "guided"
[security.policy]
denied_hosts = ["a \" \\ \t\n\u001b[31m\u202e.com", "ü"]
require_approval_for_delete = false
[budget]
session_max_usd = 50
[budget.tariff]
"a.com" = 1
"b.com" = 0.25
[audit]
sync = "always"
[[identity.links]]
platform = "x"
platform_user_id = "1"
astrid_user = "josh"
`

// TestShowRoundTrip: what is shown is a configuration that means the same.
func TestShowRoundTrip(t *testing.T) {
	first := world{user: everything}.load(t)
	for _, show := range []ShowOptions{{}, {Origins: true}, {Docs: true}} {
		entries, err := first.Entries("")
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := WriteTOML(&out, entries, show); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(out.String(), "\x1b\u202e") {
			t.Errorf("raw control characters:\n%s", out.String())
		}
		second := world{user: out.String()}.load(t)
		for _, k := range keys {
			a, _ := json.Marshal(strip(first.values[k.path].v))
			b, _ := json.Marshal(strip(second.values[k.path].v))
			if !bytes.Equal(a, b) {
				t.Errorf("%s: %s became %s in\n%s", k.path, a, b, out.String())
			}
		}
	}
}

// strip takes the origins out of a value.
func strip(v any) any {
	switch v := v.(type) {
	case []Item:
		return values(v)
	case []Price:
		return render(v)
	case []Link:
		out := append([]Link{}, v...)
		for i := range out {
			out[i].Origin = Origin{}
		}
		return out
	}
	return v
}

func TestShowOrigins(t *testing.T) {
	c := world{user: everything, env: map[string]string{"ASTRID_LOG_LEVEL": "warn"}}.load(t)
	entries, _ := c.Entries("")
	var out bytes.Buffer
	WriteTOML(&out, entries, ShowOptions{Origins: true})
	for _, want := range []string{
		"mode = \"guided\"  # " + c.opts.UserFile + ":3:1\n",
		"session_max_usd = 50.0  # " + c.opts.UserFile + ":8:1\n",
		"  \"ü\",  # " + c.opts.UserFile + ":5:",
		"\"b.com\" = 0.25  # " + c.opts.UserFile + ":11:2\n",
		"[[identity.links]]  # " + c.opts.UserFile + ":14:1\n",
		"level = \"warn\"  # $ASTRID_LOG_LEVEL\n",
		"  \"sudo\",  # default\n",
		"allowed_hosts = []  # default\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestShowDocs(t *testing.T) {
	entries, _ := world{}.load(t).Entries("workspace.mode")
	var out bytes.Buffer
	WriteTOML(&out, entries, ShowOptions{Docs: true})
	if want := "[workspace]\n# what needs no question: safe, guided, autonomous or yolo\nmode = \"safe\"\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestEntries(t *testing.T) {
	c := world{user: everything}.load(t)
	for section, want := range map[string]int{"": len(keys), "budget": 5, "budget.tariff": 1, "security": 12, "security.policy": 10, "storage": 1} {
		if got, err := c.Entries(section); err != nil || len(got) != want {
			t.Errorf("section %q has %d entries, %v; want %d", section, len(got), err, want)
		}
	}
	if _, err := c.Entries("budgte"); err == nil || !strings.Contains(err.Error(), "did you mean \"budget\"?") {
		t.Errorf("an unknown section: %v", err)
	}
	entries, _ := c.Entries("budget.session_max_usd")
	raw, err := json.Marshal(entries)
	if want := `[{"key":"budget.session_max_usd","value":50,"origin":{"layer":"user","name":"` + c.opts.UserFile + `","line":8,"col":1}}]`; err != nil || string(raw) != want {
		t.Errorf("JSON is %s, %v", raw, err)
	}
	if EnvVars()["ASTRID_WORKSPACE_MODE"] != "workspace.mode" {
		t.Error("the variables are not listed")
	}
}

// TestEveryKeyIsDocumented: doc.go says who reads a key.
func TestEveryKeyIsDocumented(t *testing.T) {
	raw, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		section := k.path[:strings.LastIndexByte(k.path, '.')+1]
		if !strings.Contains(string(raw), "//\t"+k.path+" ") && !strings.Contains(string(raw), "//\t"+section+"*") {
			t.Errorf("doc.go does not say what reads %s", k.path)
		}
		if k.doc == "" {
			t.Errorf("%s has no description", k.path)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", everything, "a = [[1], [\"x\"]]", "[a.b]\n[a.b.c]\n", "[[identity.links]]\n[[identity.links]]\n", "budget = {tariff = {\"a\" = 1}}",
		"security.policy.denied_hosts = ['''a''', \"b\" # ]\n]", "x = \"\"\"\n[[identity.links]]\n\"\"\"", "identity.links = [{platform=\"a\"}]", "identity.links = []"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		vals, errs := parse(Workspaces, "f", data, func(s string, _ Origin) string { return s })
		for _, err := range errs {
			if !strings.HasPrefix(err.Error(), "f:") && err.Error() != "f" {
				t.Errorf("an error without a position: %v", err)
			}
		}
		lines := bytes.Count(data, []byte("\n")) + 1
		for path, v := range vals {
			if v.origin.Line < 1 || v.origin.Line > lines || v.origin.Col < 1 {
				t.Errorf("%s is at %v of %d lines", path, v.origin, lines)
			}
			if items, ok := v.v.([]Item); ok {
				for _, it := range items {
					if it.Origin.Line < 1 || it.Origin.Line > lines {
						t.Errorf("%s: item at %v of %d lines", path, it.Origin, lines)
					}
				}
			}
		}
		c := &Config{values: defaults()}
		for _, k := range keys {
			if v, ok := vals[k.path]; ok {
				c.tighten(&k, v)
			}
		}
		c.fill()
	})
}

func TestWorkspaceIsUsersHome(t *testing.T) {
	// The project is the folder that the daemon's home lies in: ~/.astrid/config.toml is its file, and only that.
	o := world{}.options(t)
	o.WorkspaceRoot = filepath.Dir(filepath.Dir(filepath.Dir(o.UserFile)))
	o.UserFile = filepath.Join(o.WorkspaceRoot, ".astrid", "etc", "config.toml")
	old := o.workspaceFile()
	if err := os.MkdirAll(filepath.Dir(old), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, []byte("sandbox.processes = 80"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(o)
	if err != nil || c.Sandbox.Processes != 80 || len(c.Notices) != 0 {
		t.Errorf("%v, %v", err, c)
	}
}
