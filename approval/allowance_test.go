package approval

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestPatterns: which action each pattern covers. The subject is alice, capsule fs, workspace /ws.
func TestPatterns(t *testing.T) {
	tool := func(r string) Action { return Action{Kind: MCPTool, Resource: "mcp:" + r} }
	del := func(p string) Action { return Action{Kind: FSDelete, Resource: "fs:delete://" + p} }
	cmd := func(c string) Pattern { return Pattern{Type: CommandPattern, Command: c} }
	ws := func(p, perm string) Pattern {
		return Pattern{Type: WorkspaceRelative, Pattern: p, Permission: perm}
	}
	file := func(p, perm string) Pattern { return Pattern{Type: FilePattern, Pattern: p, Permission: perm} }
	for _, tc := range []struct {
		p    Pattern
		a    Action
		want bool
	}{
		{Pattern{Type: ExactTool, Server: "s", Tool: "t"}, tool("s:t"), true},
		{Pattern{Type: ExactTool, Server: "s", Tool: "t"}, tool("s:u"), false},
		{Pattern{Type: ExactTool, Server: "s", Tool: "t"}, read("/s/t"), false},
		{Pattern{Type: ServerTools, Server: "s"}, tool("s:anything"), true},
		{Pattern{Type: ServerTools, Server: "s"}, tool("s2:t"), false},

		{file("/data/*", "read"), read("/data/a"), true},
		{file("/data/*", "read"), read("/data/a/b"), false}, // * stops at /
		{file("/data/**", "read"), read("/data/a/b"), true},
		{file("/data/**", "read"), read("/data"), false},
		{file("/data/**", "read"), write("/data/a"), false},
		{file("/data/**", "write"), write("/data/a"), true},
		{file("/data/**", "delete"), del("/data/a"), true},
		{file("/data/**", "write"), del("/data/a"), false},
		{file("/data/**", "read"), read("/data/../etc/shadow"), false},
		{file("/data/[ab]?", "read"), read("/data/ax"), true},
		{file("/data/[!ab]?", "read"), read("/data/ax"), false},
		{file("/data/?", "read"), read("/data//"), false},

		{Pattern{Type: NetworkHost, Host: "api.test"}, get("https://api.test:443/x"), true},
		{Pattern{Type: NetworkHost, Host: "api.test"}, get("http://API.TEST:8080/x"), true},
		{Pattern{Type: NetworkHost, Host: "api.test", Ports: []int{443}}, get("https://api.test/x"), true},
		{Pattern{Type: NetworkHost, Host: "api.test", Ports: []int{443}}, get("https://api.test:444/x"), false},
		{Pattern{Type: NetworkHost, Host: "api.test"}, get("https://evil.api.test/x"), false},
		{Pattern{Type: NetworkHost, Host: "*.api.test"}, get("https://a.api.test/x"), true},

		{cmd("ls"), run("ls"), true},
		{cmd("ls"), run("ls", "-l"), false},
		{cmd("git status *"), run("git", "status"), true},
		{cmd("git status *"), run("git", "status", "-s", "src/x"), true},
		{cmd("git status *"), run("git", "push"), false},
		{cmd("git status *"), run("/usr/bin/git", "status"), true},
		{cmd("/usr/bin/git *"), run("/tmp/git", "status"), false},
		{cmd("cargo*"), run("cargo-clippy"), true},
		{cmd("git *"), run("git", "x; rm -rf y"), false},
		{cmd("git *"), run("git", "a|b"), false},
		{cmd("git *"), run("git", "a&&b"), false},
		{cmd("git *"), run("git", "$(x)"), false},
		{cmd("git *"), run("git", "`x`"), false},
		{cmd("git *"), run("git", ">x"), false},
		{cmd("git *"), run("git", "a\nb"), false},
		{cmd("git *"), run("git", "../x"), false},
		{cmd("git *"), read("/git"), false},
		{cmd("git status"), run("git status"), false}, // a program with a space in its name

		{ws("src/**", "read"), read("/ws/src/a/b"), true},
		{ws("src/**", "read"), read("/ws/other"), false},
		{ws("**", "read"), read("/ws-evil/a"), false},
		{ws("**", "delete"), del("/ws/a"), true},
		{ws("s/*", "invoke"), tool("s:t"), true},
		{ws("make *", "execute"), run("make", "test"), true},
		{ws("make *", "execute"), run("make", "x;y"), false},

		{Pattern{Type: CapsuleCapability, CapsuleID: "fs", Capability: "net_bind"}, Action{Kind: NetBind, Resource: "net:bind:unix:x"}, true},
		{Pattern{Type: CapsuleCapability, CapsuleID: "fs", Capability: "http_request"}, get("https://a.test/"), true},
		{Pattern{Type: CapsuleCapability, CapsuleID: "fs", Capability: "file_read"}, read("/a"), true},
		{Pattern{Type: CapsuleCapability, CapsuleID: "fs", Capability: "file_read"}, write("/a"), false},
		{Pattern{Type: CapsuleCapability, CapsuleID: "other", Capability: "file_read"}, read("/a"), false},
		{Pattern{Type: CapsuleWildcard, CapsuleID: "fs"}, run("ls"), true},
		{Pattern{Type: CapsuleWildcard, CapsuleID: "other"}, run("ls"), false},

		{Pattern{Type: ExactResource, Resource: "fs:read:///a*"}, read("/a*"), true},
		{Pattern{Type: ExactResource, Resource: "fs:read:///a*"}, read("/ab"), false},
		{Pattern{Type: ExactResource, Resource: "exec://git 'a b'"}, run("git", "a b"), true},
		{Pattern{Type: ExactResource, Resource: "exec://git 'a b'"}, run("git", "a", "b"), false},
		{Pattern{Type: ExactResource, Resource: "net:https://a.test:443/x", Method: "GET"}, get("https://a.test:443/x"), true},
		{Pattern{Type: ExactResource, Resource: "net:https://a.test:443/x", Method: "POST"}, get("https://a.test:443/x"), false},
		{Pattern{Type: ResourceGlob, Pattern: "net:https://a.test:443/**"}, get("https://a.test/x/y"), true},
		{Pattern{Type: ResourceGlob, Pattern: "net:https://a.test:443/**"}, get("http://a.test/x/y"), false},
		{Pattern{Type: ResourceGlob, Pattern: "net:https://a.test:443/**"}, get("https://a.test:443/%2e%2e/y"), false},
	} {
		m, err := tc.p.compile()
		must(t, err)
		// Paths with .. are refused before they get here; the pattern must refuse them too.
		_ = tc.a.complete()
		s := Subject{Principal: "alice", Capsule: "fs", Workspace: "/ws"}
		if got := m(&s, &tc.a); got != tc.want {
			t.Errorf("%s and %s: %v", tc.p, tc.a.Resource, got)
		}
		s.Workspace = ""
		if tc.p.Type == WorkspaceRelative && m(&s, &tc.a) {
			t.Errorf("%s covers something without a workspace", tc.p)
		}
	}
}

