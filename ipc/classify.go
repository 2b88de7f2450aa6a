package ipc

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

// ClassifyPayload decides which variant a publisher's bytes are. They must be one JSON
// value of at most [MaxDepth] levels; errors wrap [ErrJSON]. An object whose "type" is a known
// tag and which has all fields of that variant is that variant; everything else is custom,
// with the whole value as its data. raw is kept: the caller must not change it.
//
// Names are compared exactly. An object with a field that differs from a known one only in
// case is custom, since readers would not agree on what it says.
func ClassifyPayload(raw []byte) (Payload, error) {
	b, s, err := strict(raw)
	if err != nil {
		return Payload{}, err
	}
	return classify(b, s), nil
}

func classify(b []byte, s *scanner) Payload {
	if m := s.member("type"); m != nil {
		var tag string
		if b[m.val] == '"' && json.Unmarshal(b[m.val:m.end], &tag) == nil {
			if p, err := decodeVariant(tag, b, s); err == nil {
				return p
			}
		}
	}
	return custom(b)
}

// Rewrite returns the payload that takes p's place after a handler returned raw for it.
// What the handler saw unwrapped stays wrapped the same way: an object that replaces a
// raw_json payload is raw_json again unless it is tagged itself.
func (p Payload) Rewrite(raw []byte) (Payload, error) {
	b, s, err := strict(raw)
	if err != nil {
		return Payload{}, err
	}
	q := classify(b, s)
	if p.Tag() == abi.TagRawJSON && q.tag == abi.TagCustom && b[0] == '{' && s.member("type") == nil {
		return rawObject(b), nil
	}
	return q, nil
}

// decodeVariant makes the variant tag of an object, or says why it is not one.
func decodeVariant(tag string, b []byte, s *scanner) (Payload, error) {
	switch tag {
	case abi.TagCustom:
		m := s.member("data")
		if m == nil {
			return Payload{}, fmt.Errorf("custom payload has no data")
		}
		return custom(b[m.val:m.end]), nil
	case abi.TagRawJSON:
		return rawObject(s.withoutType()), nil
	}
	fields, ok := variants[tag]
	if !ok {
		return Payload{}, fmt.Errorf("unknown payload tag %q", tag)
	}
	for _, f := range fields {
		m, err := s.field(f.name)
		if err != nil {
			return Payload{}, fmt.Errorf("%s: %w", tag, err)
		}
		if m == nil {
			if !f.required && f.fill != "" {
				b = append(b[:len(b)-1:len(b)-1], fmt.Sprintf(`,%q:%s}`, f.name, f.fill)...)
			}
			if f.required {
				return Payload{}, fmt.Errorf("%s: field %q is missing", tag, f.name)
			}
			continue
		}
		if err := f.check(b[m.val:m.end]); err != nil {
			return Payload{}, fmt.Errorf("%s: field %q: %w", tag, f.name, err)
		}
	}
	return Payload{tag: tag, full: b, guest: b}, nil
}

// field finds a known field, and refuses one that is spelt in another case.
func (s *scanner) field(name string) (*member, error) {
	var found *member
	for i := range s.members {
		switch m := &s.members[i]; {
		case m.name == name:
			found = m
		case strings.EqualFold(m.name, name):
			return nil, fmt.Errorf("field %q must be written %q", m.name, name)
		}
	}
	return found, nil
}

// member finds a member of the top-level object by its exact name.
func (s *scanner) member(name string) *member {
	for i := range s.members {
		if s.members[i].name == name {
			return &s.members[i]
		}
	}
	return nil
}

// withoutType returns the top-level object without its member "type".
func (s *scanner) withoutType() []byte {
	out := append(make([]byte, 0, len(s.b)), '{')
	for i := range s.members {
		m := &s.members[i]
		if m.name == "type" {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, s.b[m.start:m.end]...)
	}
	return append(out, '}')
}
