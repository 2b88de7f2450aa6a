package sdk

import (
	"encoding/json"
	"strconv"
)

// draft07 names the dialect that tool schemas are written in.
const draft07 = "http://json-schema.org/draft-07/schema#"

// document writes s as the input_schema of a tool. The boolean "mutable" is Astrid's own.
func (s *schema) document(mutable bool) json.RawMessage {
	b := []byte(`{"$schema":"` + draft07 + `"`)
	if s.title != "" {
		b = append(b, `,"title":`...)
		b = quote(b, s.title)
	}
	b = append(b, ',')
	b = s.members(b)
	b = append(b, `,"mutable":`...)
	b = strconv.AppendBool(b, mutable)
	return append(b, '}')
}

// object writes s with its braces.
func (s *schema) object(b []byte) []byte {
	b = append(b, '{')
	n := len(b)
	b = s.members(b)
	if s.desc != "" {
		if len(b) > n {
			b = append(b, ',')
		}
		b = append(b, `"description":`...)
		b = quote(b, s.desc)
	}
	return append(b, '}')
}

func (s *schema) members(b []byte) []byte {
	if s.kind == kindAny {
		return b
	}
	b = append(b, `"type":`...)
	if s.nullable {
		b = append(b, '[')
		b = quote(b, string(s.kind))
		b = append(b, `,"null"]`...)
	} else {
		b = quote(b, string(s.kind))
	}
	if s.format != "" {
		b = append(b, `,"format":`...)
		b = quote(b, s.format)
	}
	if s.unsigned {
		b = append(b, `,"minimum":0`...)
	}
	if s.enum != nil {
		b = append(b, `,"enum":`...)
		b = list(b, s.enum)
		if s.nullable {
			b = append(b[:len(b)-1], `,null]`...)
		}
	}
	if s.items != nil {
		b = append(b, `,"items":`...)
		b = s.items.object(b)
	}
	if s.values != nil {
		b = append(b, `,"additionalProperties":`...)
		b = s.values.object(b)
	}
	if s.fields != nil {
		b = s.properties(b)
	}
	return b
}

func (s *schema) properties(b []byte) []byte {
	var required []string
	for _, f := range s.fields {
		if f.required {
			required = append(required, f.name)
		}
	}
	if required != nil {
		b = append(b, `,"required":`...)
		b = list(b, required)
	}
	b = append(b, `,"properties":{`...)
	for i, f := range s.fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote(b, f.name)
		b = append(b, ':')
		b = f.object(b)
	}
	return append(b, '}')
}

func list(b []byte, items []string) []byte {
	b = append(b, '[')
	for i, s := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote(b, s)
	}
	return append(b, ']')
}

func quote(b []byte, s string) []byte {
	q, _ := json.Marshal(s) // a string can always be encoded
	return append(b, q...)
}
