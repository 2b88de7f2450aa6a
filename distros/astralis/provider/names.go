package provider

import (
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

// maxName is the longest name of a tool that all vendors take.
const maxName = 64

// Names gives tools names that a vendor takes: letters, digits, - and _. Most have one
// already. The zero value is ready.
type Names struct{ there, back map[string]string }

// Of is the vendor's name for a tool.
func (n *Names) Of(name string) string {
	if s, ok := n.there[name]; ok {
		return s
	}
	if n.there == nil {
		n.there, n.back = map[string]string{}, map[string]string{}
	}
	s := plain(name)
	if len(s) > maxName {
		s = s[:maxName]
	}
	for i, free := 2, s; ; i++ {
		if _, taken := n.back[s]; !taken {
			break
		}
		tail := "_" + strconv.Itoa(i)
		s = free[:min(len(free), maxName-len(tail))] + tail
	}
	n.there[name], n.back[s] = s, name
	return s
}

// Back is the name that the vendor's stands for.
func (n *Names) Back(name string) string {
	if s, ok := n.back[name]; ok {
		return s
	}
	return name
}

// ID is an id of a tool call as vendors take it. Calls of an earlier turn may come from
// another vendor.
func ID(id string) string { return plain(id) }

func plain(s string) string {
	if s == "" {
		return "_"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, s)
}

// Text is the plain text of a message, its parts joined.
func Text(c abi.Content) string {
	if c.Parts == nil {
		return c.Text
	}
	var b strings.Builder
	for _, p := range c.Parts {
		b.WriteString(p.Text)
	}
	return b.String()
}
