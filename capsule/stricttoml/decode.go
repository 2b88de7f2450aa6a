package stricttoml

import (
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// Document is a parsed file.
type Document struct {
	File  string
	root  map[string]any
	lines map[string]int
}

// Options changes how a document is mapped. The zero value works.
type Options struct {
	// Retired explains keys that used to exist, by path without array indices ("dependencies", "env.*.enum";
	// '*' stands for any one key). The explanation replaces the suggestion.
	Retired map[string]string
}

// Unmarshaler is implemented by types whose TOML form is not their Go form.
type Unmarshaler interface {
	UnmarshalTOML(n Node) error
}

// Parse reads the syntax of data. file is only used in messages.
func Parse(file string, data []byte) (*Document, error) {
	d := &Document{File: file}
	if line := tooDeep(string(data)); line > 0 {
		return nil, ErrorList{{File: file, Line: line, Msg: "nested deeper than any file of this kind"}}
	}
	if _, err := toml.Decode(string(data), &d.root); err != nil {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			return nil, ErrorList{{File: file, Line: pe.Position.Line, Msg: pe.Message}}
		}
		return nil, ErrorList{{File: file, Msg: err.Error()}}
	}
	d.lines = index(string(data))
	return d, nil
}

// Line returns the 1-based line on which the key with this path stands, or that of its nearest ancestor; 0
// when there is none.
func (d *Document) Line(path string) int {
	for {
		if line, ok := d.lines[path]; ok {
			return line
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return 0
		}
		path = path[:cut]
	}
}

// Errorf makes a complaint about the key with this path.
func (d *Document) Errorf(path, format string, args ...any) *Error {
	return &Error{File: d.File, Line: d.Line(path), Key: path, Msg: fmt.Sprintf(format, args...)}
}

// Decode maps the document to the struct that v points to. Fields are named by their `toml:"key"` tags;
// `toml:"key,required"` makes a missing key an error. Fields without a tag are left alone. The error is an
// ErrorList; v holds what could be read even then.
func (d *Document) Decode(v any, o Options) error {
	dec := &decoder{doc: d, retired: o.Retired}
	dec.value(Node{dec: dec, value: d.root}, reflect.ValueOf(v).Elem())
	return dec.errs.Err()
}

// Node is one value of a document, as handed to an Unmarshaler.
type Node struct {
	dec   *decoder
	value any
	path  string
}

// Text returns the value if it is a string.
func (n Node) Text() (string, bool) { s, ok := n.value.(string); return s, ok }

// Decode maps the value to what v points to; complaints are collected in the error of the whole document.
func (n Node) Decode(v any) { n.dec.value(n, reflect.ValueOf(v).Elem()) }

// Kind names the type of the value for messages.
func (n Node) Kind() string { return kindOf(n.value) }

type decoder struct {
	doc     *Document
	retired map[string]string
	errs    ErrorList
}

func (d *decoder) fail(path, format string, args ...any) {
	d.errs = append(d.errs, d.doc.Errorf(path, format, args...))
}

func (d *decoder) value(n Node, out reflect.Value) {
	if u, ok := out.Addr().Interface().(Unmarshaler); ok {
		if err := u.UnmarshalTOML(n); err != nil {
			d.fail(n.path, "%v", err)
		}
		return
	}
	switch out.Kind() {
	case reflect.Pointer:
		out.Set(reflect.New(out.Type().Elem()))
		d.value(n, out.Elem())
	case reflect.Interface:
		out.Set(reflect.ValueOf(n.value))
	case reflect.Struct:
		d.table(n, out)
	case reflect.Map:
		d.mapping(n, out)
	case reflect.Slice:
		d.list(n, out)
	default:
		d.scalar(n, out)
	}
}

