package ipc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// DecodeRecord reads a request that came from a guest into a struct. It is how every record at the boundary is read:
//
//   - The text is strict JSON: UTF-8 without byte order mark, at most MaxDepth levels, no unpaired surrogate, no number beyond
//     the double range, nothing behind the value. It is an object.
//   - Members are found by their exact name; case counts.
//   - A member that is given twice is an error wherever it is: two readers would not agree on its value.
//   - Members that the record does not have are ignored, so that a guest built for a later contract runs.
//   - A field without omitempty in its tag is required.
//   - null is an error unless the field is a pointer or takes any JSON.
//
// Errors name the member and what is wrong, never its value.
func DecodeRecord(raw []byte, into any) error {
	s, err := scan(raw)
	if err != nil {
		return err
	}
	if s.b[firstByte(s.b)] != '{' {
		return errors.New("want an object")
	}
	if s.repeated {
		return errors.New("a member is given twice")
	}
	v := reflect.ValueOf(into).Elem()
	fields := fieldsOf(v.Type())
	given := make([]bool, len(fields))
	for _, m := range s.members {
		for i, f := range fields {
			if f.name != m.name {
				continue
			}
			given[i] = true
			if err := f.set(v.Field(f.index), s.b[m.val:m.end]); err != nil {
				return err
			}
		}
	}
	for i, f := range fields {
		if f.required && !given[i] {
			return fmt.Errorf("%s is missing", f.name)
		}
	}
	return nil
}

// firstByte is where the value begins; scan has found one.
func firstByte(b []byte) int {
	return len(b) - len(bytes.TrimLeft(b, " \t\r\n"))
}

// recordField is a field of a record.
type recordField struct {
	name     string
	index    int
	required bool
	nullable bool
}

func (f recordField) set(v reflect.Value, raw []byte) error {
	if string(raw) == "null" && !f.nullable {
		return fmt.Errorf("%s must not be null", f.name)
	}
	if v.Type() == rawMessage {
		v.SetBytes(append([]byte(nil), raw...)) // raw may lie in guest memory
		return nil
	}
	if setText(v, raw) {
		return nil
	}
	if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
		return fmt.Errorf("%s must be %s", f.name, kindWord(v.Type()))
	}
	return nil
}

var (
	rawMessage  = reflect.TypeFor[json.RawMessage]()
	recordTypes sync.Map // reflect.Type → []recordField
)

func fieldsOf(t reflect.Type) []recordField {
	if f, ok := recordTypes.Load(t); ok {
		return f.([]recordField)
	}
	var fields []recordField
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		fields = append(fields, recordField{
			name: name, index: i, required: !strings.Contains(options, "omitempty"),
			nullable: f.Type.Kind() == reflect.Pointer || f.Type == rawMessage,
		})
	}
	recordTypes.Store(t, fields)
	return fields
}

// kindWord says what a field takes.
func kindWord(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return kindWord(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list, each element " + kindWord(t.Elem())
	case reflect.Map:
		return "an object, each value " + kindWord(t.Elem())
	}
	return "an integer in range"
}
