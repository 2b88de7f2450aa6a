package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxKeys and maxItems bound a file: each key costs a search for its position, and a project's file is hostile.
const (
	maxKeys  = 1000
	maxItems = 10000 // entries of one array
)

// layerParser turns one file into values, with their positions.
type layerParser struct {
	layer  Layer
	path   string
	src    string
	md     toml.MetaData
	expand func(s string, at Origin) string
	values map[string]value
	errs   []error
}

// parse reads TOML. expand is applied to each string once.
func parse(layer Layer, path string, data []byte, expand func(string, Origin) string) (map[string]value, []error) {
	p := &layerParser{layer: layer, path: path, src: string(data), expand: expand, values: map[string]value{}}
	if line := tooDeep(p.src); line > 0 {
		return nil, []error{&Error{Origin: Origin{Layer: layer, Name: path, Line: line, Col: 1}, Msg: "is nested deeper than any configuration"}}
	}
	var top map[string]toml.Primitive
	md, err := toml.Decode(p.src, &top)
	if err != nil {
		return nil, []error{p.syntax(err)}
	}
	if n := len(md.Keys()); n > maxKeys {
		return nil, []error{&Error{Origin: Origin{Layer: layer, Name: path}, Msg: fmt.Sprintf("has %d keys, more than the limit of %d", n, maxKeys)}}
	}
	p.md = md
	p.table("", top)
	return p.values, p.errs
}

func (p *layerParser) syntax(err error) error {
	e := &Error{Origin: Origin{Layer: p.layer, Name: p.path}, Msg: err.Error(), Err: err}
	var pe toml.ParseError
	if errors.As(err, &pe) {
		e.Origin.Line, e.Origin.Col = pe.Position.Line, max(pe.Position.Col, 1)
		e.Msg = pe.Message
		if e.Msg == "" {
			e.Msg = strings.TrimPrefix(err.Error(), "toml: ")
		}
	}
	return e
}

// node is one TOML value with its position.
type node struct {
	data any
	pos  toml.Position
}

// errStop makes the library report a position: it attaches one to any error of an Unmarshaler, and has no other way to ask.
var errStop = errors.New("stop")

func (n *node) UnmarshalTOML(v any) error {
	n.data = v
	return errStop
}

// node reads a value. A table that is only implied, by dotted keys or by the header of one below it, has no position of its
// own and takes that of the first key in it.
func (p *layerParser) node(prim toml.Primitive) node {
	var n node
	var pe toml.ParseError
	if errors.As(p.md.PrimitiveDecode(prim, &n), &pe) {
		n.pos = pe.Position
	}
	if _, ok := n.data.(map[string]any); !ok || n.pos.Line > 0 {
		return n
	}
	for _, child := range p.sub(prim) {
		if pos := p.node(child).pos; n.pos.Line == 0 || pos.Start < n.pos.Start {
			n.pos = pos
		}
	}
	return n
}

// at is the position of a key: its line, and the column where its name is written.
func (p *layerParser) at(name string, n node) Origin {
	o := Origin{Layer: p.layer, Name: p.path, Line: n.pos.Line, Col: max(n.pos.Col, 1)}
	lines := strings.SplitN(p.src, "\n", n.pos.Line+1)
	if n.pos.Line < 1 || n.pos.Line > len(lines) {
		return o
	}
	line := lines[n.pos.Line-1]
	if i := strings.LastIndex(line[:min(len(line), o.Col+len(name))], name); i >= 0 {
		o.Col = i + 1
	}
	return o
}

func (p *layerParser) fail(at Origin, path, format string, args ...any) {
	p.errs = append(p.errs, &Error{Origin: at, Key: path, Msg: fmt.Sprintf(format, args...)})
}

// table reads a section. Keys are taken in order of their names, so that errors come in a steady order.
func (p *layerParser) table(prefix string, prims map[string]toml.Primitive) {
	for _, name := range slices.Sorted(maps.Keys(prims)) {
		n := p.node(prims[name])
		path := prefix + name
		_, isTable := n.data.(map[string]any)
		switch k := byPath[path]; {
		case k != nil:
			p.key(k, name, n, prims[name])
		case !isSection(path):
			p.fail(p.at(name, n), path, "%s", unknown(path))
		case !isTable:
			p.fail(p.at(name, n), path, "is a section, not a single value; write [%s] and keys below it", path)
		default:
			p.table(path+".", p.sub(prims[name]))
		}
	}
}

func (p *layerParser) sub(prim toml.Primitive) map[string]toml.Primitive {
	m := map[string]toml.Primitive{}
	if err := p.md.PrimitiveDecode(prim, &m); err != nil {
		p.errs = append(p.errs, p.syntax(err))
	}
	return m
}

// isSection tells whether keys live below path.
func isSection(path string) bool {
	return slices.ContainsFunc(keys, func(k key) bool { return strings.HasPrefix(k.path, path+".") })
}

// key reads one known key.
func (p *layerParser) key(k *key, name string, n node, prim toml.Primitive) {
	at := p.at(name, n)
	v, ok := p.convert(k, n, prim, at)
	if !ok {
		return
	}
	if k.check != nil {
		if msg := k.check(v); msg != "" {
			p.fail(at, k.path, "%s", msg)
			return
		}
	}
	p.values[k.path] = value{v: v, origin: at}
}

func (p *layerParser) convert(k *key, n node, prim toml.Primitive, at Origin) (any, bool) {
	switch d := n.data.(type) {
	case string:
		if k.kind == text {
			return p.expand(d, at), true
		}
	case bool:
		if k.kind == flag {
			return d, true
		}
	case int64:
		switch k.kind {
		case whole:
			return d, true
		case number:
			return float64(d), true
		}
	case float64:
		if k.kind == number {
			return d, true
		}
	case []any:
		switch k.kind {
		case list:
			return p.list(k, d, n, at)
		case links:
			if len(d) == 0 {
				return []Link{}, true
			}
		}
	case map[string]any:
		if k.kind == prices {
			return p.prices(k, p.sub(prim))
		}
	case []map[string]any:
		if k.kind == links {
			return p.links(k, d, at)
		}
	}
	p.fail(at, k.path, "must be %v, not %s", k.kind, describe(n.data))
	return nil, false
}

func describe(v any) string {
	switch d := v.(type) {
	case string:
		return fmt.Sprintf("the string %.40q", d)
	case bool, int64, float64:
		return fmt.Sprint(d)
	case []any:
		return "an array"
	case []map[string]any:
		return "an array of tables"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}
