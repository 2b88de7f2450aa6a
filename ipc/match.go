package ipc

import "strings"

// MatchExact reports whether topic matches pattern for access lists and interceptors:
// both have the same number of non-empty segments, and each segment of pattern is "*" or equal.
func MatchExact(pattern, topic string) bool {
	for {
		p, prest, pmore := strings.Cut(pattern, ".")
		t, trest, tmore := strings.Cut(topic, ".")
		if p == "" || t == "" || pmore != tmore || (p != "*" && p != t) {
			return false
		}
		if !pmore {
			return true
		}
		pattern, topic = prest, trest
	}
}

// Match reports whether topic is delivered to a subscription to pattern. It is
// [MatchExact] without the check for empty segments, except that a last segment "*" after
// at least one other stands for one or more segments.
func Match(pattern, topic string) bool {
	for first := true; ; first = false {
		p, prest, pmore := strings.Cut(pattern, ".")
		t, trest, tmore := strings.Cut(topic, ".")
		switch {
		case p == "*" && !pmore:
			return !first || !tmore
		case p != "*" && p != t, pmore != tmore:
			return false
		case !pmore:
			return true
		}
		pattern, topic = prest, trest
	}
}
