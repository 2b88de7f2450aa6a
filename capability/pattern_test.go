package capability

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPatternMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, resource string
		want              bool
	}{
		{"fs:read:///ws/a.txt", "fs:read:///ws/a.txt", true},
		{"fs:read:///ws/a.txt", "fs:read:///ws/a.txt2", false},
		{"fs:read:///ws/a.txt", "fs:read:///ws/A.txt", false},
		{"fs:read:///ws/*", "fs:read:///ws/a.txt", true},
		{"fs:read:///ws/*", "fs:read:///ws/sub/a.txt", false},
		{"fs:read:///ws/**", "fs:read:///ws/sub/a.txt", true},
		{"fs:read:///ws/**", "fs:read:///ws", false},
		{"fs:read:///ws/**", "fs:read:///ws-evil/a", false},
		{"fs:read:///ws/**", "fs:write:///ws/a", false},
		{"fs:read:///ws/**/b", "fs:read:///ws/x/y/b", true},
		{"fs:read:///ws/*/b", "fs:read:///ws/x/y/b", false},
		{"fs:read:///ws/*.go", "fs:read:///ws/a.b.go", true},
		{"fs:read:///ws/*a*b", "fs:read:///ws/xaxxab", true},
		{"fs:read:///ws/*a/b*c", "fs:read:///ws/aaa/b/c", false},
		{"fs:read:///ws/*a/**c", "fs:read:///ws/aaa/b/c", true},
		{"fs:read:///**", "fs:read:///etc/passwd", true},
		{"fs:read:///**", "fs:read:///", true},
		{`fs:read:///ws/\*`, "fs:read:///ws/*", true},
		{`fs:read:///ws/\*`, "fs:read:///ws/a", false},
		{`fs:read:///ws/\\x`, `fs:read:///ws/\x`, true},
		{"fs:read:///ws/[ab]?{c,d}", "fs:read:///ws/[ab]?{c,d}", true},
		{"fs:read:///ws/[ab]", "fs:read:///ws/a", false},
		{"fs:read:///ws/**", "fs:read:///ws/../etc/passwd", false},
		{"fs:read:///ws/**", "fs:read:///ws/a/..", false},
		{"fs:read:///ws/**", "fs:read:///ws//a", false},
		{"fs:read:///ws/**", "fs:read:///ws/./a", false},
		{"fs:read:///ws/**", "fs:read:///ws/a\x00", false},
		{"fs:read:///ws/**", "fs:read:///ws/a\n", false},
		{"fs:read:///ws/**", "fs:read:///ws/a..b/...", true},
		{"fs:read:///ws/**", "fs:read://ws/a", false},
		{"net:https://api.example.com:443/**", "net:https://api.example.com:443/v1/chat?x=1", true},
		{"net:https://api.example.com:443/**", "net:http://api.example.com:443/v1/chat", false},
		{"net:https://api.example.com:443/**", "net:https://api.example.com:444/", false},
		{"net:https://*.example.com:443/**", "net:https://evil.com:443/.example.com:443/", false},
		{"net:https://*.example.com:443/**", "net:https://a@evil.example.com:443/", false},
		{"net:https://*/**", "net:https://a.b:1/", true},
		{"net:https://h:1/a/**", "net:https://h:1/a/%2e%2e/b", false},
		{"net:https://h:1/a/**", "net:https://h:1/a/%252E%252e%252fb", false},
		{"net:https://h:1/a/**", "net:https://h:1/a/x%20y%2e", true},
		{"net:https://h:1/a/**", "net:https://h:1/a/v1...v2", true},
		{"net:bind:unix:cli", "net:bind:unix:cli", true},
		{"exec:///usr/bin/git *", "exec:///usr/bin/git status", true},
		{"exec:///usr/bin/git *", "exec:///usr/bin/git", false},
		{"exec:///usr/bin/git *", "exec:///usr/bin/git add a/b", false},
		{"exec:///usr/bin/git **", "exec:///usr/bin/git add a/b", true},
		{"exec:///usr/bin/git **", "exec:///usr/bin/git commit -m a\nb", true},
		{"exec:///usr/bin/git **", "exec:///usr/bin/git log main..dev", true},
		{"exec:///usr/bin/git **", "exec:///usr/bin/git -C ../x status", false},
		{"exec:///usr/bin/git **", "exec:///usr/bin/git --dir=.. status", false},
		{"exec:///usr/bin/git **", "exec:///usr/bin/gitevil x", false},
		{"mcp:files:*", "mcp:files:list", true},
		{"mcp:*", "mcp:files:list", true},
		{"mcp:files:*", "mcp:filesystem:list", false},
		{"ipc:publish:a.*", "ipc:publish:a.b.c", true},
		{"ipc:publish:a.*", "ipc:subscribe:a.b", false},
		{"kv:*", "kv:theme", true},
		{"identity:resolve", "identity:admin", false},
		{"ask:delete:*", "ask:delete:x/y", false},
	} {
		p, err := ParsePattern(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		if got := p.Match(tt.resource); got != tt.want {
			t.Errorf("%s matches %q: %v, want %v", tt.pattern, tt.resource, got, tt.want)
		}
	}
}

