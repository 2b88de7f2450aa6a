package config

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"net/netip"
	"net/url"
)

// check returns what is wrong with a value of the right type, or "".
type check func(v any) string

func oneOf(words ...string) check {
	return func(v any) string {
		if slices.Contains(words, v.(string)) {
			return ""
		}
		return fmt.Sprintf("unsupported value %q; expected one of: %s%s", v, strings.Join(words, ", "), didYouMean(v.(string), words))
	}
}

func between(low, high int64) check {
	return func(v any) string {
		if n := v.(int64); n < low || n > high {
			return fmt.Sprintf("%d is out of range; must be between %d and %d", n, low, high)
		}
		return ""
	}
}

func amount(limit float64) check {
	return func(v any) string {
		switch f := v.(float64); {
		case math.IsNaN(f) || math.IsInf(f, 0) || f <= 0:
			return "must be a finite positive number"
		case f > limit:
			return fmt.Sprintf("%v exceeds maximum allowed value (%v)", f, limit)
		}
		return ""
	}
}

func amountOrZero(limit float64) check {
	return func(v any) string {
		if v.(float64) == 0 {
			return ""
		}
		return amount(limit)(v)
	}
}

func items(each func(string) string) check {
	return func(v any) string {
		for _, it := range v.([]Item) {
			if msg := each(it.Value); msg != "" {
				return msg
			}
		}
		return ""
	}
}

// notBlank refuses an entry that looks like a rule and matches nothing, or everything: a blocked command of "" is a prefix of all.
func notBlank(s string) string {
	if strings.TrimSpace(s) == "" {
		return "an entry must not be blank"
	}
	return ""
}

// absolute wants directories by their full, clean path.
func absolute(s string) string {
	if !filepath.IsAbs(s) || filepath.Clean(s) != s {
		return "an entry must be the absolute path of a directory, without .. and without / at its end"
	}
	return ""
}

func storageSpec(v any) string {
	s := v.(string)
	if s == "" {
		return ""
	}
	if scheme, _, ok := strings.Cut(s, ":"); !ok || scheme == "" {
		return fmt.Sprintf("%q names no engine; write it as scheme:rest, for example \"bolt:/var/lib/astrid/state.db\"", s)
	}
	return ""
}

// baseURL accepts an address under which others are found.
func baseURL(v any) string {
	u, err := url.Parse(v.(string))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Sprintf("%q is no base address; write it as \"https://host\" or \"https://host/path\"", v)
	}
	return ""
}

// checkHost accepts what stands in a URL as host or host:port, in lower case.
func checkHost(h string) string {
	switch {
	case h == "":
		return "the host must not be empty"
	case strings.ContainsAny(h, "/@ \t\n?#"):
		return fmt.Sprintf("%q is not a host; write it as \"api.example.com\" or \"api.example.com:8443\"", h)
	case h != strings.ToLower(h):
		return fmt.Sprintf("%q must be in lower case", h)
	}
	if strings.Count(h, ":") > 1 && !strings.HasPrefix(h, "[") {
		if _, err := netip.ParseAddr(h); err == nil {
			return fmt.Sprintf("write the IPv6 address as \"[%s]\"", h)
		}
	}
	return ""
}

// checkWhole looks at what no single key can know.
func (c *Config) checkWhole() []error {
	a, s := c.values["budget.per_action_max_usd"], c.values["budget.session_max_usd"]
	if a.v.(float64) <= s.v.(float64) {
		return nil
	}
	if s.origin.Layer > a.origin.Layer {
		// Whoever lowers what a session may spend need not know of the other: one action cannot
		// spend more than all of them.
		c.values["budget.per_action_max_usd"] = s
		return nil
	}
	return []error{&Error{Origin: a.origin, Key: "budget.per_action_max_usd", Msg: fmt.Sprintf("per_action_max_usd (%v) must not exceed session_max_usd (%v)", a.v, s.v)}}
}
