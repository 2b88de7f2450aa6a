package config

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestWorkspaceTightens lays a project's setting over a user's. then is the value in force; notice is part of what the user is told, "" if nothing.
func TestWorkspaceTightens(t *testing.T) {
	for _, c := range []struct{ key, user, ws, then, notice string }{
		{"workspace.mode", `"guided"`, `"safe"`, `"safe"`, ""},
		{"workspace.mode", `"guided"`, `"guided"`, `"guided"`, ""},
		{"workspace.mode", `"guided"`, `"yolo"`, `"guided"`, `"yolo" is less strict than the "guided" in force`},
		{"workspace.mode", "", `"autonomous"`, `"safe"`, "(default)"},
		{"workspace.hard_links", "", `"none"`, `"none"`, ""},
		{"workspace.hard_links", "", `"all"`, `"public"`, `"all" is less strict than the "public" in force`},
		{"sandbox.cpu_secs", "60", "30", "30", ""},
		{"sandbox.cpu_secs", "60", "61", "60", "61 is more than the 60 in force"},
		{"budget.session_max_usd", "50.0", "20.5", "20.5", ""},
		{"budget.session_max_usd", "50.0", "5000", "50.0", "5000 is more than the 50 in force"}, // written as an integer
		{"budget.per_action_max_usd", "", "11", "10.0", "11 is more"},
		{"budget.workspace_max_usd", "", "30", "30.0", ""},
		{"budget.workspace_max_usd", "30", "0", "30.0", "0 is no limit"},
		{"budget.workspace_max_usd", "30", "31", "30.0", "31 is more"},
		{"budget.workspace_max_usd", "0", "0", "0.0", ""},
		{"security.policy.max_argument_size", "0", "5", "5", ""},
		{"security.policy.max_argument_size", "5", "0", "5", "0 is no limit"},
		{"security.policy.require_approval_for_delete", "false", "true", "true", ""},
		{"security.policy.require_approval_for_delete", "false", "false", "false", ""}, // saying what is so does not switch it on
		{"security.policy.require_approval_for_delete", "true", "false", "true", "true is in force"},
		{"security.policy.require_approval_for_network", "", "false", "true", "true is in force"},
		{"security.policy.denied_hosts", `["a"]`, `["b", "a", "b"]`, `["a" "b"]`, ""},
		{"security.policy.denied_hosts", `["a"]`, `[]`, `["a"]`, ""},
		{"security.policy.blocked_capsules", `["a"]`, `["b"]`, `["a" "b"]`, ""},
		{"security.policy.allowed_hosts", `["a", "b"]`, `["b"]`, `["b"]`, ""},
		{"security.policy.allowed_hosts", `["a", "b"]`, `["b", "c"]`, `["b"]`, `"c" is not in the list in force`},
		{"security.policy.allowed_hosts", `["a", "b"]`, `["c"]`, `["a" "b"]`, `"c" is not in the list in force`},
		{"security.policy.allowed_hosts", `["a"]`, `[]`, `["a"]`, "an empty list allows everything"},
		{"security.policy.allowed_hosts", "", `["a"]`, `["a"]`, ""}, // no list allowed everything
		{"security.policy.allowed_paths", `["/a/**"]`, `["/a/**", "/**"]`, `["/a/**"]`, `"/**" is not in`},
		{"budget.tariff", `{"a.com" = 0.5}`, `{"a.com" = 0.1, "b.com" = 1}`, "a.com=0.5 b.com=1", "0.1 for a.com is less than the 0.5 in force"},
		{"budget.tariff", `{"a.com" = 0.5}`, `{"a.com" = 2}`, "a.com=2", ""},
		{"security.approval_timeout_secs", "60", "30", "60", "a workspace cannot set it"}, // what follows is about the whole daemon
		{"audit.sync", `"group"`, `"always"`, `"group"`, "a workspace cannot set it"},
		{"http.timeout_secs", "10", "5", "10", "a workspace cannot set it"},
		{"limits.guest_memory_mb", "", "1", "64", "a workspace cannot set it"},
		{"storage", "", `"bolt:/tmp/x"`, `""`, "a workspace cannot set it"},
		{"logging.level", "", `"error"`, `"info"`, "a workspace cannot set it"},
		{"logging.retention_days", "", "1", "7", "a workspace cannot set it"},
	} {
		w := world{workspace: c.key + " = " + c.ws}
		if c.user != "" {
			w.user = c.key + " = " + c.user
		}
		got := w.load(t)
		if s := render(got.values[c.key].v); s != c.then {
			t.Errorf("%s: %s over %q is %s, want %s", c.key, c.ws, c.user, s, c.then)
		}
		switch notices := fmt.Sprint(got.Notices); {
		case c.notice == "" && len(got.Notices) > 0:
			t.Errorf("%s: %s over %q: told %s", c.key, c.ws, c.user, notices)
		case c.notice != "" && (len(got.Notices) != 1 || !strings.Contains(notices, c.notice) || !strings.Contains(notices, "has no effect") ||
			!strings.Contains(notices, "ws/.astrid/config.toml:1:")):
			t.Errorf("%s: %s over %q: told %s, want %q", c.key, c.ws, c.user, notices, c.notice)
		}
	}
}

