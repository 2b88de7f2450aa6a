package capsule

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// NetRule is one permitted destination of outgoing requests.
type NetRule struct {
	Entry      string // as written in the manifest
	Scheme     string // "http" or "https"; "" means either
	Host       string // lowercase; "*" means every host
	Port       int    // 0 means any
	Subdomains bool   // the hosts below Host are included
	Only       bool   // with Subdomains: Host itself is not ("*.example.org")
	FromEnv    bool   // taken from a URL that the user configured
}

// Exact reports whether the rule names one host and port: the only kind that may reach a loopback or private
// address.
func (r NetRule) Exact() bool { return r.Port != 0 && !r.Subdomains && r.Host != "*" }

// Permits reports whether a request to scheme://host:port falls under the rule. port is the effective one.
func (r NetRule) Permits(scheme, host string, port int) bool {
	if r.Scheme != "" && r.Scheme != scheme || r.Port != 0 && r.Port != port {
		return false
	}
	host = canonicalHost(host)
	switch {
	case host == "":
		return false
	case r.Host == "*":
		return true
	case host == r.Host:
		return !r.Only
	default:
		return r.Subdomains && strings.HasSuffix(host, "."+r.Host)
	}
}

func (r NetRule) String() string {
	s := r.Host
	if r.Only {
		s = "*." + s
	}
	if r.Port != 0 {
		s = net.JoinHostPort(s, strconv.Itoa(r.Port))
	}
	if r.Scheme != "" {
		s = r.Scheme + "://" + s
	}
	return s
}

// ResolveNet compiles the net list. An entry is a host (which includes its sub-domains), "*.host" (only the
// sub-domains), "host:port" (exactly that), "*" (everything), or "{{ key }}": the scheme, host and port of
// the URL that the user gave for the [env] key. env is the resolved configuration; a key that is absent or
// empty yields no rule, because the capsule is not configured yet.
func (c *Capabilities) ResolveNet(env map[string]string) ([]NetRule, error) {
	var rules []NetRule
	for _, entry := range c.Net {
		key, templated, err := template(entry)
		if err != nil {
			return nil, err
		}
		if !templated {
			rule, err := parseNetEntry(entry)
			if err != nil {
				return nil, err
			}
			rules = append(rules, rule)
			continue
		}
		value := strings.TrimSpace(env[key])
		if value == "" {
			continue
		}
		rule, err := netRuleOfURL(entry, value)
		if err != nil {
			return nil, fmt.Errorf("capability net %q: env %s: %w", entry, key, err)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// NetText is an entry of net for people: of one that stands for a setting the address that it is with env.
func NetText(entry string, env map[string]string) string {
	key, templated, err := template(entry)
	if err != nil || !templated {
		return entry
	}
	rule, err := netRuleOfURL(entry, strings.TrimSpace(env[key]))
	if err != nil {
		return entry + ", which is not set"
	}
	return rule.Scheme + "://" + net.JoinHostPort(rule.Host, strconv.Itoa(rule.Port)) + " by the setting " + key
}

func netRuleOfURL(entry, value string) (NetRule, error) {
	u, err := url.Parse(value)
	switch {
	case err != nil:
		// The parser's text can repeat the value, which may hold a password.
		return NetRule{}, fmt.Errorf("the value is not a URL; write one like https://host:port/path")
	case u.Scheme != "http" && u.Scheme != "https":
		return NetRule{}, fmt.Errorf("the URL must start with http:// or https://")
	case u.User != nil:
		return NetRule{}, fmt.Errorf("the URL must not contain a user name or password")
	}
	port := 80
	if u.Scheme == "https" {
		port = 443
	}
	if text := u.Port(); text != "" {
		if port, err = parsePort(text); err != nil {
			return NetRule{}, err
		}
	}
	host := canonicalHost(u.Hostname())
	if err := checkHost(host); err != nil {
		return NetRule{}, err
	}
	return NetRule{Entry: entry, Scheme: u.Scheme, Host: host, Port: port, FromEnv: true}, nil
}

func parseNetEntry(entry string) (NetRule, error) {
	fail := func(format string, args ...any) (NetRule, error) {
		return NetRule{}, fmt.Errorf("net entry %q: %s", entry, fmt.Sprintf(format, args...))
	}
	rule := NetRule{Entry: entry}
	switch {
	case entry == "*":
		rule.Host = "*"
		return rule, nil
	case entry == "":
		return fail("it is empty")
	case strings.Contains(entry, "://"):
		return fail("write the host without a scheme")
	case strings.ContainsAny(entry, "/?#@"):
		return fail("write a host or host:port only")
	}
	host := entry
	if _, err := netip.ParseAddr(entry); err != nil && (strings.HasPrefix(entry, "[") || strings.Contains(entry, ":")) {
		h, p, err := net.SplitHostPort(entry)
		if err != nil {
			return fail("want host or host:port")
		}
		if rule.Port, err = parsePort(p); err != nil {
			return fail("%v", err)
		}
		host = h
	}
	host, rule.Only = strings.CutPrefix(host, "*.")
	rule.Host = canonicalHost(host)
	if err := checkHost(rule.Host); err != nil {
		return fail("%v", err)
	}
	_, notAddr := netip.ParseAddr(rule.Host)
	isName := notAddr != nil && strings.Contains(rule.Host, ".")
	if suffix, icann := publicsuffix.PublicSuffix(rule.Host); isName && icann && suffix == rule.Host {
		return fail("%s is a public suffix under which strangers register; name the hosts themselves", rule.Host)
	}
	// A name without a dot is one machine (localhost, com): never a whole top-level domain. host:port is exact.
	rule.Subdomains = isName && (rule.Port == 0 || rule.Only)
	if rule.Only && !rule.Subdomains {
		return fail("*. needs a domain with a dot in it")
	}
	return rule, nil
}

func parsePort(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("port %q is not between 1 and 65535", s)
	}
	return int(n), nil
}

// canonicalHost lowercases a host and drops one trailing dot and IPv6 brackets.
func canonicalHost(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String()
	}
	return host
}

// checkHost accepts an IP address or a name of dot-separated labels. Names in other scripts must be written
// in their ASCII form (xn--…), which is what the URL parser compares.
func checkHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	if host == "" || len(host) > 253 {
		return fmt.Errorf("the host is missing or too long")
	}
	for _, label := range strings.Split(host, ".") {
		if label == "" || len(label) > 63 {
			return fmt.Errorf("%q is not a host name", host)
		}
		for _, c := range []byte(label) {
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return fmt.Errorf("%q is not a host name: %q is not allowed", host, c)
			}
		}
	}
	return nil
}
