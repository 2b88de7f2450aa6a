package approval

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzDecodePattern(f *testing.F) {
	for _, s := range []string{`{"type":"exact","resource":"fs:read:///a"}`, `{"type":"resource","pattern":"net:https://a:1/**"}`,
		`{"type":"file_pattern","pattern":"/a/[b-c]*","permission":"read"}`, `{"type":"command_pattern","command":"git *"}`,
		`{"type":"network_host","host":"*.a","ports":[1]}`, `{"type":"workspace_relative","pattern":"x","permission":"invoke"}`} {
		f.Add([]byte(s), "fs:read:///a")
	}
	f.Fuzz(func(t *testing.T, data []byte, resource string) {
		p, err := DecodePattern(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := DecodePattern(again)
		if err != nil || q.String() != p.String() {
			t.Fatalf("%s does not survive: %v", again, err)
		}
		m, err := p.compile()
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []Kind{FSRead, NetRequest, MCPTool} {
			a := Action{Kind: k, Resource: resource}
			if a.complete() != nil {
				continue
			}
			if m(&Subject{Capsule: "x", Workspace: "/ws"}, &a) && k == FSRead && hasDotDot(a.Path) {
				t.Fatalf("%s covers %s", p, resource)
			}
		}
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("/a/**/[b-c]?*", "/a/b")
	f.Add(`\*[!a]`, "*b")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(text) > 1<<12 {
			return
		}
		g, err := CompileGlob(pattern)
		if err != nil {
			return
		}
		g.Match(text)
		if esc, err := CompileGlob(EscapeGlob(text)); err == nil && !esc.Match(text) {
			t.Fatalf("%q does not match itself", text)
		}
	})
}

func FuzzShell(f *testing.F) {
	for _, s := range []string{"ls && sudo x", "echo \"$(a `b`)\" <<E\nx\nE\n", "case x in a) b;; esac", "$'\\x41' ${a:-b} >(c)", "a\\\nb #c"} {
		f.Add(s)
	}
	p, err := CompilePolicy(Rules{Mode: Yolo})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, script string) {
		// Whatever stands before it, a command on a line of its own is seen, or the whole is refused.
		a := run("sh", "-c", script)
		if a.complete() != nil {
			return
		}
		if v := p.judge(&Subject{}, &a); v.effect == deny {
			return
		}
		if strings.ContainsAny(script, "<#\\'\"`$({") {
			return // may swallow what follows
		}
		b := run("sh", "-c", script+"\nsudo ls")
		if b.complete() == nil && p.judge(&Subject{}, &b).effect != deny {
			t.Fatalf("sudo after %q passes", script)
		}
	})
}

func FuzzPolicy(f *testing.F) {
	f.Add("/etc/**", "*.evil.test:443", "rm -rf /", "/x", "/etc/passwd")
	f.Fuzz(func(t *testing.T, glob, host, tool, dir, path string) {
		p, err := CompilePolicy(Rules{Mode: Yolo, DeniedPaths: []Rule{{glob, "f:1"}}, DeniedHosts: []Rule{{host, "f:2"}},
			BlockedTools: []Rule{{tool, "f:3"}}, NeverAllow: []Rule{{dir, "f:4"}}})
		if err != nil {
			return
		}
		for _, a := range []Action{read(path), get("https://" + path + "/"), run(path), run("sh", "-c", path)} {
			if a.complete() == nil {
				p.judge(&Subject{}, &a)
			}
		}
	})
}

func FuzzStored(f *testing.F) {
	f.Add([]byte(`{"id":"x","principal":"a","capsule":"c","scope":"session","pattern":{"type":"capsule_wildcard","capsule_id":"c"}}`))
	f.Add([]byte(`{"request":{"id":"00000000000000000000000000000000","principal":"a","capsule":"c"},"resource":"x","lasting":{"type":"exact","resource":"x"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := DecodeAllowance(data); err == nil {
			if err := a.check(); err != nil {
				t.Fatal(err)
			}
		}
		if e, err := decodeQueued(data); err == nil && e.Request.Principal == "" {
			t.Fatal("a request of nobody")
		}
	})
}

func FuzzDisplay(f *testing.F) {
	f.Add("a\u202eb\x00\xff")
	f.Fuzz(func(t *testing.T, s string) {
		if out := Display(s); !utf8.ValidString(out) || strings.ContainsAny(out, "\x00\x1b\n\u202e\u200b\u3164\ufe0f\uff0f\u2215") {
			t.Fatalf("%q", out)
		}
	})
}