func (d *decoder) scalar(n Node, out reflect.Value) {
	switch v := n.value.(type) {
	case string:
		if out.Kind() == reflect.String {
			out.SetString(v)
			return
		}
	case bool:
		if out.Kind() == reflect.Bool {
			out.SetBool(v)
			return
		}
	case int64:
		switch {
		case out.CanInt():
			if out.OverflowInt(v) {
				d.fail(n.path, "%d is out of range", v)
				return
			}
			out.SetInt(v)
			return
		case out.CanUint():
			if v < 0 || out.OverflowUint(uint64(v)) {
				d.fail(n.path, "%d is out of range: want 0 to %d", v, uint64(1)<<(out.Type().Bits()-1)*2-1)
				return
			}
			out.SetUint(uint64(v))
			return
		}
	}
	d.fail(n.path, "want %s, found %s", wantOf(out.Type()), n.Kind())
}

func (d *decoder) list(n Node, out reflect.Value) {
	var items []any
	switch v := n.value.(type) {
	case []any:
		items = v
	case []map[string]any:
		for _, m := range v {
			items = append(items, m)
		}
	case map[string]any:
		if out.Type().Elem().Kind() == reflect.Struct {
			d.fail(n.path, "want an array of tables: write [[%s]] instead of [%s]", n.path, n.path)
			return
		}
		d.fail(n.path, "want %s, found a table", wantOf(out.Type()))
		return
	default:
		d.fail(n.path, "want %s, found %s", wantOf(out.Type()), n.Kind())
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(items), len(items)))
	for i, item := range items {
		d.value(Node{dec: d, value: item, path: Elem(n.path, i)}, out.Index(i))
	}
}

func (d *decoder) mapping(n Node, out reflect.Value) {
	table, ok := n.value.(map[string]any)
	if !ok {
		d.fail(n.path, "want a table, found %s", n.Kind())
		return
	}
	out.Set(reflect.MakeMapWithSize(out.Type(), len(table)))
	for _, key := range sortedKeys(table) {
		item := reflect.New(out.Type().Elem()).Elem()
		d.value(Node{dec: d, value: table[key], path: Join(n.path, key)}, item)
		out.SetMapIndex(reflect.ValueOf(key), item)
	}
}

func (d *decoder) table(n Node, out reflect.Value) {
	table, ok := n.value.(map[string]any)
	if !ok {
		d.fail(n.path, "want a table, found %s", n.Kind())
		return
	}
	fields := map[string]int{}
	var known []string
	for i := range out.NumField() {
		key, option, _ := strings.Cut(out.Type().Field(i).Tag.Get("toml"), ",")
		if key == "" || key == "-" {
			continue
		}
		fields[key] = i
		known = append(known, key)
		if _, present := table[key]; option == "required" && !present {
			d.fail(n.path, "missing required key %q", key)
		}
	}
	for _, key := range sortedKeys(table) {
		path := Join(n.path, key)
		if i, ok := fields[key]; ok {
			d.value(Node{dec: d, value: table[key], path: path}, out.Field(i))
			continue
		}
		d.unknown(path, key, known)
	}
}

func (d *decoder) unknown(path, key string, known []string) {
	for pattern, why := range d.retired {
		if matchRetired(pattern, path) {
			d.fail(path, "%s", why)
			return
		}
	}
	msg := "unknown key"
	if near := Suggest(key, known); near != "" {
		msg += fmt.Sprintf("; did you mean %q?", near)
	}
	d.fail(path, "%s", msg)
}

// matchRetired compares a pattern with a path whose array indices are ignored.
func matchRetired(pattern, path string) bool {
	want, have := strings.Split(pattern, "."), strings.Split(path, ".")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		part, _, _ := strings.Cut(have[i], "[")
		if want[i] != "*" && want[i] != part {
			return false
		}
	}
	return true
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case time.Time:
		return "a date"
	case map[string]any:
		return "a table"
	default:
		return "an array"
	}
}

func wantOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return "an array of strings"
		}
		return "an array of tables"
	default:
		return "an integer"
	}
}

// Has reports whether the key with this path is in the file.
func (d *Document) Has(path string) bool {
	_, ok := d.lines[path]
	return ok
}