func TestPatternRefused(t *testing.T) {
	for _, s := range []string{
		"", "*", "**", "fs", "fs:", "fs:read", "fs:read:", "fs:*:///ws/a", "f*:///a", "*:///a", "fs:re*d:///a", "FS:read:///a",
		"fs:read://ws", "fs:read:///ws/../etc", "fs:read:///ws/..", "fs:read:///a//b", "fs:read:///a/", "fs:read:///./a",
		"fs:read:///ws/*/../x", "fs:read:///a\x00", "fs:read:///a\nb", "fs:read:///\xff", "fs:read:///\u202etxt.exe", "fs:read:///a\x1b[2J",
		`fs:read:///a\`, `fs:read:///\d`, "fs:read:///" + strings.Repeat("*x", MaxWildcards+1), "fs:read:///" + strings.Repeat("x", MaxPattern),
		"net:https://**", "net:https://**/x", "net:https://**.a.com/x", "net:https://host", "net:https:///x", "net:https://u@h/x", "net:https:host/x",
		"net:https://h/%2e%2e/x", "exec://git", "exec:/usr/bin/git", "mcp:", ":x", "net:", "net::x",
	} {
		if _, err := ParsePattern(s); !errors.Is(err, ErrPattern) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestMatchCost matches what makes backtracking matchers run for ages.
func TestMatchCost(t *testing.T) {
	p, err := ParsePattern("kv:" + strings.Repeat("**a*", MaxWildcards/2) + "b")
	if err != nil {
		t.Fatal(err)
	}
	if p.Match("kv:" + strings.Repeat("a", MaxResource-3)) {
		t.Error("matched")
	}
}

var prefixes = []string{"fs:read:///", "fs:write:///", "exec:///", "kv:", "net:https://h:1/", "mcp:s:"}

// genRest makes the end of a resource from few pieces, so that patterns often match.
func genRest(t *rapid.T, label string) string {
	seg := rapid.SampledFrom([]string{"a", "b", "ab", "a.b", "*", `\`, "x y", "a..b", "ä"})
	return strings.Join(rapid.SliceOfN(seg, 1, 4).Draw(t, label), "/")
}

// widen replaces a random run of a pattern, from byte lo on, by a wildcard that covers it.
func widen(t *rapid.T, s string, lo int) string {
	i := rapid.IntRange(lo, len(s)-1).Draw(t, "from")
	j := rapid.IntRange(i, len(s)).Draw(t, "to")
	cut := s[i:j]
	// Do not split an escape, a ** or a character.
	if i > 0 && (s[i-1] == '\\' || s[i-1] == '*') || j < len(s) && (s[j] == '*' || s[j]&0xc0 == 0x80) || j > i && s[j-1] == '\\' || s[i]&0xc0 == 0x80 {
		return s
	}
	wild := "**"
	if !strings.Contains(cut, "/") && !strings.Contains(cut, "**") && rapid.Bool().Draw(t, "narrow") {
		wild = "*"
	}
	return s[:i] + wild + s[j:]
}

// TestNarrowerGrantsNoMore: a pattern made wider matches all that it matched before.
func TestNarrowerGrantsNoMore(t *testing.T) {
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.SampledFrom(prefixes).Draw(t, "prefix")
		r := prefix + genRest(t, "resource")
		if _, err := ParseResource(r); err != nil {
			t.Skip(err)
		}
		// From the resource itself, wider step by step: each step must still match.
		text := Quote(r)
		chain := []string{text}
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			text = widen(t, text, len(prefix))
			chain = append(chain, text)
		}
		other := prefix + genRest(t, "other")
		before := false
		for i, text := range chain {
			p, err := ParsePattern(text)
			if err != nil {
				continue
			}
			if !p.Match(r) {
				t.Fatalf("%q, widened to %q, does not match %q", chain[0], text, r)
			}
			now := p.Match(other)
			if before && !now {
				t.Fatalf("%q matches %q, the wider %q does not", chain[i-1], other, text)
			}
			before = before || now
			if now && i > 0 {
				matched++
			}
		}
	})
	if matched == 0 {
		t.Error("no wider pattern matched another resource: the test says nothing")
	}
}

// TestMatchAgainstReference compares with a plain recursive matcher.
func TestMatchAgainstReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"a", "b", "/", "*", "**", "ab"})
		text := "kv:x" + strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "pattern"), "")
		r := "kv:x" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "/"}), 0, 8).Draw(t, "resource"), "")
		p, err := ParsePattern(text)
		if err != nil {
			t.Skip(err)
		}
		if got, want := p.Match(r), refMatch(text, r); got != want {
			t.Fatalf("%q matches %q: %v, want %v", text, r, got, want)
		}
	})
}

func refMatch(p, s string) bool {
	switch {
	case p == "":
		return s == ""
	case strings.HasPrefix(p, "**"):
		return refMatch(p[2:], s) || s != "" && refMatch(p, s[1:])
	case p[0] == '*':
		return refMatch(p[1:], s) || s != "" && s[0] != '/' && refMatch(p, s[1:])
	}
	return s != "" && s[0] == p[0] && refMatch(p[1:], s[1:])
}