func TestPatternsThatAreRefused(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `null`, `[]`, `{"type":"custom","pattern":"x"}`, `{"type":"nonsense"}`, `{"type":"exact_tool","server":"s"}`,
		`{"type":"exact_tool","server":"s","tool":"t","pattern":"x"}`, `{"type":"file_pattern","pattern":"/a"}`,
		`{"type":"file_pattern","pattern":"/a","permission":"execute"}`, `{"type":"file_pattern","pattern":"/a/../b","permission":"read"}`,
		`{"type":"file_pattern","pattern":"[a","permission":"read"}`, `{"type":"file_pattern","pattern":"a\\","permission":"read"}`,
		`{"type":"network_host","host":"a.test","ports":[0]}`, `{"type":"network_host","host":"a.test","ports":[70000]}`,
		`{"type":"network_host","host":"b\u00fccher.de"}`, `{"type":"server_tools","server":"a:b"}`,
		`{"type":"capsule_capability","capsule_id":"x","capability":"everything"}`, `{"type":"exact","resource":"x"} {}`,
		`{"type":"exact","resource":"x","extra":1}`, `{"type":"command_pattern","command":"../x"}`,
		`{"type":"resource","pattern":"` + strings.Repeat("a", 5000) + `"}`,
	} {
		if p, err := DecodePattern([]byte(text)); !errors.Is(err, ErrPattern) {
			t.Errorf("%s is accepted as %s (%v)", text, p, err)
		}
	}
}

