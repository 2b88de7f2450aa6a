package meter

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"testing"
)

// mod is a module with one exported function of the given code.
func mod(code ...any) wasm {
	return wasm{start: -1, funcs: []fn{{export: "run", code: b(code...)}}}
}

func (w wasm) with(id byte, parts ...any) wasm {
	w.raw = map[byte][]byte{id: b(parts...)}
	return w
}

// TestReserved: nothing in a guest may name what metering adds.
func TestReserved(t *testing.T) {
	yield := wasm{start: -1, imports: []string{"astrid_link.yield"}}
	take := wasm{start: -1, imports: []string{"astrid_link.take"}}
	marked := mod()
	marked.custom = [][2]string{{SectionName, "1"}}
	global := b(appendName(appendName(nil, YieldModule), YieldName), externGlobal, i32, 1)
	for _, c := range []struct {
		name string
		bin  []byte
		want error
	}{
		{"plain", mod().bytes(), nil},
		{"other import of the link", take.bytes(), nil},
		{"import of yield", yield.bytes(), ErrReserved},
		{"import of a global named yield", mod().with(secImport, 1, global).bytes(), ErrReserved},
		{"marked", marked.bytes(), ErrReserved},
		{"rewritten", rewrite(t, mod().bytes()), ErrReserved},
	} {
		if _, err := Rewrite(c.bin, Options{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestOnePastTheEnd: an index that is one too large must not come to mean what
// metering puts there.
func TestOnePastTheEnd(t *testing.T) {
	global := func(code ...any) wasm { return mod(code...).with(secGlobal, 1, i32, 1, 0x41, 0, 0x0b) }
	table := b(1, 0x70, 0, 4)
	elem := func(parts ...any) wasm {
		w := mod().with(secElement, parts...)
		w.raw[secTable] = table
		return w
	}
	for _, c := range []struct {
		name string
		w    wasm
		ok   bool
	}{
		{"global.get 0", global(0x23, 0, 0x1a), true},
		{"global.get 1", global(0x23, 1, 0x1a), false},
		{"global.set 1", global(0x41, 0, 0x24, 1), false},
		{"global.get 1 in dead code", global(0x00, 0x23, 1, 0x1a), false},
		{"export global 0", global().with2(secExport, 1, 1, "g", externGlobal, 0), true},
		{"export global 1", global().with2(secExport, 1, 1, "g", externGlobal, 1), false},
		{"global.get 0 as its own start", mod().with(secGlobal, 1, i32, 1, 0x23, 0, 0x0b), false},
		{"call 1", mod(0x10, 1), false},
		{"call 2^32-1", mod(0x10, u(math.MaxUint32)), false},
		{"return_call 1", mod(0x12, 1), false},
		{"ref.func 1", mod(0xd2, 1, 0x1a), false},
		{"export function 1", mod().with(secExport, 1, 1, "f", externFunc, 1), false},
		{"start 1", mod().with(secStart, 1), false},
		{"element 0", elem(1, 0, 0x41, 0, 0x0b, 1, 0), true},
		{"element 1", elem(1, 0, 0x41, 0, 0x0b, 1, 1), false},
		{"element ref.func 1", elem(1, 5, 0x70, 1, 0xd2, 1, 0x0b), false},
		{"element offset global.get 0", elem(1, 0, 0x23, 0, 0x0b, 0), false},
		{"data offset global.get 1", global().with2(secData, 1, 0, 0x23, 1, 0x0b, 0), false},
		{"function of type 2", mod().with(secFunction, 1, 2), false},
		{"block of type 2", mod(0x02, 2, 0x0b), false},
		{"call_indirect of type 2", mod(0x41, 0, 0x11, 2, 0), false},
		{"call_ref of type 2", mod(0x14, 2), false},
		{"import of type 2", mod().with(secImport, 1, 1, "m", 1, "f", externFunc, 2), false},
		{"tag of type 2", mod().with(secTag, 1, 0, 2), false},
		{"block of ref 2", mod(0x02, 0x63, 2, 0x0b), false},
		{"br 1", mod(0x0c, 1), false},
		{"br_table 1", mod(0x41, 0, 0x0e, 1, 1, 0), false},
	} {
		_, err := Rewrite(c.w.bytes(), Options{})
		if c.ok && err != nil || !c.ok && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// with2 adds a second raw section.
func (w wasm) with2(id byte, parts ...any) wasm {
	w.raw[id] = b(parts...)
	return w
}

func TestMalformed(t *testing.T) {
	good := mod(0x41, 0, 0x1a).bytes()
	many := u(math.MaxUint32)
	cases := map[string][]byte{
		"empty":                  {},
		"header only":            []byte(magic)[:7],
		"component":              []byte("\x00asm\x0d\x00\x01\x00"),
		"section beyond the end": b(magic, 1, 100),
		"unknown section":        b(magic, 14, 0),
		"repeated section":       b(magic, 1, 1, 0, 1, 1, 0),
		"sections out of order":  b(magic, 3, 1, 0, 1, 1, 0),
		"left over in a section": b(magic, 1, 2, 0, 0),
		"body without end":       mod(0x02, 0x40).bytes(),
		"code behind the end":    mod(0x0b, 0x01).bytes(),
		"else without if":        mod(0x02, 0x40, 0x05, 0x0b).bytes(),
		"unknown opcode":         mod(0xff).bytes(),
		"legacy try":             mod(0x06, 0x40, 0x0b).bytes(),
		"second memory":          mod(0x3f, 1, 0x1a).bytes(),
		"long vector opcode":     mod(0xfd, 0x8c, 0x00, repeat(16, 0), 0x1a).bytes(),
		"relaxed vector opcode":  mod(0xfd, 0x80, 0x02).bytes(),
		"long block type":        mod(0x02, 0xc0, 0x7f, 0x0b).bytes(),
		"long atomic opcode":     mod(0xfe, 0x83, 0x00, 0x00).bytes(),
		"bodies missing":         mod().with(secCode, 0).bytes(),
		"name not UTF-8":         mod().with(secExport, 1, 1, 0xff, 0, 0).bytes(),
		"name section cut short": append(bytes.Clone(good), appendCustom(nil, "name", b(1, 5, 1, 0, 9, "x"))...),
		"name of no function":    append(bytes.Clone(good), appendCustom(nil, "name", b(1, 4, 1, 1, 1, "x"))...),
	}
	for id := byte(1); id <= secTag; id++ {
		if id != secStart && id != secDataCount {
			cases["endless "+secNames[id]] = mod().with(id, many).bytes()
		}
	}
	cases["endless br_table"] = mod(0x41, 0, 0x0e, many).bytes()
	cases["endless data"] = mod().with(secData, 1, 1, many).bytes()
	cases["endless params"] = mod().with(secType, 1, formFunc, many).bytes()
	cases["endless elements"] = mod().with(secElement, 1, 1, 0, many).bytes()
	cases["endless names"] = append(bytes.Clone(good), appendCustom(nil, "name", b(1, 5, many))...)
	cases["endless rec group"] = mod().with(secType, 1, formRec, many).bytes()
	for name, bin := range cases {
		before := allocated()
		_, err := Rewrite(bin, Options{})
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
		if n := allocated() - before; n > 1<<20 {
			t.Errorf("%s: %d bytes allocated for %d", name, n, len(bin))
		}
	}
	for n := range good { // none panics, and what ends inside the code is refused
		if _, err := Rewrite(good[:n], Options{}); err == nil && n > len(good)-4 {
			t.Errorf("accepts the first %d of %d bytes", n, len(good))
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestLimits(t *testing.T) {
	locals := mod()
	locals.funcs[0].locals = b(1, u(math.MaxUint32), i64)
	two := wasm{start: -1, funcs: []fn{{locals: b(1, 60, i64)}, {locals: b(1, 60, i64)}}}
	for _, c := range []struct {
		name string
		w    wasm
		o    Options
		want error
	}{
		{"2^32-1 locals", locals, Options{}, ErrLimit},
		{"locals in all", two, Options{MaxAllLocals: 100}, ErrLimit},
		{"locals in all, enough", two, Options{MaxAllLocals: 120}, nil},
		{"module", mod(), Options{MaxModule: 20}, ErrLimit},
		{"output", mod(), Options{MaxOutput: 20}, ErrLimit},
		{"types", two, Options{MaxTypes: 2}, ErrLimit},
		{"functions", two, Options{MaxFunctions: 1}, ErrLimit},
		{"imports", wasm{start: -1, imports: []string{"a.b", "a.c"}}, Options{MaxImports: 1}, ErrLimit},
		{"globals", mod().with(secGlobal, 2, repeat(2, i32, 1, 0x41, 0, 0x0b)), Options{MaxGlobals: 1}, ErrLimit},
		{"exports", mod().with(secExport, 2, 1, "a", 0, 0, 1, "b", 0, 0), Options{MaxExports: 1}, ErrLimit},
		{"tables", mod().with(secTable, 17, repeat(17, 0x70, 0, 0)), Options{}, ErrLimit},
		{"table entries", mod().with(secTable, 1, 0x70, 0, u(1<<20+1)), Options{}, ErrLimit},
		{"segments", mod().with(secData, 2, 1, 0, 1, 0), Options{MaxSegments: 1}, ErrLimit},
		{"custom", wasm{start: -1, custom: [][2]string{{"a", ""}, {"b", ""}}}, Options{MaxCustom: 1}, ErrLimit},
		{"params", mod().with(secType, 1, formFunc, 2, i32, i32, 0), Options{MaxParams: 1}, ErrLimit},
		{"body", mod(repeat(50, 1)), Options{MaxBody: 50}, ErrLimit},
		{"nesting", mod(repeat(21, 2, 0x40), repeat(21, 0x0b)), Options{MaxNesting: 20}, ErrLimit},
		{"nesting, enough", mod(repeat(20, 2, 0x40), repeat(20, 0x0b)), Options{MaxNesting: 20}, nil},
		{"br_table", mod(0x41, 0, 0x0e, 3, 0, 0, 0, 0), Options{MaxBrTable: 2}, ErrLimit},
		{"effort", mod(repeat(20_000, 0x03, 0x40, 0x41, 0, 0x0d, 0, 0x0b)), Options{}, ErrLimit},
		{"reloads", mod(repeat(2000, 0x10, 0)).with(secGlobal, u(1000), repeat(1000, i32, 1, 0x41, 0, 0x0b)), Options{}, ErrLimit},
		{"values", mod(repeat(2000, 0x02, 0, 0x0b)).with(secType, 2, formFunc, u(600), repeat(600, i32), u(600), repeat(600, i32), formFunc, 0, 0), Options{}, ErrLimit},
		{"constants are not reloaded", mod(repeat(2000, 0x10, 0)).with(secGlobal, u(1000), repeat(1000, i32, 0, 0x41, 0, 0x0b)), Options{}, nil},
		{"atomic wait", mod(0xfe, 0x01, 2, 0), Options{}, ErrUnsupported},
		{"atomic wait allowed", mod(0xfe, 0x01, 2, 0), Options{AllowWait: true}, nil},
		{"memory64", mod().with(secMemory, 1, 4, 1), Options{}, ErrUnsupported},
		{"two memories", mod().with(secMemory, 2, 0, 1, 0, 1), Options{}, ErrUnsupported},
		{"struct type", mod().with(secType, 1, 0x5f, 0), Options{}, ErrUnsupported},
	} {
		if _, err := Rewrite(c.w.bytes(), c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}
