package meter

// elements copies the element section: eight forms, told apart by three flag
// bits (passive or declarative; explicit table index or kind; expressions).
func (m *module) elements(r *reader) []byte {
	n := r.count("element segments", m.o.MaxSegments)
	out := appendU32(nil, uint32(n))
	for i := 0; i < n && r.err == nil; i++ {
		flags := r.u32()
		if flags > 7 {
			r.fail("element segment flags %#x", flags)
		}
		out = m.element(r, flags, appendU32(out, flags))
	}
	return out
}

func (m *module) element(r *reader, flags uint32, out []byte) []byte {
	passive, explicit, exprs := flags&1 != 0, flags&2 != 0, flags&4 != 0
	if !passive {
		if explicit {
			out = appendU32(out, r.u32()) // table
		}
		out = m.constExpr(r, typeI32, out)
	}
	typ := byte(typeFunc)
	if passive || explicit {
		if exprs {
			at := len(out)
			if out = m.refType(r, out); r.err == nil {
				typ = out[at]
			}
		} else if kind := r.byte(); kind != 0 {
			r.fail("element kind %#x", kind)
		} else {
			out = append(out, 0)
		}
	}
	n := r.count("elements", len(r.b))
	out = appendU32(out, uint32(n))
	for i := 0; i < n && r.err == nil; i++ {
		if exprs {
			out = m.constExpr(r, typ, out)
		} else {
			out = m.funcIndex(r, out)
		}
	}
	return out
}

// constExpr copies a constant expression, extended ones included. typ is the
// first byte of the type it must have. A null where that is not nullable is
// refused here, because wazero 1.12 takes ref.null func for a reference to
// function 0 if there is one, which the rewritten module always has.
func (m *module) constExpr(r *reader, typ byte, out []byte) []byte {
	for r.err == nil {
		op := r.byte()
		out = append(out, op)
		switch op {
		case opEnd:
			return out
		case opI32Const:
			out = appendSigned(out, r.signed(32))
		case opI64Const:
			out = appendSigned(out, r.signed(64))
		case opF32Const:
			out = append(out, r.bytes(4)...)
		case opF64Const:
			out = append(out, r.bytes(8)...)
		case opI32Add, opI32Sub, opI32Mul, opI64Add, opI64Sub, opI64Mul:
		case opGlobalGet:
			out = m.globalIndex(r, out)
		case opRefNull:
			if typ == refPrefix {
				r.fail("null for a type that is not nullable")
			}
			out = m.heapType(r, out)
		case opRefFunc:
			out = m.funcIndex(r, out)
		case opVecPrefix:
			if v := r.byte(); v != vecConst {
				r.fail("vector opcode %#x in a constant expression", v)
			}
			out = append(append(out, vecConst), r.bytes(16)...)
		default:
			r.fail("opcode %#x in a constant expression", op)
		}
	}
	return out
}
