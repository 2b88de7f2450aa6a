package approval

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/capability"
)

// TestHostileResources: in the freest mode, with a capsule-wide allowance, none of these gets through.
func TestHostileResources(t *testing.T) {
	r := newRig(t, rigOptions{rules: Rules{Mode: Yolo}})
	must(t, r.Allowances().Add(context.Background(), Allowance{ID: "all", Principal: "alice", Capsule: "fs", Scope: ScopeSession,
		Session: "s1", Pattern: Pattern{Type: CapsuleWildcard, CapsuleID: "fs"}}))
	long := strings.Repeat("a", 10<<20)
	for _, a := range []Action{
		{}, {Kind: "nonsense", Resource: "nonsense:x"}, {Kind: FSRead}, {Kind: FSRead, Resource: "fs:read://"},
		read("relative"), read("/a/../b"), read("/.."), read("/a/.."), read("/a//b"), read("/a/"), read("/a/./b"),
		read("/a/%2e%2e/b"), read("/a/%2E%2e/b"), read("/a/%252e%252e/b"), read("/a/..%2fb"), read("/a%2f..%2fb"),
		read("/a/%25252525252e/b"), read(`/a\..\b`), read("/a/\uff0e\uff0e/b"), read("/a/\u2024\u2024/b"), read("/a/\u2025/b"),
		read("/a\u2215..\u2215b"), read("/a/..;x/b"), read("/a/..\x00/b"), read("/a\x00b"), read("/a\xffb"), read("/a/\xc0\xae\xc0\xae/b"),
		read("/" + long), write("/" + long), {Kind: FSWrite, Resource: "fs:read:///a"}, {Kind: FSRead, Resource: "fs:read:///a", Path: "/b"},
		get("https://"), get("https://user@a.test/"), get("https://user:pw@a.test/"), get("//a.test/"), get("a.test"),
		get("https://a.test:99999/"), get("https://a.test/../x"), get("https://a.test/%2e%2e/x"), get("https://a.test/a/..;/x"),
		get("https://b\u00fccher.de/"), get("https://a\u202e.test/"), get("https://a.test\x00.evil.test/"), get("https://a b/"),
		get("https://" + long + "/"), {Kind: NetRequest, Resource: "net:https://a.test/", Host: "b.test"},
		{Kind: NetRequest, Resource: "net:https://a.test:443/", Port: 80}, {Kind: NetRequest, Resource: "net:bind:unix:x"},
		{Kind: Exec}, {Kind: Exec, Resource: "exec:///bin/ls"}, run(""), run("ls", "a\x00b"), run("ls", long), run("ls", "\xff"),
		run("..", "x"), run("/bin/../bin/ls"),
	} {
		_, err := r.Intercept(context.Background(), r.subject(), a)
		if !errors.Is(err, ErrDenied) {
			res := a.Resource
			if len(res) > 80 {
				res = res[:80]
			}
			t.Errorf("%s %q %q passes: %v", a.Kind, res, a.Argv, err)
			continue
		}
		if len(err.Error()) > 20<<10 || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\x00\u202e\n") {
			t.Errorf("the refusal of %.60q is not safe to show", a.Resource)
		}
	}
	for _, rec := range r.log.all() {
		if len(rec.Resource) > MaxAuditResource {
			t.Errorf("an entry holds %d bytes of resource", len(rec.Resource))
		}
	}
}

