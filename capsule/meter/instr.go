package meter

// instruction copies one instruction and the charges it calls for.
func (w *bodyWriter) instruction(r *reader) {
	at := r.off
	op := r.byte()
	if r.err != nil {
		return
	}
	i := opcodes[op]
	if i.imm == immBad {
		w.prefixed(r, op, at)
		return
	}
	w.add(int(i.cost))
	if i.imm == immSpecial {
		w.control(r, op)
		return
	}
	if op == opMemoryGrow {
		w.bulkCharge(bulkPages)
	}
	w.out = append(w.out, op)
	switch i.imm {
	case immNone:
		if op == opUnreachable {
			w.leave()
		}
	case immIndex:
		w.out = appendU32(w.out, r.u32())
	case immGlobal:
		w.out = w.m.globalIndex(r, w.out)
	case immMem:
		w.memArg(r)
	case immZero:
		w.zero(r)
	case immI32:
		w.out = appendSigned(w.out, r.signed(32))
	case immI64:
		w.out = appendSigned(w.out, r.signed(64))
	case immF32:
		w.out = append(w.out, r.bytes(4)...)
	case immF64:
		w.out = append(w.out, r.bytes(8)...)
	case immHeap:
		w.out = w.m.heapType(r, w.out)
	case immFunc:
		w.out = w.m.funcIndex(r, w.out)
	case immSelect:
		if n := r.u32(); n != 1 {
			r.fail("select of %d types", n)
		}
		w.out = w.m.valType(r, append(w.out, 1))
	}
}

// memArg copies alignment and offset. No access is wider than 16 bytes.
func (w *bodyWriter) memArg(r *reader) {
	align := r.u32()
	if align > 4 {
		r.fail("alignment 2^%d", align)
	}
	w.out = appendU32(appendU32(w.out, align), r.u32())
}

// zero copies a reserved byte, the index of the only memory.
func (w *bodyWriter) zero(r *reader) {
	r.zero()
	w.out = append(w.out, 0)
}

// zero reads that byte.
func (r *reader) zero() {
	if c := r.byte(); c != 0 {
		r.fail("memory index %d", c)
	}
}

// prefixed copies an instruction with a prefix. What follows the prefix is
// LEB128 in the standard; for wazero it is so after opMiscPrefix but one byte
// after the others (the second of two is a nop to it), so that there only the
// forms are accepted on which both agree.
func (w *bodyWriter) prefixed(r *reader, op byte, at int) {
	switch op {
	case opMiscPrefix:
		w.misc(r)
	case opVecPrefix:
		w.vector(r)
	case opAtomicPrefix:
		w.atomic(r)
	default:
		r.off = at
		r.fail("opcode %#x", op)
	}
}

func (w *bodyWriter) misc(r *reader) {
	sub := r.u32()
	switch {
	case sub < miscMemoryInit: // saturating conversions
		w.add(costFloat)
	case sub == miscMemoryInit, sub == miscMemoryCopy, sub == miscMemoryFill:
		w.add(costHost)
		w.memoryOp(r, byte(sub))
		return
	case sub == miscTableInit, sub == miscTableCopy, sub == miscTableGrow, sub == miscTableFill:
		w.add(costHost)
		w.bulkCharge(bulkEntries)
	case sub == miscDataDrop, sub == miscElemDrop, sub == miscTableSize:
		w.add(costMem)
	default:
		r.fail("opcode %#x %#x", opMiscPrefix, sub)
		return
	}
	w.out = append(w.out, opMiscPrefix, byte(sub))
	switch sub {
	case miscTableInit, miscTableCopy:
		w.out = appendU32(w.out, r.u32())
		w.out = appendU32(w.out, r.u32())
	case miscDataDrop:
		w.out = appendU32(w.out, w.m.dataIndex(r.u32()))
	case miscElemDrop, miscTableGrow, miscTableSize, miscTableFill:
		w.out = appendU32(w.out, r.u32())
	}
}

// memoryOp copies a bulk operation on memory, or calls the function that does it in pieces.
func (w *bodyWriter) memoryOp(r *reader, sub byte) {
	w.mayRepeat = true
	p := pieced{op: sub}
	imm := []byte{0}
	switch sub {
	case miscMemoryInit:
		p.segment = r.u32()
		imm = append(appendU32(nil, w.m.dataIndex(p.segment)), 0)
	case miscMemoryCopy:
		imm = []byte{0, 0}
		r.zero()
	}
	r.zero()
	if w.cur.live && w.m.pieced(p) {
		w.place()
		w.m.callPiece(&w.emitter, p)
		w.cur.open = 0
		return
	}
	w.bulkCharge(bulkBytes)
	w.out = append(append(w.out, opMiscPrefix, sub), imm...)
}

// bulkCharge charges for the length operand of the instruction that follows.
func (w *bodyWriter) bulkCharge(kind bulkKind) {
	w.mayRepeat = true
	if !w.cur.live {
		return
	}
	w.place()
	w.bulk(kind)
	w.cur.open = 0
}

func (w *bodyWriter) vector(r *reader) {
	sub := r.byte()
	w.add(costVec)
	w.out = append(w.out, opVecPrefix, sub)
	if sub >= 0x80 {
		if c := r.byte(); c != 1 {
			r.fail("vector opcode %#x %#x", sub, c)
		}
		w.out = append(w.out, 1)
	}
	switch {
	case sub <= 0x0b, sub == 0x5c, sub == 0x5d: // loads and stores
		w.memArg(r)
	case sub == vecConst, sub == vecShuffle:
		w.out = append(w.out, r.bytes(16)...)
	case sub >= 0x15 && sub <= 0x22: // lanes
		w.out = append(w.out, r.byte())
	case sub >= 0x54 && sub <= 0x5b: // loads and stores of lanes
		w.memArg(r)
		w.out = append(w.out, r.byte())
	}
}

func (w *bodyWriter) atomic(r *reader) {
	sub := r.byte()
	w.add(costAtomic)
	w.out = append(w.out, opAtomicPrefix, sub)
	switch {
	case sub == atomicFence:
		w.zero(r)
	case (sub == atomicWait32 || sub == atomicWait64) && !w.m.o.AllowWait:
		r.failAs(ErrUnsupported, "memory.atomic.wait, which cannot be interrupted")
	case sub <= atomicWait64, sub >= 0x10 && sub <= 0x4e:
		w.memArg(r)
	default:
		r.fail("opcode %#x %#x", opAtomicPrefix, sub)
	}
}