func newAllowances(t *testing.T, d *disk, now func() time.Time) *Allowances {
	t.Helper()
	as, err := NewAllowances(context.Background(), AllowancesOptions{Store: d, Now: now})
	must(t, err)
	return as
}

func sessionAllowance(id string, p Pattern) Allowance {
	return Allowance{ID: id, Principal: "alice", Capsule: "llm", Scope: ScopeSession, Session: "s1", Pattern: p}
}

func TestAllowanceReach(t *testing.T) {
	ctx := context.Background()
	as := newAllowances(t, newDisk(), nil)
	any := Pattern{Type: CapsuleWildcard, CapsuleID: "llm"}
	ws := sessionAllowance("w", any)
	ws.Scope, ws.Workspace, ws.Session = ScopeWorkspace, "/ws", ""
	a := read("/x")
	for _, tc := range []struct {
		al   Allowance
		s    Subject
		want bool
	}{
		{sessionAllowance("a", any), someone, true},
		{sessionAllowance("a", any), Subject{Principal: "bob", Capsule: "llm", Session: "s1"}, false},
		{sessionAllowance("a", any), Subject{Principal: "alice", Capsule: "other", Session: "s1"}, false},
		{sessionAllowance("a", any), Subject{Principal: "alice", Capsule: "llm", Session: "s2"}, false},
		{ws, someone, true},
		{ws, Subject{Principal: "alice", Capsule: "llm", Session: "s2", Workspace: "/ws"}, true},
		{ws, Subject{Principal: "alice", Capsule: "llm", Session: "s1", Workspace: "/other"}, false},
		{ws, Subject{Principal: "alice", Capsule: "llm", Session: "s1"}, false},
	} {
		must(t, as.Add(ctx, tc.al))
		use, err := as.Consume(ctx, &tc.s, &a)
		must(t, err)
		if (use != nil) != tc.want {
			t.Errorf("%+v for %+v: %v", tc.al, tc.s, use != nil)
		}
		must(t, as.Revoke(ctx, "alice", tc.al.ID))
	}
	if err := as.Revoke(ctx, "alice", "a"); !errors.Is(err, ErrNoAllowance) {
		t.Errorf("revoked twice: %v", err)
	}
	must(t, as.Add(ctx, ws))
	if err := as.Revoke(ctx, "bob", "w"); !errors.Is(err, ErrNoAllowance) {
		t.Errorf("bob revokes alice's: %v", err)
	}
}

func TestUsesAreCountedOnce(t *testing.T) {
	ctx := context.Background()
	as := newAllowances(t, newDisk(), nil)
	al := sessionAllowance("a", Pattern{Type: CapsuleWildcard, CapsuleID: "llm"})
	al.MaxUses = 7
	must(t, as.Add(ctx, al))
	var got atomic.Int64
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			a := read("/x")
			use, err := as.Consume(ctx, &someone, &a)
			must(t, err)
			if use != nil {
				got.Add(1)
			}
		})
	}
	wg.Wait()
	if got.Load() != 7 {
		t.Errorf("%d uses of 7", got.Load())
	}
}

