package ipc

import (
	"strings"
	"testing"
)

// The table of the specification, with equal counts where the original was off by one.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		topic, pattern string
		exact, deliver bool
	}{
		{"a.b", "a.b", true, true},
		{"a.b.c", "a.b", false, false},
		{"a.b", "a.b.c", false, false},
		{"a", "a.b.c", false, false},
		{"a.b", "a.*", true, true},
		{"a.b.c", "a.*", false, true},
		{"a.b.c.d", "a.*", false, true},
		{"a", "a.*", false, false},
		{"a.b.c", "a.*.c", true, true},
		{"a.b", "a.*.c", false, false},
		{"a.b.x.c", "a.*.c", false, false},
		{"x", "*", true, true},
		{"x.y", "*", false, false},
		{"a.b.c", "*.*", false, true},
		{"a.b", "*.*", true, true},
		{"a..b", "a.*.b", false, true},
		{"a.*", "a.*", true, true},
		{"A.b", "a.b", false, false},
		{"astrid.v1.elicit", "astrid.v1.elicit.*", false, false},
		{"astrid.v1.approval.response", "astrid.v1.approval.response.x", false, false},
		{"", "", false, true},
		{"a", "", false, false},
		{"a.", "a.*", false, true},
	} {
		if got := MatchExact(c.pattern, c.topic); got != c.exact {
			t.Errorf("MatchExact(%q, %q) = %v", c.pattern, c.topic, got)
		}
		if got := Match(c.pattern, c.topic); got != c.deliver {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.topic, got)
		}
	}
}

func TestValidTopic(t *testing.T) {
	long := strings.Repeat("a", 257)
	for _, c := range []struct {
		s              string
		topic, pattern bool
	}{
		{"a", true, true},
		{"user.v1.prompt", true, true},
		{"a b.c:d", true, true},
		{"1.2.3.4.5.6.7.8", true, true},
		{"1.2.3.4.5.6.7.8.9", false, false},
		{"", false, false},
		{".a", false, false},
		{"a.", false, false},
		{"a..b", false, false},
		{"a.*", false, true},
		{"*.a.*", false, true},
		{"a*", true, true},
		{"a\nb", false, false},
		{"a\x1b[2J", false, false},
		{"a\xff", false, false},
		{long[:256], true, true},
		{long, false, false},
	} {
		if err := ValidTopic(c.s); (err == nil) != c.topic {
			t.Errorf("ValidTopic(%q) = %v", c.s, err)
		}
		if err := ValidPattern(c.s); (err == nil) != c.pattern {
			t.Errorf("ValidPattern(%q) = %v", c.s, err)
		}
	}
}

func TestReserved(t *testing.T) {
	for topic, want := range map[string]bool{
		"astrid.v1": true, "astrid.v1.approval": true, "client.v1.connected": true, "client.v1": true,
		"astrid.v10.x": false, "astrid.v2.x": false, "client.v1x": false, "user.v1.prompt": false, "astrid": false, "": false,
	} {
		if got := Reserved(topic); got != want {
			t.Errorf("Reserved(%q) = %v", topic, got)
		}
	}
}

// matchSlow says the same as Match in another way.
func matchSlow(pattern, topic string) bool {
	p, t := strings.Split(pattern, "."), strings.Split(topic, ".")
	if n := len(p) - 1; n > 0 && p[n] == "*" && len(t) >= len(p) {
		p, t = p[:n], t[:n]
	}
	if len(p) != len(t) {
		return false
	}
	for i := range p {
		if p[i] != "*" && p[i] != t[i] {
			return false
		}
	}
	return true
}

func FuzzMatch(f *testing.F) {
	for _, s := range []string{"a.b", "a.*", "*.*", "a.*.c", "", ".", "a..b", "*"} {
		f.Add(s, "a.b.c")
		f.Add("a.b.c", s)
	}
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		if got, want := Match(pattern, topic), matchSlow(pattern, topic); got != want {
			t.Fatalf("Match(%q, %q) = %v", pattern, topic, got)
		}
		if MatchExact(pattern, topic) && !Match(pattern, topic) {
			t.Fatalf("%q matches %q exactly but not for delivery", pattern, topic)
		}
		if ValidPattern(pattern) != nil || ValidTopic(topic) != nil {
			return
		}
		var x index
		s := &Subscription{patterns: []string{pattern}}
		x.add(pattern, s)
		if got := len(x.match(topic, nil)) == 1; got != Match(pattern, topic) {
			t.Fatalf("index finds %q for %q: %v", pattern, topic, got)
		}
		if x.remove(pattern, s); len(x.exact) != 0 || !x.tree.empty() {
			t.Fatalf("%q leaves something in the index", pattern)
		}
	})
}
