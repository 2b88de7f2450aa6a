package ipc

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
)

// ErrTopic is wrapped by the errors of [ValidTopic] and [ValidPattern].
var ErrTopic = errors.New("invalid topic")

// ValidTopic checks a topic to publish on: 1 to abi.MaxTopicSegments non-empty segments
// joined by dots, at most abi.MaxTopic bytes of UTF-8, no control characters, and no
// segment that is a bare "*".
func ValidTopic(topic string) error {
	return validate("topic", topic, false)
}

// ValidPattern checks a pattern to subscribe to: a topic in which any segment may be "*".
func ValidPattern(pattern string) error {
	return validate("topic pattern", pattern, true)
}

func validate(what, s string, wildcards bool) error {
	if len(s) > abi.MaxTopic {
		return fmt.Errorf("%w: %s has %d bytes, the limit is %d", ErrTopic, what, len(s), abi.MaxTopic)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: %s %q is not UTF-8", ErrTopic, what, s)
	}
	// Topics end up in logs and on terminals.
	if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return fmt.Errorf("%w: %s %q has control characters", ErrTopic, what, s)
	}
	n := 0
	for rest, more := s, true; more; n++ {
		var seg string
		seg, rest, more = strings.Cut(rest, ".")
		switch {
		case seg == "":
			return fmt.Errorf("%w: %s %q has an empty segment", ErrTopic, what, s)
		case seg == "*" && !wildcards:
			return fmt.Errorf("%w: %s %q has a wildcard: only patterns can", ErrTopic, what, s)
		}
	}
	if n > abi.MaxTopicSegments {
		return fmt.Errorf("%w: %s %q has %d segments, the limit is %d", ErrTopic, what, s, n, abi.MaxTopicSegments)
	}
	return nil
}

// Reserved reports whether only the kernel, and authenticated clients within limits that
// the kernel sets, may publish on topic.
func Reserved(topic string) bool {
	return under(topic, "astrid.v1") || under(topic, "client.v1")
}

func under(topic, prefix string) bool {
	return topic == prefix || (len(topic) > len(prefix) && topic[len(prefix)] == '.' && topic[:len(prefix)] == prefix)
}
