package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// decode checks raw against the tool's schema and decodes it into args, a pointer to the
// argument struct. Missing arguments altogether are an empty object.
func (t *tool) decode(raw json.RawMessage, args any) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	s, err := t.inputSchema()
	if err != nil {
		return err
	}
	if err := s.validate(raw, ""); err != nil {
		return err
	}
	err = json.Unmarshal(raw, args)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Errorf("argument %q: %s does not fit %s", wrong.Field, wrong.Value, wrong.Type)
	}
	return err
}

// validate checks what json.Unmarshal does not: that required fields are there, that
// null stands only for optional ones, and that enums hold one of their values. It looks at
// the first byte of plain values only, so it costs little beside the decoding itself.
func (s *schema) validate(raw json.RawMessage, path string) error {
	if s.kind == kindAny {
		return nil
	}
	got := typeOf(raw)
	if got == "null" && s.nullable {
		return nil
	}
	want := string(s.kind)
	if s.kind == kindInteger {
		want = string(kindNumber)
	}
	if got != want {
		return fmt.Errorf("%s must be %s, not %s", argument(path), article(s.kind), got)
	}
	switch {
	case s.enum != nil:
		return s.validateEnum(raw, path)
	case s.fields != nil:
		return s.validateFields(raw, path)
	case s.items.structured():
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return err
		}
		for i, item := range items {
			if err := s.items.validate(item, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case s.values.structured():
		var values map[string]json.RawMessage
		if err := json.Unmarshal(raw, &values); err != nil {
			return err
		}
		for k, v := range values {
			if err := s.values.validate(v, join(path, k)); err != nil {
				return err
			}
		}
	}
	return nil
}

// structured tells whether s can be wrong in a way that json.Unmarshal does not see.
func (s *schema) structured() bool { return s != nil && s.kind != kindAny }

func (s *schema) validateFields(raw json.RawMessage, path string) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return err
	}
	if err := s.validateNames(values, path); err != nil {
		return err
	}
	for _, f := range s.fields {
		v, ok := values[f.name]
		switch {
		case ok:
			if err := f.validate(v, join(path, f.name)); err != nil {
				return err
			}
		case f.required:
			return fmt.Errorf("%s is missing", argument(join(path, f.name)))
		}
	}
	return nil
}

// validateNames refuses a name that differs from a field's in case only. json.Unmarshal
// would take it for the field, past the checks made here.
func (s *schema) validateNames(values map[string]json.RawMessage, path string) error {
	for k := range values {
		for _, f := range s.fields {
			if k != f.name && strings.EqualFold(k, f.name) && !slices.ContainsFunc(s.fields, func(o property) bool { return o.name == k }) {
				return fmt.Errorf("%s must be spelled %q", argument(join(path, k)), f.name)
			}
		}
	}
	return nil
}

func (s *schema) validateEnum(raw json.RawMessage, path string) error {
	var v string
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	if !slices.Contains(s.enum, v) {
		return fmt.Errorf("%s must be one of %s, not %q", argument(path), strings.Join(s.enum, ", "), v)
	}
	return nil
}

// typeOf names the JSON type of raw, which is valid JSON or empty.
func typeOf(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

func argument(path string) string {
	if path == "" {
		return "arguments"
	}
	return fmt.Sprintf("argument %q", path)
}

func article(k kind) string {
	if strings.ContainsRune("aio", rune(k[0])) {
		return "an " + string(k)
	}
	return "a " + string(k)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