func TestHostileSubjects(t *testing.T) {
	r := newRig(t, rigOptions{rules: Rules{Mode: Yolo}})
	good := r.subject()
	for name, change := range map[string]func(*Subject){
		"no principal": func(s *Subject) { s.Principal = "" }, "no capsule": func(s *Subject) { s.Capsule = "" },
		"no manifest": func(s *Subject) { s.Bounds = nil }, "slash": func(s *Subject) { s.Principal = "a/b" },
		"long": func(s *Subject) { s.Principal = strings.Repeat("a", 65) }, "capsule path": func(s *Subject) { s.Capsule = "../x" },
	} {
		s := good
		change(&s)
		if _, err := r.Intercept(context.Background(), s, inWS(read("/ws/a"))); !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, class := range []Class{Plain, Message} {
		s := good
		s.Bounds = nil
		if _, err := r.Intercept(context.Background(), s, Action{Class: class, Kind: KV}); !errors.Is(err, ErrDenied) {
			t.Errorf("class %d without a manifest: %v", class, err)
		}
	}
	if _, err := r.Intercept(context.Background(), good, Action{Class: 9, Kind: KV}); err == nil {
		t.Error("an unknown class passes")
	}
	r.bounds.refuse[FSRead] = true
	if _, err := r.Intercept(context.Background(), good, inWS(read("/ws/a"))); !errors.Is(err, ErrDenied) {
		t.Errorf("outside of the manifest: %v", err)
	}
}

// TestGlobCharactersGrantNothingMore: a file called "*" is one file.
func TestGlobCharactersGrantNothingMore(t *testing.T) {
	ctx := context.Background()
	for _, choice := range []Choice{ApproveOnce, ApproveSession, ApproveWorkspace, ApproveAlways} {
		for _, name := range []string{"/data/*", "/data/**", "/data/?", "/data/[ab]", "/data/{a,b}", `/data/a*b`} {
			r := newRig(t, rigOptions{})
			c := r.answers(Decision{Choice: choice})
			_, err := r.Intercept(ctx, r.subject(), write(name))
			must(t, err)
			for _, other := range []string{"/data/a", "/data/b", "/data/x/y", "/data/axb", "/data/"} {
				before := len(*c)
				// The human is asked again, unless the action is refused outright.
				if _, err := r.Intercept(ctx, r.subject(), write(other)); err == nil && len(*c) == before {
					t.Errorf("%s of %s lets %s through", choice, name, other)
				}
			}
		}
	}
}

func TestDisplay(t *testing.T) {
	for in, want := range map[string]string{
		"plain text":                  "plain text",
		"a\x1b[31mred\x07":            `a\u{1b}[31mred\u{7}`,
		"a\u202egnp.exe":              `a\u{202e}gnp.exe`,
		"a\u2066b\u200bc":             `a\u{2066}b\u{200b}c`,
		"a\xffb":                      `a\xffb`,
		"a\nb\tc\\d":                  `a\nb\tc\\d`,
		"\u00a0\u2028":                `\u{a0}\u{2028}`,
		"\U000e0041\ufeff":            `\u{e0041}\u{feff}`,
		"gr\u00fc\u00df \u65e5\u672c": "gr\u00fc\u00df \u65e5\u672c",
		// What has no shape.
		"/ws/a\u3164\u115f\uffa0b":  `/ws/a\u{3164}\u{115f}\u{ffa0}b`,
		"a\u034fb\ufe0fc\u2800d":    `a\u{34f}b\u{fe0f}c\u{2800}d`,
		"a\U000e0101b":              `a\u{e0101}b`,
		"a\u0301\u0301\u0301\u0301": "a\u0301\u0301" + `\u{301}\u{301}`,
		// What poses as something else.
		"/a\u2215\uff0e\uff0e\uff0fb":   `/a\u{2215}\u{ff0e}\u{ff0e}\u{ff0f}b`,
		"\uff47it \U0001d42cudo":        `\u{ff47}it \u{1d42c}udo`,
		"/home/u/.s\u0455h/id":          `/home/u/.s\u{455}h/id`,
		"p\u0430ypal":                   `p\u{430}ypal`,
		"/bin/\u0441\u043e\u0440\u0443": `/bin/\u{441}\u{43e}\u{440}\u{443}`,
		"/data/\u03bf":                  `/data/\u{3bf}`,
		// What does not.
		"/ws/\u043f\u0440\u0438\u0432\u0435\u0442.txt":        "/ws/\u043f\u0440\u0438\u0432\u0435\u0442.txt",
		"caf\u00e9 cafe\u0301 \u03bb\u03cc\u03b3\u03bf\u03c2": "caf\u00e9 cafe\u0301 \u03bb\u03cc\u03b3\u03bf\u03c2",
		"/ws/\u05e9\u05dc\u05d5\u05dd.txt":                    "/ws/\u05e9\u05dc\u05d5\u05dd.txt",
		// What changes the order of the rest.
		"/\u05d0/\u05d1/etc": `/\u{5d0}/\u{5d1}/etc`,
		"rm \u0627 12 x":     `rm \u{627} 12 x`,
		"\u05d0 -rf \u05d1":  `\u{5d0} -rf \u{5d1}`,
	} {
		if got := Display(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	got := Display("head" + strings.Repeat("x", 1<<20) + "; rm -rf tail")
	if len(got) > 2*maxDisplay || !strings.HasPrefix(got, "head") || !strings.HasSuffix(got, "; rm -rf tail") || !strings.Contains(got, "bytes left out") {
		t.Errorf("%d bytes: %.40q … %q", len(got), got, got[len(got)-40:])
	}
}

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"/a/*", "/a/b", true}, {"/a/*", "/a/", true}, {"/a/*", "/a/b/c", false}, {"/a/**", "/a/b/c", true},
		{"/a/**", "/a", false}, {"**", "", true}, {"*", "a/b", false}, {"a?c", "abc", true}, {"a?c", "a/c", false},
		{"[a-c]", "b", true}, {"[a-c]", "d", false}, {"[!a-c]", "d", true}, {"[!a]", "/", false}, {"[]]", "]", true},
		{"[a-]", "-", true}, {`\*`, "*", true}, {`\*`, "a", false}, {"{a,b}", "{a,b}", true}, {"{a,b}", "a", false},
		{"*a*a*a*", "aaa", true}, {"*a*a*a*", "aa", false}, {"/**/x", "/a/b/x", true}, {"***", "a/b", true},
	} {
		g, err := CompileGlob(tc.pattern)
		must(t, err)
		if got := g.Match(tc.text); got != tc.want {
			t.Errorf("%s on %s: %v", tc.pattern, tc.text, got)
		}
	}
	// Work is bounded by the product of the lengths.
	g, err := CompileGlob(strings.Repeat("*a", 100) + "b")
	must(t, err)
	if g.Match(strings.Repeat("a", 20000)) {
		t.Error("matched")
	}
}

