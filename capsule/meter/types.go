package meter

// Value types, reference type prefixes and the function type form.
const (
	typeI32       = 0x7f
	typeV128      = 0x7b
	typeFunc      = 0x70
	typeExtern    = 0x6f
	typeExn       = 0x69
	refNullPrefix = 0x63
	refPrefix     = 0x64
	formFunc      = 0x60
	formRec       = 0x4e
)

// types reads the type section, which may hold recursion groups, and adds the
// module's own types behind the rest.
func (m *module) types(r *reader) []byte {
	n := r.count("types", m.o.MaxTypes)
	out := appendU32(nil, uint32(n)+ownTypes)
	for i := 0; i < n && r.err == nil; i++ {
		group := 1
		if r.off < len(r.b) && r.b[r.off] == formRec {
			r.byte()
			group = r.count("types", m.o.MaxTypes)
			out = appendU32(append(out, formRec), uint32(group))
		}
		// References may point forward inside their own group only.
		if m.nTypes += uint32(group); m.nTypes > uint32(m.o.MaxTypes) {
			r.failAs(ErrLimit, "more than %d types", m.o.MaxTypes)
		}
		for ; group > 0 && r.err == nil; group-- {
			out = m.funcType(r, out)
		}
	}
	return append(out, ownTypeDecls...)
}

func (m *module) funcType(r *reader, out []byte) []byte {
	if form := r.byte(); form != formFunc {
		r.failAs(ErrUnsupported, "type form %#x", form)
	}
	out = append(out, formFunc)
	arity := 0
	for side := 0; side < 2; side++ {
		n := r.count("parameters or results", m.o.MaxParams)
		arity += n
		out = appendU32(out, uint32(n))
		for i := 0; i < n && r.err == nil; i++ {
			out = m.valType(r, out)
		}
	}
	m.arity = append(m.arity, arity)
	return out
}

// valType copies a value type.
func (m *module) valType(r *reader, out []byte) []byte {
	switch c := r.byte(); {
	case c >= typeV128 && c <= typeI32:
		return append(out, c)
	default:
		return m.refTypeFrom(r, c, out)
	}
}

// refType copies a reference type.
func (m *module) refType(r *reader, out []byte) []byte {
	return m.refTypeFrom(r, r.byte(), out)
}

func (m *module) refTypeFrom(r *reader, c byte, out []byte) []byte {
	switch c {
	case typeFunc, typeExtern, typeExn:
		return append(out, c)
	case refNullPrefix, refPrefix:
		return m.heapType(r, append(out, c))
	}
	r.fail("value type %#x", c)
	return out
}

// heapType copies what follows a reference prefix: an abstract type, one byte,
// or a type index.
func (m *module) heapType(r *reader, out []byte) []byte {
	at := r.off
	v := r.signed(33)
	switch {
	case v >= 0:
		m.checkType(r, uint32(v))
	case r.off != at+1 || (r.b[at] != typeFunc && r.b[at] != typeExtern && r.b[at] != typeExn):
		r.fail("heap type %d", v)
	}
	return appendSigned(out, v)
}

// blockType copies the type of a block: none, one value type, or a type index.
// The second result is how many parameters and results it has.
func (m *module) blockType(r *reader, out []byte) ([]byte, int) {
	if r.off < len(r.b) {
		switch c := r.b[r.off]; {
		case c == blockEmpty:
			r.off++
			return append(out, c), 0
		case c > blockEmpty && c < 0x80:
			return m.valType(r, out), 1
		}
	}
	v := r.signed(33)
	if v < 0 {
		r.fail("block type %d", v)
		return out, 0
	}
	return appendSigned(out, v), m.checkType(r, uint32(v))
}

const blockEmpty = 0x40

// typeIndex copies a type index.
func (m *module) typeIndex(r *reader, out []byte) []byte {
	v := r.u32()
	m.checkType(r, v)
	return appendU32(out, v)
}

// checkType fails unless v is a type, and returns its parameters and results. In
// the type section, where a type may be used before it is read, that is 0.
func (m *module) checkType(r *reader, v uint32) int {
	if v >= m.nTypes {
		r.fail("type index %d, the module has %d types", v, m.nTypes)
	}
	if v >= uint32(len(m.arity)) {
		return 0
	}
	return m.arity[v]
}

// limits copies the limits of a table or memory. With lowerTo, a maximum that is
// missing or above it becomes that.
func limits(r *reader, out []byte, lowerTo int) []byte {
	flags := r.byte()
	if flags > 3 {
		r.failAs(ErrUnsupported, "limits flags %#x", flags)
		return out
	}
	lo, hi := r.u32(), uint32(0)
	if flags&1 != 0 {
		if hi = r.u32(); hi < lo {
			r.fail("minimum %d above maximum %d", lo, hi)
		}
	}
	if lowerTo > 0 {
		if uint64(lo) > uint64(lowerTo) {
			r.failAs(ErrLimit, "table of %d entries, at most %d", lo, lowerTo)
		}
		if flags&1 == 0 || uint64(hi) > uint64(lowerTo) {
			flags, hi = flags|1, uint32(lowerTo)
		}
	}
	out = appendU32(append(out, flags), lo)
	if flags&1 != 0 {
		out = appendU32(out, hi)
	}
	return out
}
