package sdk

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// kind of a schema: the JSON type, or "" for any.
type kind string

const (
	kindAny     kind = ""
	kindObject  kind = "object"
	kindArray   kind = "array"
	kindString  kind = "string"
	kindInteger kind = "integer"
	kindNumber  kind = "number"
	kindBoolean kind = "boolean"
)

// schema is the part of JSON Schema (draft 07) that a Go type can express.
type schema struct {
	kind     kind
	title    string
	desc     string
	format   string
	unsigned bool
	nullable bool
	enum     []string
	items    *schema    // of an array
	values   *schema    // of an object with free keys
	fields   []property // of an object with known keys, in declared order
}

type property struct {
	name     string
	required bool
	*schema
}

// schemaOf derives the schema of a tool's arguments.
func schemaOf[A any]() (*schema, error) {
	t := reflect.TypeFor[A]()
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("arguments must be a struct, not %s", t)
	}
	s, err := derive(t, nil)
	if err != nil {
		return nil, err
	}
	s.title = t.Name()
	return s, nil
}

var (
	rawMessage      = reflect.TypeFor[json.RawMessage]()
	timeTime        = reflect.TypeFor[time.Time]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// derive makes the schema of t; open holds the structs being derived, to end recursion.
func derive(t reflect.Type, open []reflect.Type) (*schema, error) {
	switch {
	case t == rawMessage:
		return &schema{}, nil
	case t == timeTime:
		return &schema{kind: kindString, format: "date-time"}, nil
	case reflect.PointerTo(t).Implements(jsonUnmarshaler):
		return &schema{}, nil
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return &schema{kind: kindString}, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return &schema{kind: kindBoolean}, nil
	case reflect.String:
		return &schema{kind: kindString}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &schema{kind: kindInteger, format: t.Kind().String()}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &schema{kind: kindInteger, format: t.Kind().String(), unsigned: true}, nil
	case reflect.Float32:
		return &schema{kind: kindNumber, format: "float"}, nil
	case reflect.Float64:
		return &schema{kind: kindNumber, format: "double"}, nil
	case reflect.Interface:
		return &schema{}, nil
	case reflect.Pointer:
		s, err := derive(t.Elem(), open)
		if err == nil {
			s.nullable = true
		}
		return s, err
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return &schema{kind: kindString, format: "byte"}, nil
		}
		items, err := derive(t.Elem(), open)
		return &schema{kind: kindArray, items: items}, err
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return nil, fmt.Errorf("%s: keys of a map must be text", t)
		}
		values, err := derive(t.Elem(), open)
		return &schema{kind: kindObject, values: values}, err
	case reflect.Struct:
		return deriveStruct(t, open)
	}
	return nil, fmt.Errorf("%s cannot be an argument", t)
}

func deriveStruct(t reflect.Type, open []reflect.Type) (*schema, error) {
	for _, o := range open {
		if o == t { // deeper levels of a recursive type are not described
			return &schema{}, nil
		}
	}
	open = append(open, t)
	s := &schema{kind: kindObject, fields: []property{}}
	for i := range t.NumField() {
		f := t.Field(i)
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" && rest == "" {
			continue
		}
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			in, err := deriveStruct(f.Type, open)
			if err != nil {
				return nil, err
			}
			s.fields = append(s.fields, in.fields...)
			continue
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fs, err := derive(f.Type, open)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		if err := fs.annotate(f); err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		optional := fs.nullable || hasOption(rest, "omitempty") || hasOption(rest, "omitzero")
		fs.nullable = optional
		s.fields = append(s.fields, property{name: name, required: !optional, schema: fs})
	}
	return s, nil
}

// annotate applies the tags desc and enum.
func (s *schema) annotate(f reflect.StructField) error {
	s.desc = f.Tag.Get("desc")
	list := f.Tag.Get("enum")
	if list == "" {
		return nil
	}
	target := s
	if s.kind == kindArray {
		target = s.items
	}
	if target.kind != kindString {
		return fmt.Errorf("enum is for text, not for %s", f.Type)
	}
	target.enum = strings.Split(list, ",")
	return nil
}

func hasOption(options, want string) bool {
	for o := range strings.SplitSeq(options, ",") {
		if o == want {
			return true
		}
	}
	return false
}
