package meter

// A small assembler for the modules that tests need and no toolchain would
// make. Opcodes are written by hand; b joins bytes and LEB128 numbers.

const (
	i32 = typeI32
	i64 = 0x7e
	f64 = 0x7c
)

// u is an unsigned LEB128 immediate, s a signed one.
func u(v int) []byte { return appendU32(nil, uint32(v)) }
func s(v int) []byte { return appendSigned(nil, int64(v)) }

// b joins opcodes (untyped constants and bytes) and immediates.
func b(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = append(out, byte(p))
		case byte:
			out = append(out, p)
		case []byte:
			out = append(out, p...)
		case string:
			out = append(out, p...)
		}
	}
	return out
}

type fn struct {
	params, results []byte
	locals          []byte // declarations, ready encoded; nil: none
	code            []byte // without the last end
	export          string
}

// wasm describes a module: raw sections are put in where they are given.
type wasm struct {
	imports []string // "module.name" functions of type () -> ()
	funcs   []fn
	raw     map[byte][]byte // section payloads
	start   int             // function index, -1: none
	custom  [][2]string
}

// bytes assembles the module. Function indices count the imports first.
func (w wasm) bytes() []byte {
	vec := func(n int, items []byte) []byte { return append(u(n), items...) }
	sec := map[byte][]byte{}
	var types, funcs, exports, code, imports []byte
	types = append(types, formFunc, 0, 0)
	nExports := 0
	for _, imp := range w.imports {
		for i := range imp {
			if imp[i] == '.' {
				imports = append(appendName(appendName(imports, imp[:i]), imp[i+1:]), externFunc, 0)
			}
		}
	}
	for i, f := range w.funcs {
		types = append(types, formFunc)
		types = append(types, vec(len(f.params), f.params)...)
		types = append(types, vec(len(f.results), f.results)...)
		funcs = append(funcs, u(i+1)...)
		body := f.locals
		if body == nil {
			body = []byte{0}
		}
		body = append(append(append([]byte{}, body...), f.code...), opEnd)
		code = append(code, vec(len(body), body)...)
		if f.export != "" {
			exports = append(appendName(exports, f.export), externFunc)
			exports = append(exports, u(len(w.imports)+i)...)
			nExports++
		}
	}
	sec[secType] = vec(len(w.funcs)+1, types)
	if len(w.imports) > 0 {
		sec[secImport] = vec(len(w.imports), imports)
	}
	sec[secFunction] = vec(len(w.funcs), funcs)
	sec[secExport] = vec(nExports, exports)
	sec[secCode] = vec(len(w.funcs), code)
	if w.start >= 0 {
		sec[secStart] = u(w.start)
	}
	for id, p := range w.raw {
		sec[id] = p
	}
	out := []byte(magic)
	for _, id := range secOrder {
		if p, ok := sec[id]; ok {
			out = appendSection(out, id, p)
		}
	}
	for _, c := range w.custom {
		out = appendCustom(out, c[0], []byte(c[1]))
	}
	return out
}

// oneMemory is a memory section: min pages, no maximum.
func oneMemory(pages int) []byte { return b(1, 0, u(pages)) }
