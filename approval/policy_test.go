package approval

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestFileRules(t *testing.T) {
	p := mustPolicy(t, Rules{
		Mode:           Guided,
		DeniedPaths:    []Rule{{"/etc/**", "c:1"}, {"**/.ssh/**", "c:2"}},
		AllowedPaths:   []Rule{{"/ws/**", "c:3"}, {"/data/**", "c:3"}, {"/root/**", "c:3"}, {"/etc/**", "c:3"}},
		NeverAllow:     []Rule{{"/root", "c:4"}, {"/data/secret", "c:5"}, {"/ws/private", "c:6"}},
		AutoAllowRead:  []Rule{{"/data/r", "c:7"}},
		AutoAllowWrite: []Rule{{"/data/w", "c:8"}},
	})
	s := Subject{Workspace: "/ws", Home: "/root/.astrid/home/alice"}
	for _, tc := range []struct {
		a      Action
		effect effect
		source string
	}{
		{read("/etc"), deny, "c:1"},
		{read("/etc/passwd"), deny, "c:1"},
		{read("/data/.ssh/id"), deny, "c:2"},
		{inWS(read("/ws/.ssh/id")), deny, "c:2"},
		{read("/opt/x"), deny, "c:3"},
		{read("/root/x"), deny, "c:4"},
		{read("/root/.astrid/home/bob/x"), deny, "c:4"},
		{read("/root/.astrid/home/alice/x"), allow, ""},
		{write("/root/.astrid/home/alice/x"), ask, ""},
		{read("/data/secret/x"), deny, "c:5"},
		{read("/data/secretary"), allow, ""},
		{inWS(read("/ws/private/x")), deny, "c:6"},
		{inWS(write("/ws/x")), allow, ""},
		{read("/data/x"), allow, ""},
		{write("/data/r/x"), ask, ""},
		{write("/data/w/x"), allow, "c:8"},
		{write("/data/wx"), ask, ""},
	} {
		must(t, tc.a.complete())
		if v := p.judge(&s, &tc.a); v.effect != tc.effect || v.source != tc.source {
			t.Errorf("%s: %v by %s from %q, want %v from %q", tc.a.Resource, v.effect, v.rule, v.source, tc.effect, tc.source)
		}
	}
	inRoot := Subject{Workspace: "/root/project"}
	a := inWS(write("/root/project/x"))
	must(t, a.complete())
	if v := p.judge(&inRoot, &a); v.effect != allow {
		t.Errorf("a workspace in /root is useless: %s", v.rule)
	}
	if v := p.judge(&Subject{}, &a); v.effect != deny {
		t.Error("an unknown workspace excuses from never_allow")
	}
}

func TestFoldedPaths(t *testing.T) {
	for _, fold := range []bool{false, true} {
		p := mustPolicy(t, Rules{Mode: Yolo, FoldCase: fold, DeniedPaths: builtin("/Etc/**"), NeverAllow: builtin("/Root")})
		for _, path := range []string{"/eTC/passwd", "/ETC", "/rOOT/x"} {
			a := read(path)
			must(t, a.complete())
			if v := p.judge(&Subject{}, &a); (v.effect == deny) != fold {
				t.Errorf("fold %v, %s: %v", fold, path, v.effect)
			}
		}
	}
}

func TestEscapePolicy(t *testing.T) {
	for _, tc := range []struct {
		escape Escape
		mode   Mode
		want   effect
	}{{EscapeAsk, Safe, ask}, {EscapeDeny, Yolo, deny}, {EscapeAllow, Safe, allow}} {
		p := mustPolicy(t, Rules{Mode: tc.mode, Escape: tc.escape, EscapeSource: "c:1"})
		a, in := write("/data/x"), inWS(write("/ws/x"))
		must(t, a.complete())
		must(t, in.complete())
		if v := p.judge(&Subject{}, &a); v.effect != tc.want {
			t.Errorf("%s: %v", tc.escape, v.effect)
		}
		if v := p.judge(&Subject{}, &in); v.effect != allow {
			t.Errorf("%s inside: %v", tc.escape, v.effect)
		}
	}
}

func TestToolRules(t *testing.T) {
	p := mustPolicy(t, Rules{Mode: Safe, BlockedTools: []Rule{{"danger", "c:1"}, {"files:wipe", "c:2"}, {"nuke", "c:3"}},
		ApprovalRequiredTools: []Rule{{"mail", "c:4"}, {"web:post", "c:5"}}})
	for tool, want := range map[string]effect{
		"danger:x": deny, "files:wipe": deny, "any:nuke": deny, "files:read": allow, "mail:send": ask, "web:post": ask, "web:get": allow,
	} {
		a := Action{Kind: MCPTool, Resource: "mcp:" + tool}
		must(t, a.complete())
		if v := p.judge(&Subject{}, &a); v.effect != want {
			t.Errorf("%s: %v (%s)", tool, v.effect, v.rule)
		}
	}
}

