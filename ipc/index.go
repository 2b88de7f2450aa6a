package ipc

import (
	"slices"
	"strings"
)

// index finds the subscriptions of a topic. Patterns without wildcards are looked up
// whole; the others live in a tree of segments.
type index struct {
	exact map[string][]*Subscription
	tree  node
}

type node struct {
	literal map[string]*node
	any     *node           // "*" with more segments behind it
	here    []*Subscription // patterns that end at this node
	tail    []*Subscription // patterns that end in "*" behind this node: one or more segments
}

func (x *index) add(pattern string, s *Subscription) {
	if !wild(pattern) {
		if x.exact == nil {
			x.exact = make(map[string][]*Subscription)
		}
		x.exact[pattern] = append(x.exact[pattern], s)
		return
	}
	n := &x.tree
	for rest, more := pattern, true; more; {
		var seg string
		seg, rest, more = strings.Cut(rest, ".")
		switch {
		case seg == "*" && !more && n != &x.tree:
			n.tail = append(n.tail, s)
			return
		case seg == "*":
			if n.any == nil {
				n.any = &node{}
			}
			n = n.any
		default:
			next := n.literal[seg]
			if next == nil {
				next = &node{}
				if n.literal == nil {
					n.literal = make(map[string]*node)
				}
				n.literal[seg] = next
			}
			n = next
		}
	}
	n.here = append(n.here, s)
}

func (x *index) remove(pattern string, s *Subscription) {
	if wild(pattern) {
		x.tree.remove(pattern, true, s)
		return
	}
	if left := without(x.exact[pattern], s); len(left) > 0 {
		x.exact[pattern] = left
	} else {
		delete(x.exact, pattern)
	}
}

// remove takes s out below n and drops nodes that became empty.
func (n *node) remove(pattern string, root bool, s *Subscription) {
	seg, rest, more := strings.Cut(pattern, ".")
	if seg == "*" && !more && !root {
		n.tail = without(n.tail, s)
		return
	}
	next := n.any
	if seg != "*" {
		next = n.literal[seg]
	}
	if next == nil {
		return
	}
	if more {
		next.remove(rest, false, s)
	} else {
		next.here = without(next.here, s)
	}
	if next.empty() {
		if seg == "*" {
			n.any = nil
		} else {
			delete(n.literal, seg)
		}
	}
}

func (n *node) empty() bool {
	return len(n.literal) == 0 && n.any == nil && len(n.here) == 0 && len(n.tail) == 0
}

// match appends the subscriptions of topic to out, each once.
func (x *index) match(topic string, out []*Subscription) []*Subscription {
	for _, s := range x.exact[topic] {
		out = appendOnce(out, s)
	}
	return x.tree.match(topic, out)
}

func (n *node) match(topic string, out []*Subscription) []*Subscription {
	for _, s := range n.tail {
		out = appendOnce(out, s)
	}
	seg, rest, more := strings.Cut(topic, ".")
	for _, next := range [2]*node{n.literal[seg], n.any} {
		switch {
		case next == nil:
		case more:
			out = next.match(rest, out)
		default:
			for _, s := range next.here {
				out = appendOnce(out, s)
			}
		}
	}
	return out
}

// appendOnce spares subscriptions with one pattern the search: they come up once.
func appendOnce(out []*Subscription, s *Subscription) []*Subscription {
	if len(s.patterns) > 1 && slices.Contains(out, s) {
		return out
	}
	return append(out, s)
}

func without(list []*Subscription, s *Subscription) []*Subscription {
	return slices.DeleteFunc(list, func(x *Subscription) bool { return x == s })
}

func wild(pattern string) bool {
	for rest, more := pattern, true; more; {
		var seg string
		if seg, rest, more = strings.Cut(rest, "."); seg == "*" {
			return true
		}
	}
	return false
}
