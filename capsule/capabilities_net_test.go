package capsule

import (
	"strings"
	"testing"
)

func TestNetRulePermits(t *testing.T) {
	tests := []struct{ entry, yes, no string }{
		{"*", "https://a.example.org:443 http://127.0.0.1:80", ""},
		{"example.org", "https://example.org:443 http://example.org:8080 https://a.b.example.org:443 https://EXAMPLE.org:443 https://example.org.:443", "https://evil-example.org:443 https://example.org.evil.net:443 https://org:443"},
		{"Example.ORG.", "https://example.org:443", "https://example.com:443"},
		{"*.example.org", "https://a.example.org:443 https://a.b.example.org:443", "https://example.org:443"},
		{"example.org:8443", "https://example.org:8443 http://example.org:8443", "https://example.org:443 https://a.example.org:8443"},
		{"*.example.org:8443", "https://a.example.org:8443", "https://a.example.org:443 https://example.org:8443"},
		{"localhost", "http://localhost:80 http://localhost:11434", "http://a.localhost:80"},
		{"localhost:11434", "http://localhost:11434", "http://localhost:80"},
		{"com", "http://com:80", "https://example.com:443"},
		{"127.0.0.1", "http://127.0.0.1:80", "http://127.0.0.2:80 http://x.127.0.0.1:80"},
		{"127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:80"},
		{"::1", "http://[::1]:80", "http://[::2]:80"},
		{"[::1]:8080", "http://[::1]:8080 http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:80"},
		{"xn--bcher-kva.example", "https://xn--bcher-kva.example:443", "https://bcher.example:443"},
	}
	for _, tt := range tests {
		rules, err := (&Capabilities{Net: []string{tt.entry}}).ResolveNet(nil)
		if err != nil || len(rules) != 1 || rules[0].Entry != tt.entry || rules[0].FromEnv {
			t.Errorf("%s: %+v %v", tt.entry, rules, err)
			continue
		}
		for want, list := range map[bool]string{true: tt.yes, false: tt.no} {
			for _, target := range strings.Fields(list) {
				scheme, rest, _ := strings.Cut(target, "://")
				i := strings.LastIndex(rest, ":")
				port, _ := parsePort(rest[i+1:])
				if got := rules[0].Permits(scheme, rest[:i], port); got != want {
					t.Errorf("%s permits %s: %v", tt.entry, target, got)
				}
			}
		}
		if rules[0].Permits("https", "", 443) {
			t.Errorf("%s permits an empty host", tt.entry)
		}
	}
}

// Only an exact host and port may reach a private address.
func TestNetRuleExact(t *testing.T) {
	for entry, want := range map[string]bool{"*": false, "example.org": false, "localhost": false, "127.0.0.1": false, "*.example.org:80": false, "example.org:80": true, "127.0.0.1:80": true, "[::1]:80": true} {
		rule, err := parseNetEntry(entry)
		if err != nil || rule.Exact() != want {
			t.Errorf("%s: exact is %v (%v)", entry, rule.Exact(), err)
		}
	}
}

func TestNetEntryRefuses(t *testing.T) {
	for _, entry := range []string{
		"", " ", "https://example.org", "example.org/path", "user@example.org", "example.org:", "example.org:0", "example.org:65536", "example.org:x", "example.org:80:80",
		"a..b", ".example.org", "*.", "**", "*example.org", "a.*.b", "*.com", "co.uk", "*.co.uk", "com.au", "a b", "bücher.example", "[::1", "::1]:80", "exam\nple.org",
		strings.Repeat("a", 64) + ".org", strings.Repeat("a.", 130) + "org", "*.localhost", "*.127.0.0.1", "{{ url", "url }}", "{{}}", "{{ a b }}", "x{{ url }}", "{{ url }}{{ url }}",
	} {
		if rules, err := (&Capabilities{Net: []string{entry}}).ResolveNet(nil); err == nil {
			t.Errorf("accepted %q as %v", entry, rules)
		}
	}
}

func TestResolveNetFromEnv(t *testing.T) {
	tests := []struct {
		value string
		want  string // "" = no rule
		err   string
	}{
		{"", "", ""},
		{"  ", "", ""},
		{"https://api.example.org/v1", "https://api.example.org:443", ""},
		{" http://API.example.org. ", "http://api.example.org:80", ""},
		{"http://localhost:11434/v1", "http://localhost:11434", ""},
		{"http://[::1]:8080", "http://[::1]:8080", ""},
		{"https://api.example.org:8443", "https://api.example.org:8443", ""},
		{"api.example.org", "", "must start with http"},
		{"file:///etc/passwd", "", "must start with http"},
		{"ftp://example.org", "", "must start with http"},
		{"https://user:hunter2@example.org", "", "must not contain a user name"},
		{"https://", "", "host is missing"},
		{"https://*", "", "not a host name"},
		{"https://exa mple.org", "", "not a URL"},
		{"https://example.org:0", "", "port"},
		{"https://example.org:99999", "", "port"},
	}
	for _, tt := range tests {
		rules, err := (&Capabilities{Net: []string{"{{base_url}}"}}).ResolveNet(map[string]string{"base_url": tt.value})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "base_url") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: %v", tt.value, err)
			}
			continue
		}
		got := ""
		for _, r := range rules {
			got += r.String()
		}
		if err != nil || got != tt.want {
			t.Errorf("%q: %q %v, want %q", tt.value, got, err, tt.want)
		}
		if len(rules) == 1 && (!rules[0].Exact() || !rules[0].FromEnv) {
			t.Errorf("%q: %+v", tt.value, rules[0])
		}
	}
	rules, _ := (&Capabilities{Net: []string{"{{ base_url }}"}}).ResolveNet(map[string]string{"base_url": "https://api.example.org/v1"})
	for target, want := range map[string]bool{"https api.example.org": true, "http api.example.org": false, "https x.api.example.org": false, "https example.org": false} {
		scheme, host, _ := strings.Cut(target, " ")
		if got := rules[0].Permits(scheme, host, 443); got != want {
			t.Errorf("permits %s: %v", target, got)
		}
	}
	if rules[0].Permits("https", "api.example.org", 8443) {
		t.Error("permits another port")
	}
}

func FuzzResolveNet(f *testing.F) {
	for _, s := range []string{"example.org", "*.example.org:80", "[::1]:80", "{{ k }}", "*"} {
		f.Add(s, "https://example.org")
	}
	f.Fuzz(func(t *testing.T, entry, value string) {
		rules, err := (&Capabilities{Net: []string{entry}}).ResolveNet(map[string]string{"k": value})
		if err != nil {
			return
		}
		for _, r := range rules {
			if r.Host == "" || r.Host == "*" && entry != "*" {
				t.Fatalf("%q with %q became %+v", entry, value, r)
			}
			if r.FromEnv && !r.Exact() {
				t.Fatalf("%q is not exact: %+v", value, r)
			}
		}
	})
}