func TestRulesThatDoNotCompile(t *testing.T) {
	for name, r := range map[string]Rules{
		"glob": {DeniedPaths: []Rule{{"[", "x.toml:7"}}}, "host": {DeniedHosts: []Rule{{"a*b.test", "x.toml:7"}}},
		"dir": {NeverAllow: []Rule{{"relative", "x.toml:7"}}}, "unclean": {AutoAllowRead: []Rule{{"/a/../b", "x.toml:7"}}},
		"mode": {Mode: 9, ModeSource: "x.toml:7"}, "escape": {Escape: 9, EscapeSource: "x.toml:7"},
		"size": {MaxArgumentSize: -1, MaxArgumentSizeSource: "x.toml:7"},
	} {
		if _, err := CompilePolicy(r); err == nil || !strings.Contains(err.Error(), "x.toml:7") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestModesByName(t *testing.T) {
	for _, m := range []Mode{Safe, Guided, Autonomous, Yolo} {
		if got, err := ParseMode(m.String()); got != m || err != nil {
			t.Errorf("%s: %v, %v", m, got, err)
		}
	}
	for _, e := range []Escape{EscapeAsk, EscapeDeny, EscapeAllow} {
		if got, err := ParseEscape(e.String()); got != e || err != nil {
			t.Errorf("%s: %v, %v", e, got, err)
		}
	}
	if m, err := ParseMode("turbo"); m != Safe || err == nil {
		t.Error(m, err)
	}
	if e, err := ParseEscape("maybe"); e != EscapeDeny || err == nil {
		t.Error(e, err)
	}
}

// TestWorkspaceRules: rules of a workspace reach its sessions only, never loosen, and follow the common policy.
func TestWorkspaceRules(t *testing.T) {
	r := newRig(t, rigOptions{rules: Rules{Mode: Guided}})
	ctx := context.Background()
	passes := func(workspace string, a Action) bool {
		s := r.subject()
		s.Workspace = workspace
		_, err := r.Intercept(ctx, s, a)
		return err == nil
	}
	must(t, r.SetWorkspace("/strict", &Rules{Mode: Safe, BlockedCapsules: builtin("fs")}))
	must(t, r.SetWorkspace("/loose", &Rules{Mode: Yolo}))
	if passes("/strict", read("/data/a")) || !passes("/loose", read("/data/a")) || !passes("/ws", read("/data/a")) {
		t.Error("reads outside")
	}
	if passes("/loose", write("/data/a")) {
		t.Error("a workspace loosened the mode")
	}
	if passes("/strict", Action{Kind: KV, Class: Plain}) || !passes("/ws", Action{Kind: KV, Class: Plain}) {
		t.Error("blocked capsule")
	}
	must(t, r.SetPolicy(mustPolicy(t, Rules{Mode: Safe})))
	if passes("/loose", read("/data/a")) {
		t.Error("a workspace kept the old common policy")
	}
	must(t, r.SetWorkspace("/strict", nil))
	if !passes("/strict", Action{Kind: KV, Class: Plain}) {
		t.Error("removed rules still hold")
	}
	if r.SetWorkspace("", &Rules{}) == nil || r.SetPolicy(nil) == nil {
		t.Error("nonsense is accepted")
	}
}

func TestLocate(t *testing.T) {
	i, err := New(Options{Auditor: &ledger{}, Policy: mustPolicy(t, Rules{NeverAllow: builtin("/root")}),
		Locate: func(principal, session string) Place {
			return Place{Workspace: "/root/" + principal + session, Home: "/root/home"}
		}})
	must(t, err)
	s := Subject{Principal: "alice", Capsule: "fs", Session: "1", Bounds: &bounds{}}
	if _, err := i.Intercept(context.Background(), s, inWS(write("/root/alice1/x"))); err != nil {
		t.Error(err)
	}
	given := s
	given.Workspace = "/data"
	if _, err := i.Intercept(context.Background(), given, inWS(write("/root/alice1/x"))); !errors.Is(err, ErrDenied) {
		t.Errorf("a given workspace is replaced: %v", err)
	}
	if _, err := i.Intercept(context.Background(), given, read("/root/home/x")); !errors.Is(err, ErrDeferred) {
		t.Errorf("the home is not filled in: %v", err)
	}
	must(t, i.SetWorkspace("/root/alice1", &Rules{BlockedCapsules: builtin("fs")}))
	if _, err := i.Intercept(context.Background(), s, Action{Class: Plain, Kind: KV}); !errors.Is(err, ErrDenied) {
		t.Errorf("the workspace's rules do not reach a plain call: %v", err)
	}
}

// A session's own mode and its workspace's: whatever the two are, the stricter one decides.
func TestSessionModeNeverLoosens(t *testing.T) {
	for common := Safe; common <= Yolo; common++ {
		for own := Safe; own <= Yolo; own++ {
			i, err := New(Options{Auditor: &ledger{}, Policy: mustPolicy(t, Rules{Mode: common, ModeSource: "file:1"}),
				Locate: func(string, string) Place { return Place{Workspace: "/ws", Home: "/h", Mode: &own} }})
			must(t, err)
			for _, a := range []Action{read("/opt/x"), write("/opt/x"), inWS(write("/ws/x")), {Kind: Exec, Class: Guarded, Argv: []string{"/bin/ls"}}} {
				// A subject that says where it works does not get around its session's mode.
				s := Subject{Principal: "alice", Capsule: "fs", Session: "1", Workspace: "/ws", Home: "/h", Bounds: &bounds{}}
				_, err := i.Intercept(context.Background(), s, a)
				if want := min(common, own).lets(a.Kind, a.InWorkspace); (err == nil) != want {
					t.Errorf("%v in a session of mode %v in a workspace of mode %v: allowed is %v: %v", a.Kind, own, common, err == nil, err)
				}
				if err != nil && own < common != strings.Contains(err.Error(), SessionModeSource) {
					t.Errorf("mode %v of %v: the refusal names the wrong place: %v", own, common, err)
				}
			}
		}
	}
}