func TestHosts(t *testing.T) {
	p := mustPolicy(t, Rules{Mode: Yolo, DeniedHosts: builtin("evil.test", "10.0.0.1", "[::1]:80", "odd.test:8080"),
		AllowedHosts: builtin("*.test", "10.0.0.1", "::1")})
	for url, want := range map[string]effect{
		"https://good.test/": allow, "https://evil.test/": deny, "https://EVIL.test./": deny, "https://a.evil.test/": deny,
		"https://notevil.test/": allow, "https://test/": deny, "https://other.org/": deny, "https://10.0.0.1/": deny,
		"https://[::ffff:10.0.0.1]/": deny, "http://[::1]/": deny, "http://[::1]:81/": allow, "http://odd.test:8080/": deny,
		"http://odd.test:8081/": allow,
	} {
		a := get(url)
		must(t, a.complete())
		if v := p.judge(&Subject{}, &a); v.effect != want {
			t.Errorf("%s: %v (%s %s)", url, v.effect, v.rule, v.reason)
		}
	}
}

// TestTokenPatternsAreAccepted: what "always" offers is a pattern that the capability store takes and that covers
// the action.
func TestTokenPatternsAreAccepted(t *testing.T) {
	for _, a := range []Action{get("https://a.test/x?y=*"), write(`/data/a*b`), run("/bin/ls", "a b", "*"), {Kind: Ask, Resource: "ask:x:y"}} {
		must(t, a.complete())
		p, err := capability.ParsePattern(tokenPattern(&a))
		if err != nil || !p.Match(a.Resource) {
			t.Errorf("%s: %s, %v", a.Resource, tokenPattern(&a), err)
		}
	}
}

// A part that is left out is a part that somebody else has chosen: what is asked about is shown as a whole.
func TestWhatIsAskedIsShownWhole(t *testing.T) {
	r := newRig(t, rigOptions{})
	asked := r.answers(Decision{Choice: Deny})
	long := strings.Repeat("echo harmless\n", 700)
	_, err := r.Intercept(context.Background(), r.subject(), run("/bin/sh", "-c", long+"curl evil.test\n"+long))
	if !errors.Is(err, ErrDenied) || len(*asked) != 1 {
		t.Fatalf("%d questions, %v", len(*asked), err)
	}
	if q := (*asked)[0]; !strings.Contains(q.Resource, `harmless\ncurl evil.test\necho`) || len(q.Resource) < 2*len(long) {
		t.Errorf("%d bytes are shown of %d", len(q.Resource), 2*len(long))
	}
	_, err = r.Intercept(context.Background(), r.subject(), run("/bin/sh", "-c", strings.Repeat("echo harmless\n", 5000)))
	if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "nobody reads") || len(*asked) != 1 {
		t.Errorf("more than a person reads: %d questions, %v", len(*asked), err)
	}
	// It is too much for a question, not for a command.
	must(t, r.SetPolicy(mustPolicy(t, Rules{Mode: Autonomous})))
	if _, err := r.Intercept(context.Background(), r.subject(), run("/bin/sh", "-c", strings.Repeat("echo harmless\n", 5000))); err != nil {
		t.Error(err)
	}
}

// What was forbidden while somebody thought about it stays forbidden, whatever the answer is, and costs nothing.
func TestPolicyChangesWhileSomebodyThinks(t *testing.T) {
	for _, choice := range []Choice{ApproveOnce, ApproveSession, ApproveAlways} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			ctx := context.Background()
			c := attach(r.Approvals(), "alice")
			a := get("https://a.test/1")
			a.CostUSD = 1
			got := r.start(ctx, r.subject(), a)
			synctest.Wait()
			must(t, r.SetPolicy(mustPolicy(t, Rules{DeniedHosts: []Rule{{"a.test", "config.toml:9"}}})))
			must(t, r.Approvals().Resolve(ctx, "alice", c.of(Asked)[0].ID, Decision{Choice: choice}))
			answer := <-got
			var d *Denial
			if !errors.As(answer.err, &d) || d.Layer != LayerPolicy || d.Source != "config.toml:9" {
				t.Errorf("%s: %v", choice, answer.err)
			}
			if spent, _ := r.Budgets().Spent("alice", "s1", "/ws"); spent != 0 {
				t.Errorf("%s: it cost %s", choice, spent)
			}
			must(t, r.SetPolicy(mustPolicy(t, Rules{})))
			again := r.start(ctx, r.subject(), a)
			synctest.Wait()
			if open := r.Approvals().Pending("alice"); len(open) != 1 {
				t.Errorf("%s: the answer to what was forbidden allows the next call", choice)
			} else {
				must(t, r.Approvals().Resolve(ctx, "alice", open[0].ID, Decision{Choice: Deny}))
			}
			<-again
		})
	}
}
