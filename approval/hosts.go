package approval

import (
	"fmt"
	"net/netip"
	"strings"
)

// canonicalHost gives the one spelling that rules are compared in: lower case, no trailing dot, no
// brackets, IP addresses in their shortest form with IPv4-in-IPv6 unwrapped.
func canonicalHost(host string) (string, error) {
	h := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if addr, err := netip.ParseAddr(h); err == nil {
		return addr.Unmap().String(), nil
	}
	h = strings.TrimSuffix(h, ".")
	if isPlainHost(h) {
		return strings.ToLower(h), nil
	}
	return "", fmt.Errorf("host %s is not a plain ASCII name; write an international name in its xn-- form", Display(host))
}

// isPlainHost accepts ASCII names only: look-alike letters would make two names one for the reader.
func isPlainHost(h string) bool {
	if h == "" || len(h) > 253 || strings.Contains(h, "..") || h[0] == '.' {
		return false
	}
	for i := 0; i < len(h); i++ {
		c := h[i]
		if !(c == '-' || c == '.' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return false
		}
	}
	return true
}

// hostMatches compares a rule with a canonical host. A rule is a name, an address, or "*." and a parent domain;
// "*" is every host.
func hostMatches(rule, host string) bool {
	if rule == "*" {
		return true
	}
	if parent, ok := strings.CutPrefix(rule, "*."); ok {
		parent, err := canonicalHost(parent)
		return err == nil && strings.HasSuffix(host, "."+parent)
	}
	r, err := canonicalHost(rule)
	return err == nil && r == host
}

// hostDenied is wider than hostMatches: denying a domain denies every name below it.
func hostDenied(rule, host string) bool {
	if hostMatches(rule, host) {
		return true
	}
	r, err := canonicalHost(strings.TrimPrefix(rule, "*."))
	if err != nil {
		return false
	}
	_, isIP := netip.ParseAddr(r)
	return r == host || (isIP != nil && strings.HasSuffix(host, "."+r))
}
