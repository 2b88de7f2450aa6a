package meter

import "math"

// imports copies the import section and adds yield as the last function, which
// leaves the indices of the other imports as they are.
func (m *module) imports(r *reader) []byte {
	n := r.count("imports", m.o.MaxImports)
	out := appendU32(nil, uint32(n)+1)
	for i := 0; i < n && r.err == nil; i++ {
		mod, name := r.name(), r.name()
		if mod == YieldModule && name == YieldName {
			r.failAs(ErrReserved, "import of %s.%s", mod, name)
		}
		out = appendName(appendName(out, mod), name)
		kind := r.byte()
		out = append(out, kind)
		switch kind {
		case externFunc:
			t := r.u32()
			m.checkType(r, t)
			out = appendU32(out, t)
			m.impTypes = append(m.impTypes, t)
			m.impFuncs++
		case externTable:
			out = limits(r, m.refType(r, out), 0)
			m.countTable(r)
		case externMemory:
			out = limits(r, out, 0)
			m.hasMemory, m.importsMemory = true, true
		case externGlobal:
			out = m.globalType(r, out)
			m.nGlobals++
		case externTag:
			out = m.tagType(r, out)
		default:
			r.fail("import kind %d", kind)
		}
	}
	return m.yieldImport(out)
}

// functions reads the function section, which is written when it is known what the
// module needs of its own.
func (m *module) functions(r *reader) []byte {
	n := r.count("functions", m.o.MaxFunctions)
	for i := 0; i < n && r.err == nil; i++ {
		t := r.u32()
		m.checkType(r, t)
		m.funcTypes = append(m.funcTypes, t)
	}
	return nil
}

func (m *module) tables(r *reader) []byte {
	n := r.count("tables", m.o.MaxTables)
	out := appendU32(nil, uint32(n))
	for i := 0; i < n && r.err == nil; i++ {
		m.countTable(r)
		c := r.byte()
		init := c == 0x40 // 0x40 0x00 tabletype expr
		if init {
			if z := r.byte(); z != 0 {
				r.fail("table prefix 0x40 %#x", z)
			}
			out = append(out, 0x40, 0)
			c = r.byte()
		}
		out = limits(r, m.refTypeFrom(r, c, out), m.o.MaxTableEntries)
		if init {
			out = m.constExpr(r, c, out)
		}
	}
	return out
}

func (m *module) countTable(r *reader) {
	if m.nTables++; m.nTables > m.o.MaxTables {
		r.failAs(ErrLimit, "more than %d tables", m.o.MaxTables)
	}
}

func (m *module) memories(r *reader) []byte {
	n := r.count("memories", math.MaxInt32)
	if n > 1 {
		r.failAs(ErrUnsupported, "%d memories", n)
	}
	m.hasMemory = m.hasMemory || n > 0
	out := appendU32(nil, uint32(n))
	for i := 0; i < n && r.err == nil; i++ {
		out = limits(r, out, 0)
	}
	return out
}

func (m *module) tags(r *reader) []byte {
	n := r.count("tags", m.o.MaxTypes)
	out := appendU32(nil, uint32(n))
	for i := 0; i < n && r.err == nil; i++ {
		out = m.tagType(r, out)
	}
	return out
}

func (m *module) tagType(r *reader, out []byte) []byte {
	if a := r.byte(); a != 0 {
		r.fail("tag attribute %#x", a)
	}
	return m.typeIndex(r, append(out, 0))
}

// globals copies the global section and adds the fuel as the last.
func (m *module) globals(r *reader) []byte {
	n := r.count("globals", m.o.MaxGlobals)
	out := appendU32(nil, uint32(n)+1)
	for i := 0; i < n && r.err == nil; i++ {
		at := len(out)
		if out = m.globalType(r, out); r.err == nil {
			out = m.constExpr(r, out[at], out)
		}
		m.nGlobals++
	}
	if int(m.nGlobals) > m.o.MaxGlobals {
		r.failAs(ErrLimit, "%d globals, at most %d", m.nGlobals, m.o.MaxGlobals)
	}
	return append(out, m.fuelDecl()...)
}

func (m *module) globalType(r *reader, out []byte) []byte {
	out = m.valType(r, out)
	mut := r.byte()
	if mut > 1 {
		r.fail("mutability %#x", mut)
	}
	m.nMutable += int(mut)
	return append(out, mut)
}

// exports copies the export section. The fuel lies one past the input's globals,
// so an export of that index must not get through.
func (m *module) exports(r *reader) []byte {
	n := r.count("exports", m.o.MaxExports)
	out := appendU32(nil, uint32(n))
	for i := 0; i < n && r.err == nil; i++ {
		out = appendName(out, r.name())
		kind := r.byte()
		out = append(out, kind)
		switch kind {
		case externFunc:
			out = m.funcIndex(r, out)
		case externGlobal:
			out = m.globalIndex(r, out)
		case externTable, externMemory, externTag:
			out = appendU32(out, r.u32())
		default:
			r.fail("export kind %d", kind)
		}
	}
	return out
}

func (m *module) start(r *reader) []byte { return m.funcIndex(r, nil) }

// funcIndex copies a function index.
func (m *module) funcIndex(r *reader, out []byte) []byte {
	v := r.u32()
	if v >= m.nFuncs() {
		r.fail("function index %d, the module has %d", v, m.nFuncs())
		return out
	}
	return appendU32(out, m.newFunc(v))
}

// globalIndex copies a global index.
func (m *module) globalIndex(r *reader, out []byte) []byte {
	v := r.u32()
	if v >= m.nGlobals {
		r.fail("global index %d, the module has %d", v, m.nGlobals)
	}
	return appendU32(out, v)
}
