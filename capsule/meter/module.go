package meter

// Section ids of the binary format.
const (
	secCustom    = 0
	secType      = 1
	secImport    = 2
	secFunction  = 3
	secTable     = 4
	secMemory    = 5
	secGlobal    = 6
	secExport    = 7
	secStart     = 8
	secElement   = 9
	secCode      = 10
	secData      = 11
	secDataCount = 12
	secTag       = 13
)

// secOrder lists the sections in the order in which they must stand.
var secOrder = []byte{
	secType, secImport, secFunction, secTable, secMemory, secTag, secGlobal,
	secExport, secStart, secElement, secDataCount, secCode, secData,
}

// External kinds of imports and exports.
const (
	externFunc = iota
	externTable
	externMemory
	externGlobal
	externTag
)

const magic = "\x00asm\x01\x00\x00\x00"

// module is what has been read, section by section, already in output form.
type module struct {
	o      Options
	out    [secTag + 1][]byte // payload to emit per section; nil: absent
	custom []byte             // custom sections, whole

	nTypes    uint32   // as in the input; the module's own come after them
	arity     []int    // per type: parameters and results
	funcTypes []uint32 // per defined function: its type
	impTypes  []uint32 // per imported function: its type
	impFuncs  uint32
	nGlobals  uint32 // imported and defined; the fuel is the one after them
	nMutable  int    // of these, the mutable ones
	nTables   int
	nLocals   int // declared in all functions together
	hasMemory bool

	importsMemory bool
	dataCounted   uint32   // data segments, as the data count section says
	nSegments     uint32   // data segments, as there are
	dataSizes     []uint32 // of the data segments
	newData       []uint32 // their indices in the output
	splits        uint32   // pieces of those that were split, without the last of each
	pieces        pieces

	bodies []*reader
	leaf   []uint16 // per defined function: cost if its callers pay for it, else 0
}

// newFunc maps a function index of the input to the output, where yield stands
// after the imports and the module's own functions after the defined ones.
func (m *module) newFunc(i uint32) uint32 {
	if i < m.impFuncs {
		return i
	}
	return i + 1
}

func (m *module) nFuncs() uint32 { return m.impFuncs + uint32(len(m.funcTypes)) }

// funcArity is the number of parameters and results of function i.
func (m *module) funcArity(i uint32) int {
	if i < m.impFuncs {
		return m.arity[m.impTypes[i]]
	}
	return m.arity[m.funcTypes[i-m.impFuncs]]
}

func (m *module) yieldFunc() uint32  { return m.impFuncs }
func (m *module) refillFunc() uint32 { return m.nFuncs() + 1 }
func (m *module) fuelGlobal() uint32 { return m.nGlobals }

// section is one section of the input.
type section struct {
	id byte
	r  *reader
}

// split finds the sections and checks their order.
func split(b []byte, o Options) ([]section, error) {
	r := &reader{b: b}
	if string(r.bytes(uint32(min(len(b), len(magic))))) != magic {
		r.off = 0
		r.fail("no wasm 1.0 header")
		return nil, r.err
	}
	var out []section
	next, customs := 0, 0
	for r.more() {
		id := r.byte()
		body := r.sub(r.u32())
		if r.err != nil {
			break
		}
		if id == secCustom {
			if customs++; customs > o.MaxCustom {
				r.failAs(ErrLimit, "more than %d custom sections", o.MaxCustom)
			}
		} else {
			for next < len(secOrder) && secOrder[next] != id {
				next++
			}
			if next == len(secOrder) {
				r.fail("section %d is unknown, repeated or out of order", id)
			}
			next++
		}
		out = append(out, section{id, body})
	}
	return out, r.err
}

// parse reads the whole module. Function bodies come last, since they need all
// index spaces; custom sections may stand anywhere and so are read after all.
func parse(b []byte, o Options) (*module, error) {
	secs, err := split(b, o)
	if err != nil {
		return nil, err
	}
	m := &module{o: o}
	readers := map[byte]func(*reader) []byte{
		secType: m.types, secImport: m.imports, secFunction: m.functions,
		secTable: m.tables, secMemory: m.memories, secTag: m.tags,
		secGlobal: m.globals, secExport: m.exports, secStart: m.start,
		secElement: m.elements, secDataCount: m.dataCount, secCode: m.code,
		secData: m.data,
	}
	for _, s := range secs {
		if read := readers[s.id]; read != nil {
			p := read(s.r)
			if err := s.r.done(secNames[s.id] + " section"); err != nil {
				return nil, err
			}
			m.out[s.id] = p
		}
	}
	if len(m.bodies) != len(m.funcTypes) {
		r := &reader{off: len(b)}
		r.fail("%d functions declared, %d bodies", len(m.funcTypes), len(m.bodies))
		return nil, r.err
	}
	for _, s := range secs {
		if s.id != secCustom {
			continue
		}
		if m.customSection(s.r); s.r.err != nil {
			return nil, s.r.err
		}
	}
	return m, nil
}

var secNames = [...]string{
	secType: "type", secImport: "import", secFunction: "function", secTable: "table",
	secMemory: "memory", secTag: "tag", secGlobal: "global", secExport: "export",
	secStart: "start", secElement: "element", secDataCount: "data count",
	secCode: "code", secData: "data",
}