func TestAllowanceLife(t *testing.T) {
	ctx, d := context.Background(), newDisk()
	now := time.Unix(1000, 0)
	clock := func() time.Time { return now }
	as := newAllowances(t, d, clock)
	a := read("/x")
	covered := func(s Subject) bool {
		use, err := as.Consume(ctx, &s, &a)
		must(t, err)
		return use != nil
	}
	any := Pattern{Type: CapsuleWildcard, CapsuleID: "llm"}
	ws := sessionAllowance("ws", any)
	ws.Scope, ws.Workspace, ws.MaxUses = ScopeWorkspace, "/ws", 3
	must(t, as.Add(ctx, ws))
	must(t, as.Add(ctx, sessionAllowance("sess", any)))
	other := someone
	other.Session = "s2"
	if !covered(other) {
		t.Fatal("the workspace's allowance does not reach another session")
	}
	if as.EndSession("alice", "s1") != 1 || as.EndSession("alice", "s1") != 0 {
		t.Error("the session's allowance did not end with it, once")
	}
	as = newAllowances(t, d, clock)
	if !covered(someone) {
		t.Error("the workspace's allowance did not survive a restart")
	}
	use, err := as.Consume(ctx, &someone, &a)
	must(t, err)
	as2 := newAllowances(t, d, clock)
	if n, _ := as2.Consume(ctx, &someone, &a); n != nil {
		t.Error("a used-up allowance came back with a restart")
	}
	if _, ok := d.vals[allowancePrefix+"ws"]; ok {
		t.Error("a used-up allowance is kept by a restart")
	}
	must(t, use.Restore(ctx))
	if !covered(someone) || covered(someone) {
		t.Error("a use that was given back counts exactly once")
	}
	ex := sessionAllowance("ex", any)
	ex.Scope, ex.Workspace, ex.ExpiresAt = ScopeWorkspace, "/ws", now.Add(time.Minute)
	must(t, as.Add(ctx, ex))
	if !covered(someone) {
		t.Error("not yet expired")
	}
	now = now.Add(time.Minute)
	if covered(someone) || len(as.List("alice")) != 0 {
		t.Error("expired")
	}
	if _, ok := d.vals[allowancePrefix+"ex"]; ok {
		t.Error("the expired one is still stored")
	}
	d.failWith(errDisk)
	must(t, as.Add(ctx, sessionAllowance("mem", any))) // never stored
	if err := as.Add(ctx, ws); !errors.Is(err, errDisk) {
		t.Errorf("got %v", err)
	}
}

func TestUseIsNotGrantedWhenItCannotBeSaved(t *testing.T) {
	ctx, d := context.Background(), newDisk()
	as := newAllowances(t, d, nil)
	ws := sessionAllowance("ws", Pattern{Type: CapsuleWildcard, CapsuleID: "llm"})
	ws.Scope, ws.Workspace, ws.MaxUses = ScopeWorkspace, "/ws", 1
	must(t, as.Add(ctx, ws))
	d.failWith(errDisk)
	a := read("/x")
	if use, err := as.Consume(ctx, &someone, &a); use != nil || !errors.Is(err, errDisk) {
		t.Errorf("%v, %v", use, err)
	}
	d.failWith(nil)
	if use, err := as.Consume(ctx, &someone, &a); use == nil || err != nil {
		t.Errorf("%v, %v", use, err)
	}
}

func TestDamagedAllowanceRecords(t *testing.T) {
	good, err := json.Marshal(sessionAllowance("x", Pattern{Type: CapsuleWildcard, CapsuleID: "llm"}))
	must(t, err)
	for _, val := range []string{`{`, `{}`, strings.Replace(string(good), `"x"`, `"y"`, 1),
		strings.Replace(string(good), "session", "forever", 1), strings.Replace(string(good), "capsule_wildcard", "custom", 1)} {
		d := newDisk()
		d.vals[allowancePrefix+"x"] = []byte(val)
		if _, err := NewAllowances(context.Background(), AllowancesOptions{Store: d}); err == nil {
			t.Errorf("%s is accepted", val)
		}
	}
}
