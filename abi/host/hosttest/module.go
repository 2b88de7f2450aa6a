package hosttest

import "github.com/unicity-astrid/astrid-go/abi"

// Value types.
const (
	I32 byte = 0x7f
	I64 byte = 0x7e
)

// Import is a function that a module imports. Imports come first in the index space.
type Import struct {
	Module, Name    string
	Params, Results []byte
}

// Func is a function that a module defines. Code is without the last end.
type Func struct {
	Export          string // "" exports nothing
	Params, Results []byte
	Locals          int // of type i32, after the parameters
	Code            []byte
}

// Module describes a module. The zero value is an empty one without memory.
type Module struct {
	Imports  []Import
	Funcs    []Func
	Pages    int    // of its memory, exported as "memory"; 0 means no memory
	Table    int    // entries of its table of functions; 0 means no table
	ImportsM string // module to import a memory "memory" from instead
	Data     []byte // at address 0
	Start    int    // index of the start function; 0 means none, so it cannot be the first
}

// Bytes assembles the module.
func (m Module) Bytes() []byte {
	var types, imports, funcs, exports, code [][]byte
	typ := func(params, results []byte) []byte {
		types = append(types, join([]byte{0x60}, vec(params), vec(results)))
		return Uint(len(types) - 1)
	}
	for _, i := range m.Imports {
		imports = append(imports, join(text(i.Module), text(i.Name), []byte{0}, typ(i.Params, i.Results)))
	}
	if m.ImportsM != "" {
		imports = append(imports, join(text(m.ImportsM), text("memory"), []byte{2, 0, 1}))
	}
	for i, f := range m.Funcs {
		funcs = append(funcs, typ(f.Params, f.Results))
		locals := []byte{0}
		if f.Locals > 0 {
			locals = join([]byte{1}, Uint(f.Locals), []byte{I32})
		}
		body := join(locals, f.Code, []byte{0x0b})
		code = append(code, join(Uint(len(body)), body))
		if f.Export != "" {
			exports = append(exports, join(text(f.Export), []byte{0}, Uint(len(m.Imports)+i)))
		}
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, items [][]byte) {
		if len(items) > 0 {
			b := join(Uint(len(items)), join(items...))
			out = join(out, []byte{id}, Uint(len(b)), b)
		}
	}
	section(1, types)
	section(2, imports)
	section(3, funcs)
	if m.Table > 0 {
		section(4, [][]byte{join([]byte{0x70, 0}, Uint(m.Table))})
	}
	if m.Pages > 0 {
		section(5, [][]byte{join([]byte{0}, Uint(m.Pages))})
		exports = append(exports, join(text("memory"), []byte{2, 0}))
	}
	section(7, exports)
	if m.Start > 0 {
		out = join(out, []byte{8}, Uint(len(Uint(m.Start))), Uint(m.Start))
	}
	section(10, code)
	if len(m.Data) > 0 {
		section(11, [][]byte{join([]byte{0, 0x41, 0, 0x0b}, vec(m.Data))})
	}
	return out
}

// Native is the import of a host function in the native convention.
func Native(fn abi.Function, params int) Import {
	i := Import{Module: abi.ModuleNative, Name: fn.String(), Results: []byte{I64}}
	for range 2 * params {
		i.Params = append(i.Params, I32)
	}
	return i
}

// Take is the import that fetches a parked result.
var Take = Import{Module: abi.ModuleLink, Name: abi.LinkTake, Params: []byte{I32, I32}, Results: []byte{I32}}

// Forward is a module that exports each import under its own name, with the same type:
// a guest that makes exactly the calls a test asks for, with any pointers.
func Forward(pages int, imports ...Import) []byte {
	m := Module{Imports: imports, Pages: pages}
	for i, imp := range imports {
		var code []byte
		for p := range imp.Params {
			code = append(code, Get(p)...)
		}
		m.Funcs = append(m.Funcs, Func{Export: imp.Name, Params: imp.Params, Results: imp.Results, Code: append(code, Call(i)...)})
	}
	return m.Bytes()
}

// Instructions.

// Get is local.get.
func Get(local int) []byte { return join([]byte{0x20}, Uint(local)) }

// Set is local.set.
func Set(local int) []byte { return join([]byte{0x21}, Uint(local)) }

// Call is call.
func Call(fn int) []byte { return join([]byte{0x10}, Uint(fn)) }

// Const32 is i32.const.
func Const32(v int) []byte { return join([]byte{0x41}, signed(int64(v))) }

// Const64 is i64.const.
func Const64(v int) []byte { return join([]byte{0x42}, signed(int64(v))) }

// Forever is a loop without end around code.
func Forever(code ...[]byte) []byte {
	return join([]byte{0x03, 0x40}, join(code...), []byte{0x0c, 0x00, 0x0b, 0x00})
}

// Times repeats code n times, in a loop that counts in the local.
func Times(n, local int, code ...[]byte) []byte {
	return join(Const32(n), Set(local), []byte{0x03, 0x40}, join(code...),
		Get(local), Const32(1), []byte{0x6b, 0x22}, Uint(local), []byte{0x0d, 0x00, 0x0b}) // local.tee, br_if 0
}

// Fill is memory.fill, Grow memory.grow, GrowTable table.grow of table 0.
var (
	Fill      = []byte{0xfc, 0x0b, 0x00}
	Grow      = []byte{0x40, 0x00}
	GrowTable = []byte{0xfc, 0x0f, 0x00}
	NullFunc  = []byte{0xd0, 0x70}
)

// Single-byte instructions.
var (
	Trap = []byte{0x00}
	Drop = []byte{0x1a}
	Add  = []byte{0x6a} // of i32
	Sub  = []byte{0x6b}
)

// Code joins instructions.
func Code(parts ...[]byte) []byte { return join(parts...) }

// Uint is an unsigned LEB128 number.
func Uint(v int) []byte {
	var b []byte
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func signed(v int64) []byte {
	var b []byte
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func text(s string) []byte { return vec([]byte(s)) }

func vec(b []byte) []byte { return join(Uint(len(b)), b) }

func join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