func render(v any) string {
	switch v := v.(type) {
	case []Item:
		var s []string
		for _, it := range v {
			s = append(s, fmt.Sprintf("%q", it.Value))
		}
		return "[" + strings.Join(s, " ") + "]"
	case []Price:
		var s []string
		for _, p := range v {
			s = append(s, fmt.Sprintf("%s=%v", p.Host, p.USD))
		}
		return strings.Join(s, " ")
	case string:
		return fmt.Sprintf("%q", v)
	case float64:
		return float(v)
	}
	return fmt.Sprint(v)
}

// TestWorkspaceOrigins: what the project set is the project's, what it could not set is not.
func TestWorkspaceOrigins(t *testing.T) {
	c := world{
		user:      "[workspace]\nmode = \"guided\"\n[security.policy]\ndenied_hosts = [\"a\"]\n",
		workspace: "[workspace]\nmode = \"yolo\"\n[security.policy]\ndenied_hosts = [\"b\"]\n",
	}.load(t)
	if o := c.Origin("workspace.mode"); o.Layer != User {
		t.Errorf("the mode comes from %v", o)
	}
	d := c.Security.Policy.DeniedHosts
	if len(d) != 2 || d[0].Origin.Layer != User || d[1].Origin.Layer != Workspaces || d[1].Origin.Line != 4 {
		t.Errorf("denied hosts are %+v", d)
	}
}

// TestWorkspaceLinks: a cloned repository must not bind an account to root.
func TestWorkspaceLinks(t *testing.T) {
	c := world{workspace: "[[identity.links]]\nplatform = \"x\"\nplatform_user_id = \"1\"\nastrid_user = \"root\"\n"}.load(t)
	if len(c.Identity.Links) != 0 || len(c.Notices) != 1 {
		t.Errorf("links %v, notices %v", c.Identity.Links, c.Notices)
	}
}

// TestEveryKeyTightens tries random pairs on every number, word and switch: a project's file never gets more than is in force.
func TestEveryKeyTightens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		k := rapid.SampledFrom(keys).Draw(rt, "key")
		draw := func(name string) (any, bool) {
			switch k.kind {
			case whole:
				return rapid.Int64Range(0, 10).Draw(rt, name), true
			case number:
				return float64(rapid.IntRange(0, 10).Draw(rt, name)), true
			case flag:
				return rapid.Bool().Draw(rt, name), true
			case list:
				return itemsAt(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3).Draw(rt, name), Origin{}), true
			}
			return nil, false
		}
		b, ok := draw("base")
		w, _ := draw("workspace")
		if !ok || k.tighten == nil {
			return
		}
		base, ws := value{v: b}, value{v: w}
		got, refused := k.tighten(base, ws)
		again, second := k.tighten(got, ws)
		if render(again.v) != render(got.v) || second != "" && refused == "" {
			rt.Fatalf("%s: %v over %v is %v, then %v", k.path, w, b, got.v, again.v)
		}
		if !permits(k, b, got.v) {
			rt.Fatalf("%s: %v over %v loosens to %v", k.path, w, b, got.v)
		}
	})
}

// permits tells whether a is at least as strict as b was. It is written from the meaning of the keys, not from the code under test.
func permits(k key, before, after any) bool {
	switch a := after.(type) {
	case int64:
		b := before.(int64)
		if k.path == "security.policy.max_argument_size" { // 0 is no limit
			return b == 0 || a > 0 && a <= b
		}
		return a <= b
	case float64:
		b := before.(float64)
		if k.path == "budget.workspace_max_usd" {
			return b == 0 || a > 0 && a <= b
		}
		return a <= b
	case bool:
		if k.path == "sandbox.network" { // a permission; the others are protections
			return !a || before.(bool)
		}
		return a || !before.(bool)
	case []Item:
		b := before.([]Item)
		if strings.Contains(k.path, "allowed") {
			if len(b) == 0 {
				return true
			}
			return len(a) > 0 && all(a, func(it Item) bool { return contains(b, it.Value) })
		}
		return all(b, func(it Item) bool { return contains(a, it.Value) })
	}
	return false
}

func all(items []Item, ok func(Item) bool) bool {
	for _, it := range items {
		if !ok(it) {
			return false
		}
	}
	return true
}

func TestExpand(t *testing.T) {
	env := map[string]string{"A": "1", "B": "${A}", "E": "", "ASTRID_X": "ax", "ASTRID_API_KEY": "sk", "ANTHROPIC_MODEL": "m", "ANTHROPIC_API_KEY": "sk", "HOME": "/h"}
	lookup := func(k string) (string, bool) { v, ok := env[k]; return v, ok }
	for in, want := range map[string]string{
		"plain":          "plain",
		"${A}":           "1",
		"x${A}y${A}z":    "x1y1z",
		"${B}":           "${A}", // once
		"${E}|":          "|",
		"${NO}":          "${NO}",
		"$A $$ ${":       "$A $$ ${",
		"${A":            "${A",
		"${}":            "${}",
		"${a b}${A}":     "${a b}1",
		"${x${A}}":       "${x1}",
		"${A}${NO}${A":   "1${NO}${A",
		"\\${A} $${A}}}": "\\1 $1}}",
	} {
		if got := expandVars(in, lookup, func(string) {}); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	list := `security.policy.denied_hosts = ["${HOME}", "${ASTRID_X}", "${ANTHROPIC_MODEL}", "${ASTRID_API_KEY}", "${ANTHROPIC_API_KEY}", "${NO}"]`
	c := world{user: list, env: env}.load(t)
	if got := values(c.Security.Policy.DeniedHosts); got != "/h ax m sk sk ${NO}" || len(c.Notices) != 1 || !strings.Contains(c.Notices[0].Msg, "${NO} is not set") {
		t.Errorf("user: %s, %v", got, c.Notices)
	}
	c = world{workspace: list, env: env}.load(t)
	if got := values(c.Security.Policy.DeniedHosts); got != "${HOME} ax m ${ASTRID_API_KEY} ${ANTHROPIC_API_KEY} ${NO}" || len(c.Notices) != 4 ||
		!strings.Contains(c.Notices[0].Msg, "${HOME} is not open to a workspace") {
		t.Errorf("workspace: %s, %v", got, c.Notices)
	}
	// A variable's value is not a reference, in no layer and no later pass.
	c = world{workspace: `security.policy.denied_hosts = ["${ASTRID_EVIL}"]`, env: map[string]string{"ASTRID_EVIL": "${SECRET}", "SECRET": "s"}}.load(t)
	if got := values(c.Security.Policy.DeniedHosts); got != "${SECRET}" {
		t.Errorf("expanded twice: %s", got)
	}
}
